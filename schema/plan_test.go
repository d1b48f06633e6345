package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

// TestPlan makes a schema on a master and on a replica, changes it on the master, and brings the replica after it.
// The answers are the plans, as they are on one major version; on the others only the outcome is looked at.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/plan/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	majors := pgtest.Versions(t)
	for _, major := range majors {
		if major != wording && major != majors[0] && major != majors[len(majors)-1] {
			continue // what differs between versions came with one of these
		}
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			srv := pgtest.SharedVersion(t, major)
			master, replica := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
			run(t, master, makeRoles)
			// So that OIDs of the one mean nothing to the other.
			run(t, replica, "do $$ begin for i in 1 .. 50 loop create temp table t (); drop table t; end loop; end $$")
			for _, file := range files {
				name := filepath.Base(file)
				var since int
				if _, err := fmt.Sscanf(name, "%d", &since); err == nil && major < since {
					continue
				}
				t.Run(name, func(t *testing.T) {
					answer := func(t *testing.T, sql string) string { return planCase(t, master, replica, sql) }
					if major == wording || since > wording && major == since {
						transcript(t, file, answer)
						return
					}
					for title, sql := range questions(t, file) {
						t.Run(title, func(t *testing.T) { answer(t, sql) })
					}
				})
			}
		})
	}
}

// TestPlanForOtherMajorVersion has a replica that is older than its master, and one that is newer.
func TestPlanForOtherMajorVersion(t *testing.T) {
	majors := pgtest.Versions(t)
	oldest, newest := majors[0], majors[len(majors)-1]
	if oldest == newest {
		t.Skip("NOT TESTED: there is only one version")
	}
	for _, pair := range [][2]int{{oldest, newest}, {newest, oldest}} {
		t.Run(fmt.Sprintf("%d to %d", pair[0], pair[1]), func(t *testing.T) {
			master := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, pair[0])))
			replica := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, pair[1])))
			run(t, master, makeRoles)
			run(t, replica, makeRoles)
			files, err := filepath.Glob("testdata/plan/[a-z]*.sql")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				for title, sql := range questions(t, file) {
					t.Run(title, func(t *testing.T) {
						before, change, _ := strings.Cut(sql, "-- change\n")
						for _, conn := range []*pgx.Conn{master, replica} {
							run(t, conn, "rollback; begin; set local search_path = public")
							defer run(t, conn, "rollback")
						}
						run(t, master, before)
						planBetween(t, master, replica, schema.Options{Target: pair[1]}, func() { run(t, master, change) })
					})
				}
			}
		})
	}
}

// questions yields the questions of a transcript.
func questions(t *testing.T, file string) func(yield func(title, sql string) bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(title, sql string) bool) {
		for part := range strings.SplitSeq(strings.TrimSpace(string(text))+"\n", "\n\n") {
			sql, _, _ := strings.Cut(part+"\n", "\n----\n")
			title, _, _ := strings.Cut(sql, "\n")
			if !yield(strings.TrimPrefix(title, "-- "), sql) {
				return
			}
		}
	}
}

// planCase runs one case: what is there before, a line "-- change", what is done then. All is taken back.
func planCase(t *testing.T, master, replica *pgx.Conn, sql string) string {
	before, change, ok := strings.Cut(sql, "-- change\n")
	if !ok {
		t.Fatal("no line '-- change'")
	}
	for _, conn := range []*pgx.Conn{master, replica} {
		run(t, conn, "rollback; begin; set local search_path = public")
		defer run(t, conn, "rollback")
	}
	run(t, master, before)
	return planBetween(t, master, replica, schema.Options{}, func() { run(t, master, change) })
}

