package main

import (
	"strings"
	"testing"
)

func TestDemoUsage(t *testing.T) {
	for _, row := range []struct {
		name   string
		args   string
		stderr string
	}{
		{"no replicas", "demo --replicas 0", "1 to 8"},
		{"too many replicas", "demo --replicas 99", "1 to 8"},
		{"not a number", "demo --replicas two", "two"},
		{"a negative duration", "demo --duration -1s", "more than 0"},
		{"a duration without a unit", "demo --duration 5", "missing unit"},
		{"an empty directory's name", "demo --dir=", "--dir is empty"},
		{"a configuration", "demo -c bridge.yaml", "takes no configuration"},
		{"an argument", "demo now", `got "now"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, stdout, stderr := call(t, strings.Fields(row.args)...)
			if status != exitUsage || !strings.Contains(stderr, row.stderr) || stdout != "" {
				t.Errorf("exit status %d, stdout %q, stderr %q; want %d, nothing, and %q", status, stdout, stderr, exitUsage, row.stderr)
			}
		})
	}
}
