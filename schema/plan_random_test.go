package schema_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

var (
	seed   = flag.Uint64("seed", 0, "of the random plans; 0 takes another each time")
	rounds = flag.Int("rounds", 15, "how many random plans are made")
)

// TestRandomPlans does something, plans from what that made to what doing more made of it, and looks whether the plan is right.
func TestRandomPlans(t *testing.T) {
	srv := pgtest.SharedVersion(t, wording)
	master, replica := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for i := range *rounds {
		seed := first + uint64(i)
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			g := &generator{rand.New(rand.NewPCG(seed, 1))}
			for _, conn := range []*pgx.Conn{master, replica} {
				run(t, conn, "rollback; begin; set local search_path = public")
				defer run(t, conn, "rollback")
			}
			run(t, master, "create schema s1")
			var done []string
			attempt := func(n int, statement func() string) {
				for range n {
					sql := statement()
					run(t, master, "savepoint attempt")
					if _, err := master.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
						run(t, master, "rollback to savepoint attempt")
						continue
					}
					run(t, master, "release savepoint attempt")
					done = append(done, sql)
				}
			}
			attempt(20+g.IntN(400), g.statement)
			attempt(8, func() string { return "insert into " + g.table() + " default values; set constraints all immediate" })
			done = append(done, "-- change")
			before := len(done)
			plan := planBetween(t, master, replica, schema.Options{}, func() { attempt(1+g.IntN(150), g.statement) })
			t.Logf("%d statements, then %d", before, len(done)-before)
			if t.Failed() || strings.HasPrefix(plan, "plan: ") {
				t.Errorf("after\n%s;\nthe plan:\n%s", strings.Join(done, ";\n"), plan)
			}
		})
		if !ok {
			t.Fatalf("-seed %d -rounds 1 does it again", seed)
		}
	}
}

// generator makes statements, of which many will fail.
type generator struct{ *rand.Rand }

func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *generator) table() string  { return g.pick("t0", "t1", "t2", "t3", "s1.t0") }
func (g *generator) column() string { return g.pick("a", "b", "c", "d", "e") }
func (g *generator) view() string   { return g.pick("v0", "v1", "v2") }
func (g *generator) kind() string   { return g.pick("e0", "e1", "d0", "d1", "c0") }
func (g *generator) name() string   { return g.pick("x0", "x1", "x2", "x3") }

func (g *generator) columnType() string {
	return g.pick("int", "bigint", "text", "varchar(10)", "varchar(20)", "numeric(8,2)", "e0", "e1", "d0", "c0", "e0[]", "date", "int")
}

func (g *generator) value() string {
	return g.pick("1", "2", "'3'", "null", "'a'", "nextval('q0')", "f0(1)", "now()", "'2024-01-01'")
}