// planBetween brings a replica, which is empty, from what the master is to what change makes of it. It returns the plan.
func planBetween(t *testing.T, master, replica *pgx.Conn, opt schema.Options, change func()) string {
	t.Helper()
	run(t, master, "set constraints all immediate")
	before := imageOf(t, master)
	a := modelOf(t, before, opt)
	copyAll(t, a, master, replica)
	for _, d := range schema.Diff(a, read(t, replica, schema.Options{})) {
		t.Skipf("NOT TESTED: already before the plan, %s", d)
	}
	files := filenodes(t, master)
	change()
	run(t, master, "set constraints all immediate")
	behind := imageOf(t, master)
	b := modelOf(t, behind, opt)
	for _, name := range append(a.NotCovered, b.NotCovered...) {
		t.Logf("not covered: %s", name)
	}

	steps, err := schema.Plan(a, b)
	if got, want := planOfParts(t, before, behind, opt), outline(steps, err); got != want {
		t.Errorf("the plan between what has changed:\n%s\nthe plan between the whole:\n%s", got, want)
	}
	partsAreAsInTheWhole(t, b, behind, opt)
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "\n  ")
	}
	var text strings.Builder
	for _, s := range steps.First {
		fmt.Fprintf(&text, "first: %s;\n", s.SQL)
	}
	for _, s := range steps.Then {
		if !byItself(s) {
			fmt.Fprintf(&text, "%s;\n", s.SQL)
		}
	}
	plan := strings.TrimSpace(text.String())
	// The rows of what has been rewritten are copied afterwards.
	after := filenodes(t, master)
	kept := map[uint32]bool{}
	for _, table := range a.Tables() {
		if files[table.OID] == after[table.OID] {
			kept[table.OID] = true
		} else {
			run(t, replica, "set local session_replication_role = replica; delete from only "+schema.Quote(table.Schema, table.Name)+"; set local session_replication_role = origin")
		}
	}
	for _, s := range append(steps.First, steps.Then...) {
		if _, err := replica.Exec(t.Context(), s.SQL, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v\nat %s\nof the plan\n%s", s.Object, err, s.SQL, plan)
		}
	}
	got := read(t, replica, schema.Options{})
	for _, d := range schema.Diff(b, got) {
		t.Errorf("%s\n--- want\n%s\n--- got\n%s", d, d.A, d.B)
	}
	// The order of grants, which is none for Diff, is one for pg_dump.
	if opt.Target == 0 {
		want := map[string]string{}
		for _, o := range b.Objects {
			want[o.String()] = o.Definition
		}
		for _, o := range got.Objects {
			if o.Kind == schema.KindPrivileges && o.Definition != want[o.String()] {
				t.Errorf("%s\n--- want\n%s\n--- got\n%s", o, want[o.String()], o.Definition)
			}
		}
	}
	if t.Failed() {
		t.Logf("the plan:\n%s", plan)
	}
	if again, err := schema.Plan(got, got); err != nil || len(again.First)+len(again.Then) > 0 {
		t.Errorf("a plan from a schema to itself: %v, %v", again, err)
	}
	for _, table := range b.Tables() {
		if !kept[table.OID] || table.Partitioned {
			continue
		}
		if want, got := contents(t, master, table), contents(t, replica, table); want != got {
			t.Errorf("rows of %s.%s: got\n%s\nwant\n%s\nthe plan:\n%s", table.Schema, table.Name, got, want, plan)
		}
	}
	return clock.ReplaceAllString(plan, "(now)")
}

var clock = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00`)

// copyAll makes the master's schema and rows on the replica.
func copyAll(t *testing.T, m *schema.Model, master, replica *pgx.Conn) {
	t.Helper()
	run(t, replica, "set local search_path = ''; set local client_min_messages = warning")
	for _, phase := range []schema.Phase{schema.PreData, schema.Keys, schema.PostData} {
		for s := range m.Statements(phase) {
			if _, err := replica.Exec(t.Context(), s.SQL, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatalf("%s, %s: %v\n%s", phase, s.Object, err, s.SQL)
			}
		}
		if phase != schema.PreData {
			continue
		}
		for _, table := range m.Tables() {
			if table.Partitioned {
				continue
			}
			var columns []string
			for _, c := range table.Columns {
				if c.Generated == "" {
					columns = append(columns, schema.Quote(c.Name))
				}
			}
			if len(columns) == 0 {
				continue
			}
			name, list := schema.Quote(table.Schema, table.Name), strings.Join(columns, ", ")
			for _, values := range rows(t, master, "select concat_ws(', ', "+quoteLiteral(columns)+") from only "+name) {
				run(t, replica, "insert into "+name+" ("+list+") overriding system value values ("+values+")")
			}
		}
	}
}

func quoteLiteral(columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "quote_nullable(" + c + "::text)"
	}
	return strings.Join(list, ", ")
}

func rows(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	list, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(list, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return found
}

func contents(t *testing.T, conn *pgx.Conn, table *schema.Table) string {
	t.Helper()
	return strings.Join(rows(t, conn, "select t::text from only "+schema.Quote(table.Schema, table.Name)+" t order by 1"), "\n")
}

// filenodes returns the files of tables: a table that is rewritten gets a new one.
func filenodes(t *testing.T, conn *pgx.Conn) map[uint32]uint32 {
	t.Helper()
	list, err := conn.Query(t.Context(), "select oid, coalesce(pg_relation_filenode(oid), 0) from pg_class where relkind in ('r', 'p')")
	if err != nil {
		t.Fatal(err)
	}
	files := map[uint32]uint32{}
	var oid, file uint32
	if _, err := pgx.ForEachRow(list, []any{&oid, &file}, func() error {
		files[oid] = file
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPlanLeavesTheReplicasOwn has indexes, views and tables on the replica that the master knows nothing of.
func TestPlanLeavesTheReplicasOwn(t *testing.T) {
	srv := pgtest.SharedVersion(t, wording)
	master, replica := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
	run(t, master, "create table t (a int primary key, b varchar(10), c text); create index on t (b); create table gone (x int)")
	a := read(t, master, schema.Options{})
	create(t, replica, a)
	run(t, replica, `
