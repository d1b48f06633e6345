package schema_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

var update = flag.Bool("update", false, "write the answers of the transcripts in testdata anew")

// wording is the major version whose way to write expressions the transcripts have.
const wording = 15

// transcript runs a file of questions and answers: SQL, a line of four dashes, what answer makes of it, an empty line.
func transcript(t *testing.T, file string, answer func(t *testing.T, sql string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var written strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(string(text))+"\n", "\n\n") {
		sql, want, ok := strings.Cut(part+"\n", "\n----\n")
		if !ok {
			t.Fatalf("%s: no ---- after %q", file, part)
		}
		title, _, _ := strings.Cut(sql, "\n")
		t.Run(strings.TrimPrefix(title, "-- "), func(t *testing.T) {
			got := strings.TrimSpace(answer(t, sql))
			written.WriteString(strings.TrimSpace(sql+"\n----\n"+got) + "\n\n")
			if want := strings.TrimSpace(want); got != want && !*update {
				t.Errorf("got\n%s\nwant\n%s\n(-update accepts)", got, want)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.TrimSpace(written.String())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// inTransaction executes SQL, calls f, and takes everything back.
func inTransaction(t *testing.T, conn *pgx.Conn, sql string, f func()) {
	t.Helper()
	run(t, conn, "begin")
	defer run(t, conn, "rollback")
	run(t, conn, sql)
	f()
}

// TestDiff changes the zoo and compares it to what it was; the changed one is the replica's.
func TestDiff(t *testing.T) {
	conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, wording)))
	run(t, conn, zoo(t, 14))
	master := read(t, conn, schema.Options{})
	transcript(t, "testdata/diff.txt", func(t *testing.T, sql string) string {
		var b strings.Builder
		inTransaction(t, conn, sql, func() {
			for _, d := range schema.Diff(master, read(t, conn, schema.Options{})) {
				fmt.Fprintln(&b, d)
				for _, side := range []struct{ sign, text string }{{"-", d.A}, {"+", d.B}} {
					if side.text != "" && d.Kind != schema.KindTable {
						fmt.Fprintf(&b, "  %s %s\n", side.sign, strings.ReplaceAll(side.text, "\n", "\n    "))
					}
				}
			}
		})
		return b.String()
	})
}

// TestStatements shows what is executed, by phase, to make a schema.
func TestStatements(t *testing.T) {
	conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, wording)))
	run(t, conn, makeRoles)
	transcript(t, "testdata/statements.txt", func(t *testing.T, sql string) string {
		var b strings.Builder
		inTransaction(t, conn, sql, func() {
			m := read(t, conn, schema.Options{})
			for _, phase := range []schema.Phase{schema.PreData, schema.Keys, schema.PostData} {
				for s := range m.Statements(phase) {
					if s.Object.Kind != schema.KindExtension && s.Object.Kind != schema.KindSchema && !byItself(s) && s.Object.Name != "schema public" {
						fmt.Fprintf(&b, "%s: %s\n", phase, s.SQL)
					}
				}
			}
			for _, line := range m.LeftOut {
				fmt.Fprintln(&b, "left out:", line)
			}
			for _, line := range m.NotCovered {
				fmt.Fprintln(&b, "not covered:", line)
			}
		})
		return b.String()
	})
}