func (g *generator) statement() string {
	// What there is little of is made more often.
	switch g.IntN(36) {
	case 0, 1, 2:
		return fmt.Sprintf("create table %s (%s %s, %s %s default %s, %s int, %s text not null default '1')", g.table(), g.column(), g.columnType(),
			g.column(), g.columnType(), g.value(), g.column(), g.column())
	case 3:
		return g.pick("drop table "+g.table()+g.pick("", " cascade"), "drop view "+g.view()+g.pick("", " cascade"),
			"drop type "+g.kind()+g.pick("", " cascade"), "drop function f0(int)"+g.pick("", " cascade"), "drop sequence q0"+g.pick("", " cascade"))
	case 4:
		return g.pick(
			"alter table "+g.table()+" rename to "+g.pick("t0", "t1", "t2", "t3", "t4"),
			"alter table "+g.table()+" set schema "+g.pick("s1", "public"),
			"alter view "+g.view()+" rename to "+g.pick("v0", "v1", "v2"),
			"alter type "+g.kind()+" rename to "+g.kind(),
			"alter index "+g.name()+" rename to "+g.name())
	case 5, 6:
		return fmt.Sprintf("alter table %s rename %s to %s", g.table(), g.column(), g.column())
	case 7, 8:
		return fmt.Sprintf("alter table %s add %s %s%s", g.table(), g.column(), g.columnType(), g.pick("", "", " default "+g.value(), " default 5 not null"))
	case 9:
		return fmt.Sprintf("alter table %s drop %s%s", g.table(), g.column(), g.pick("", " cascade"))
	case 10, 11:
		c, kind := g.column(), g.columnType()
		return fmt.Sprintf("alter table %s alter %s type %s%s", g.table(), c, kind, g.pick("", " using null", " using "+c+"::text::"+kind))
	case 12:
		return fmt.Sprintf("alter table %s alter %s %s", g.table(), g.column(), g.pick("set not null", "drop not null", "set default "+g.value(), "drop default",
			"set statistics 50", "set statistics -1", "set storage external", "set storage extended", "add generated always as identity", "drop identity", "drop expression"))
	case 13:
		return fmt.Sprintf("alter table %s add %s", g.table(), g.pick("primary key ("+g.column()+")", "constraint "+g.name()+" unique ("+g.column()+")",
			"constraint "+g.name()+" check ("+g.column()+" > "+g.column()+")", "constraint "+g.name()+" check (f0(1) > 0)",
			"constraint "+g.name()+" check ("+g.column()+" is not null) not valid"))
	case 14:
		return fmt.Sprintf("alter table %s add constraint %s foreign key (%s) references %s%s", g.table(), g.name(), g.column(), g.table(), g.pick("", " not valid", " deferrable"))
	case 15:
		return fmt.Sprintf("alter table %s %s constraint %s", g.table(), g.pick("drop", "validate"), g.name())
	case 16:
		return fmt.Sprintf("alter table %s rename constraint %s to %s", g.table(), g.name(), g.name())
	case 17, 18:
		return fmt.Sprintf("create %s index %s on %s (%s%s)", g.pick("", "unique"), g.name(), g.table(), g.pick(g.column(), "f0("+g.column()+")", "("+g.column()+"::text || 'x')"),
			g.pick("", ", "+g.column()))
	case 19:
		return "drop index " + g.pick("", "s1.") + g.name()
	case 20, 21:
		columns := g.column() + ", " + g.column()
		if g.IntN(3) == 0 { // not of views, lest a view reads itself
			return fmt.Sprintf("create or replace view %s as select %s from %s", g.view(), columns, g.table())
		}
		return fmt.Sprintf("create %s view %s as select %s from %s", g.pick("", "materialized"), g.view(), columns, g.pick(g.table(), g.view()))
	case 22, 23:
		return g.pick("create type e0 as enum ('a', 'b')", "create type e1 as enum ('a', 'x', 'y')", "create domain d0 as int check (value > -5)", "create domain d1 as text",
			"create type c0 as (a int, b text)", "create type c0 as (a e0, b d1)")
	case 24:
		return g.pick("alter type e0 rename value 'a' to 'c'", "alter type e0 add value 'n' before 'b'", "alter type e1 add value 'm'", "alter type e1 rename value 'x' to 'a'",
			"alter domain d0 drop constraint d0_check", "alter domain d0 add check (value < 1000)", "alter domain d0 set default 6", "alter domain d0 set not null", "alter domain d0 drop not null")
	case 25:
		return g.pick("alter type c0 add attribute c int", "alter type c0 drop attribute a", "alter type c0 rename attribute a to z", "alter type c0 alter attribute b type varchar")
	case 26, 27:
		return g.pick("create function f0(int) returns int language sql immutable as 'select $1'", "create or replace function f0(int) returns int language sql immutable as 'select $1 + 1'",
			"create function f1("+g.table()+") returns int language sql immutable as 'select 1'", "create function f2("+g.kind()+") returns "+g.kind()+" language sql as 'select null'",
			"create function f3("+g.view()+") returns int language sql as 'select 1'", "alter function f0(int) rename to f4", "alter function f4(int) rename to f0",
			"create function f5() returns bigint begin atomic select count(*) from "+g.table()+" where "+g.column()+" is null; end",
			"create or replace function f5() returns bigint begin atomic select count("+g.column()+") from "+g.table()+"; end")
	case 28:
		return g.pick("create sequence q0", "alter sequence q0 increment 2", "alter sequence q0 owned by "+g.table()+"."+g.column(), "alter sequence q0 owned by none", "alter sequence q0 rename to q1",
			"alter sequence q1 rename to q0")
	case 29:
		return g.pick("create function tf() returns trigger language plpgsql as 'begin return new; end'",
			"create trigger "+g.name()+" before insert on "+g.table()+" for each row execute function tf()", "drop trigger "+g.name()+" on "+g.table(),
			"alter table "+g.table()+" disable trigger "+g.name(), "alter trigger "+g.name()+" on "+g.table()+" rename to "+g.name(),
			"create trigger "+g.name()+" before update on "+g.table()+" for each row when (new."+g.column()+" is null) execute function tf()")
	case 30:
		return g.pick("create policy "+g.name()+" on "+g.table()+" using ("+g.column()+" is null)", "drop policy "+g.name()+" on "+g.table(),
			"alter policy "+g.name()+" on "+g.table()+" rename to "+g.name(), "create rule "+g.name()+" as on delete to "+g.table()+" do also select 1",
			"create statistics "+g.name()+" on "+g.column()+", "+g.column()+" from "+g.table(), "drop statistics "+g.name())
	case 31:
		return g.pick("comment on table "+g.table()+" is 'x'", "comment on column "+g.table()+"."+g.column()+" is "+g.pick("'y'", "null"), "comment on index "+g.name()+" is 'i'",
			"comment on view "+g.view()+" is 'v'", "comment on type "+g.kind()+" is 't'", "comment on constraint "+g.name()+" on "+g.table()+" is 'c'", "comment on function f0(int) is 'f'")
	case 32:
		return fmt.Sprintf("create table %s (%s int, like %s) inherits (%s)", g.table(), g.column(), g.table(), g.table())
	case 33:
		return fmt.Sprintf("alter table %s %s %s", g.table(), g.pick("inherit", "no inherit"), g.table())
	case 34:
		return g.pick(
			fmt.Sprintf("create table %s (%s int, %s text) partition by list (%s)", g.table(), g.column(), g.column(), g.column()),
			fmt.Sprintf("create table %s partition of %s for values in (%d)", g.table(), g.table(), g.IntN(5)),
			fmt.Sprintf("create table %s partition of %s default", g.table(), g.table()),
			fmt.Sprintf("alter table %s detach partition %s", g.table(), g.table()),
			fmt.Sprintf("alter table %s attach partition %s default", g.table(), g.table()))
	}
	return fmt.Sprintf("alter table %s %s", g.table(), g.pick("set (fillfactor = 70)", "set (fillfactor = 80)", "reset (fillfactor)", "set unlogged", "set logged",
		"enable row level security", "disable row level security", "replica identity full", "replica identity default", "alter a set (n_distinct = 3)",
		fmt.Sprintf("add %s int generated always as (%s + 1) stored", g.column(), g.column())))
}
