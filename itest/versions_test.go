package itest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// TestVersions runs a core of the changes and types between different versions.
func TestVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("pairs of versions are left out with -short")
	}
	have := pgtest.Versions(t)
	for _, pair := range [][2]int{{14, 18}, {18, 14}, {14, 14}, {18, 18}, {16, 17}} {
		if !slices.Contains(have, pair[0]) || !slices.Contains(have, pair[1]) {
			t.Logf("NOT TESTED: %d to %d", pair[0], pair[1])
			continue
		}
		t.Run(fmt.Sprintf("%d to %d", pair[0], pair[1]), func(t *testing.T) {
			w := newWorld(t, pair[0], pair[1], 1)
			core := []string{"plain", "keys", "unique_swap", "toast", "full", "duplicates", "truncates", "partitions", "foreign_keys",
				"triggers", "strings", "generated", "generated_virtual", "identity", "names", "zero_columns", "type_keys"}
			var chosen []scenario
			for _, s := range slices.Concat(changeScenarios, tableScenarios) {
				if slices.Contains(core, s.name) {
					chosen = append(chosen, s)
				}
			}
			runScenarios(t, w, chosen, "merged", "ordered")
			w.stop()
			if pair[0] != pair[1] && max(pair[0], pair[1]) == 18 {
				testTypes(t, newWorld(t, pair[0], pair[1], 1), types)
			}
		})
	}
}