create index own on public.t (b, c);
create schema mine;
create table mine.t (a int references public.t);
create index own2 on public.t (lower(c));
insert into public.t values (1, 'x', 'y')`)
	run(t, master, "alter table t alter b type varchar(20); alter table t rename c to cc; drop table gone; create table t2 (x int); alter table t rename to t3")
	b := read(t, master, schema.Options{})
	execute(t, replica, a, b)
	var left []string
	for _, d := range schema.Diff(b, read(t, replica, schema.Options{})) {
		left = append(left, d.String())
	}
	want := "schema mine: only on replica\ntable mine.t: only on replica\nindex own of public.t3: only on replica\nindex own2 of public.t3: only on replica"
	if got := strings.Join(left, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := rows(t, replica, "select t::text from public.t3 t"); len(got) != 1 || got[0] != "(1,x,y)" {
		t.Errorf("rows: %q", got)
	}
}

// execute brings a replica from a to b, with the transactions that Plan asks for.
func execute(t *testing.T, replica *pgx.Conn, a, b *schema.Model) {
	t.Helper()
	steps, err := schema.Plan(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps.First {
		run(t, replica, s.SQL)
		run(t, replica, s.SQL) // as after a crash
	}
	run(t, replica, "begin")
	for _, s := range steps.Then {
		run(t, replica, s.SQL)
	}
}

// TestPlannedLabelsCanBeUsed uses labels in the transaction that has executed the plan.
func TestPlannedLabelsCanBeUsed(t *testing.T) {
	srv := pgtest.SharedVersion(t, wording)
	master, replica := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
	run(t, master, "create type mood as enum ('a', 'b'); create table t (m mood)")
	a := read(t, master, schema.Options{})
	create(t, replica, a)
	for _, sql := range []string{"alter type mood rename value 'a' to 'x'", "alter type mood add value 'a' before 'b'", "alter type mood add value 'c'",
		`alter type mood rename to "Mood"`, "alter table t alter m set default 'c'", "create index on t (m) where m = 'a'"} {
		run(t, master, sql)
	}
	b := read(t, master, schema.Options{})
	execute(t, replica, a, b)
	run(t, replica, "insert into public.t values ('x'), ('a'), ('b'), ('c'); commit")
	noDifferences(t, schema.Diff(b, read(t, replica, schema.Options{})))
}

// TestRenamingIsQuick makes sure that renaming a column builds no index and copies nothing.
func TestRenamingIsQuick(t *testing.T) {
	srv := pgtest.SharedVersion(t, wording)
	master, replica := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
	run(t, master, `create table t (a int primary key, b text unique, c int check (c > 0), d text default 'x', exclude (d with =), foreign key (c) references t);
create index on t (lower(b), c) where d <> 'y'; create index on t ((c + 1)); create statistics st on b, c from t`)
	a := read(t, master, schema.Options{})
	create(t, replica, a)
	run(t, master, `create schema s; alter table t rename a to a2; alter table t rename b to c2; alter table t rename c to b; alter table t rename c2 to c;
alter table t rename d to "D"; alter table t set schema s; alter table s.t rename to "T"`)
	b := read(t, master, schema.Options{})
	files := func() []string {
		return rows(t, replica, "select string_agg(pg_relation_filenode(oid)::text, ' ' order by oid) from pg_class where oid >= 16384 and relkind in ('r', 'i')")
	}
	before := files()
	execute(t, replica, a, b)
	run(t, replica, "commit")
	if after := files(); after[0] != before[0] {
		t.Errorf("files are %s, were %s", after, before)
	}
	noDifferences(t, schema.Diff(b, read(t, replica, schema.Options{})))
}

// TestPlanRefuses lists what can not be done.
func TestPlanRefuses(t *testing.T) {
	conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, wording)))
	for _, test := range []struct{ name, before, change, want string }{
		{"a view's type in a table, and the view changes",
			"create table t (a int); create view v as select a from t; create table u (x v)",
			"alter view v rename a to b",
			"plan: table public.u: can not stay while view public.v is made again"},
		{"a function's definition in a generated column is replaced",
			"create function f(int) returns int language sql immutable as 'select 1'; create table t (a int, g int generated always as (f(a)) stored)",
			"create or replace function f(int) returns int language sql immutable as 'select 2'",
			"<nil>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTransaction(t, conn, test.before, func() {
				a := read(t, conn, schema.Options{})
				run(t, conn, test.change)
				_, err := schema.Plan(a, read(t, conn, schema.Options{}))
				if got := fmt.Sprint(err); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}
