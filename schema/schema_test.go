package schema_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// connect opens a connection that is set up as the package comment asks of those who create a schema.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	run(t, conn, `set check_function_bodies = off; set client_min_messages = warning`)
	return conn
}

// run executes a script.
func run(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Position > 0 {
			sql = string([]rune(sql)[pg.Position-1:])
		}
		t.Fatalf("%v\nat %.300s", err, sql)
	}
}

func read(t testing.TB, conn *pgx.Conn, opt schema.Options) *schema.Model {
	t.Helper()
	m, err := schema.Read(t.Context(), conn, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Contradiction(); err != nil {
		t.Errorf("what was read at one moment: %v", err)
	}
	return m
}

// create executes all statements of a model.
func create(t testing.TB, conn *pgx.Conn, m *schema.Model) {
	t.Helper()
	run(t, conn, "set search_path = ''")
	for _, phase := range []schema.Phase{schema.PreData, schema.Keys, schema.PostData} {
		for s := range m.Statements(phase) {
			if _, err := conn.Exec(t.Context(), s.SQL, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Errorf("%s, %s: %v\n%s", phase, s.Object, err, s.SQL)
			}
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// makeRoles makes the roles that tests speak of, which are those of all databases of a server.
const makeRoles = `
do $$
declare
	v_name text;
begin
	foreach v_name in array array['alice', 'bob', 'carol', 'Dave "D"'] loop
		if not exists (select from pg_roles where rolname = v_name) then
			execute format('create role %I', v_name);
		end if;
	end loop;
end $$;
`

// byItself reports whether a statement only says that the object belongs to who makes it anyway.
func byItself(s schema.Statement) bool {
	return s.Object.Kind == schema.KindPrivileges && strings.HasSuffix(s.SQL, " owner to postgres")
}

// zoo returns the script of a database with one of each that a major version knows.
func zoo(t testing.TB, major int) string {
	t.Helper()
	var script strings.Builder
	script.WriteString(makeRoles)
	for _, since := range []struct {
		major int
		file  string
	}{{14, "zoo.sql"}, {15, "zoo15.sql"}, {18, "zoo18.sql"}} {
		if major < since.major {
			continue
		}
		text, err := os.ReadFile("testdata/" + since.file)
		if err != nil {
			t.Fatal(err)
		}
		script.Write(text)
	}
	return script.String()
}

// mayDiffer matches what pg_dump writes differently each time.
var mayDiffer = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`)

// dump returns pg_dump's view of a schema, if there is a pg_dump that knows the server.
func dump(t testing.TB, srv *pgserver.Server, url string) (text string, ok bool) {
	t.Helper()
	tool, err := srv.Install().Tool("pg_dump")
	if err != nil {
		t.Logf("NOT TESTED with pg_dump: %v", err)
		return "", false
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool, "--schema-only", url)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "server version mismatch") {
		t.Logf("NOT TESTED with pg_dump: %s", stderr.String())
		return "", false
	}
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, stderr.String())
	}
	return mayDiffer.ReplaceAllString(string(out), ""), true
}

// firstDifference returns where two texts begin to differ.
func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(la), len(lb)) {
		if i >= len(la) || i >= len(lb) || la[i] != lb[i] {
			from := func(l []string) string { return strings.Join(l[max(0, min(i-8, len(l))):min(i+12, len(l))], "\n") }
			return fmt.Sprintf("line %d\n--- original\n%s\n--- made again\n%s", i+1, from(la), from(lb))
		}
	}
	return ""
}

func noDifferences(t testing.TB, list []schema.Difference) {
	t.Helper()
	for _, d := range list {
		t.Errorf("%s\n--- a\n%s\n--- b\n%s", d, d.A, d.B)
	}
}

// TestMadeAgainIsTheSame is the oracle: what the statements make looks to pg_dump like what was read.
func TestMadeAgainIsTheSame(t *testing.T) {
	for _, major := range pgtest.Versions(t) {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			srv := pgtest.SharedVersion(t, major)
			urlA, urlB := pgtest.NewDB(t, srv), pgtest.NewDB(t, srv)
			a, b := connect(t, urlA), connect(t, urlB)
			run(t, a, zoo(t, major))
			before := read(t, a, schema.Options{})
			if len(before.NotCovered)+len(before.LeftOut) > 0 {
				t.Errorf("not covered: %q, left out: %q, want neither", before.NotCovered, before.LeftOut)
			}
			create(t, b, before)
			after := read(t, b, schema.Options{})
			noDifferences(t, schema.Diff(before, after))
			noDifferences(t, schema.Diff(after, before))
			if original, ok := dump(t, srv, urlA); ok {
				again, _ := dump(t, srv, urlB)
				if diff := firstDifference(original, again); diff != "" {
					t.Errorf("pg_dump differs from %s", diff)
				}
			}
		})
	}
}

// TestOtherMajorVersion makes schemas on a server of another version, as far as that knows what is in them: between
// neighbours, and between the ends.
func TestOtherMajorVersion(t *testing.T) {
	majors := pgtest.Versions(t)
	for i, from := range majors {
		for k, to := range majors {
			if far := max(i-k, k-i); far != 1 && (far == 0 || far != len(majors)-1) {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				a := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, from)))
				b := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, to)))
				run(t, a, zoo(t, min(from, to)))
				before := read(t, a, schema.Options{Target: to})
				create(t, b, before)
				after := read(t, b, schema.Options{})
				noDifferences(t, schema.Diff(before, after))
				noDifferences(t, schema.Diff(after, before))
			})
		}
	}
}
