package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs a command in this process.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = (&app{out: &out, err: &errs}).run(t.Context(), args)
	return status, out.String(), errs.String()
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	t.Setenv("BRIDGE_CONFIG", "")
	good := writeConfig(t, "master: {url: 'postgres://127.0.0.1:1/app?password=hush'}\nreplicas: [{name: eu, url: 'postgres://127.0.0.1:2/app?password=hush'}]\n")
	bad := writeConfig(t, "master: {url: 'postgres://127.0.0.1:1/app', slto: x}\nwindow: {bytes: many}\n")
	for _, row := range []struct {
		name   string
		args   string
		status int
		stderr []string // must be in it
	}{
		{"nothing", "", exitUsage, []string{"Usage:", "a command is missing"}},
		{"unknown command", "stauts", exitUsage, []string{`unknown command "stauts"`, "status"}},
		{"unknown command of a group", "log lst", exitUsage, []string{`unknown command "lst" for bridge log`}},
		{"group alone", "log", exitUsage, []string{"a command is missing"}},
		{"unknown flag", "status --jsno", exitUsage, []string{"unknown flag: --jsno", "bridge status --help"}},
		{"flag without its value", "wait --timeout", exitUsage, []string{"--timeout"}},
		{"wrong duration", "wait --timeout fast", exitUsage, []string{"fast"}},
		{"no time at all", "wait --timeout 0s -c " + good, exitUsage, []string{"more than 0"}},
		{"argument too many", "run now", exitUsage, []string{`bridge run takes no argument, got "now"`}},
		{"half a difference", "schema diff 7 -c " + good, exitUsage, []string{"want two"}},
		{"no block", "log show", exitUsage, []string{"one argument"}},
		{"not a block", "log show one", exitUsage, []string{`"one" is not a block's number`}},
		{"no file", "status -c /nowhere/bridge.yaml", exitUsage, []string{"/nowhere/bridge.yaml"}},
		{"every fault", "status -c " + bad, exitUsage, []string{"master.slto", "window.bytes"}},
		{"no configuration", "status", exitUsage, []string{"master.url", "-c"}},
		{"log level", "status --log-level loud -c " + good, exitUsage, []string{"loud"}},
		{"unknown replica", "wait --replica us -c " + good, exitUsage, []string{`"us"`, "has eu"}},
		{"unknown replica of check", "check --replica us -c " + good, exitUsage, []string{`"us"`}},
		{"unknown replica of a log", "log verify --replica us -c " + good, exitUsage, []string{`"us"`}},
		{"unknown replica to drop", "drop --replica us -c " + good, exitUsage, []string{`"us"`}},
		{"an empty replica to drop is not the master", "drop --replica= -c " + good, exitUsage, []string{`""`}},
		{"unknown role", "run --role cook -c " + good, exitUsage, []string{`unknown role "cook"`}},
		{"role that is not built", "run --role router -c " + good, exitUsage, []string{"not built yet"}},
		{"role of an unknown replica", "run --role replica=us -c " + good, exitUsage, []string{`"us"`}},
		{"role twice", "run --role tap --role tap -c " + good, exitUsage, []string{"twice"}},
		{"repair of nothing", "repair --replica eu -c " + good, exitUsage, []string{"--table"}},
		{"master does not answer", "wait -c " + good, exitFailed, []string{"connect to the master"}},
		{"status without a master", "status -c " + good, exitFailed, []string{"the master is not reachable"}},
		{"doctor without a master", "doctor -c " + good, exitFound, nil},
		{"help", "help", exitDone, nil},
		{"help of a command", "check --help", exitDone, nil},
		{"version", "version", exitDone, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, stdout, stderr := call(t, strings.Fields(row.args)...)
			if status != row.status {
				t.Errorf("exit status %d, want %d; stderr: %s", status, row.status, stderr)
			}
			for _, part := range row.stderr {
				if !strings.Contains(stderr, part) {
					t.Errorf("stderr lacks %q: %s", part, stderr)
				}
			}
			if strings.Contains(stdout+stderr, "hush") {
				t.Errorf("a password is shown: %s%s", stdout, stderr)
			}
		})
	}
}

func TestUsageErrorsComeOnce(t *testing.T) {
	_, stdout, stderr := call(t, "wait", "--timeout", "never")
	if n := strings.Count(stderr, "never"); n == 0 || strings.Count(stderr, "bridge: ") != 1 || stdout != "" {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	root := (&app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}).root()
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s lacks a description or an example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			if sub.Short == "" || sub.Example == "" {
				t.Errorf("%s lacks a description or an example", sub.CommandPath())
			}
		}
	}
}
