package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

func TestIndexesThatCanBeMadeLater(t *testing.T) {
	conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, wording)))
	run(t, conn, `
		create table t (id int primary key, v text);
		create table p (id int, v text) partition by range (id);
		create table q partition of p for values from (0) to (10);
		create table loud (id int, v text);
		create table loud_p (id int, v text) partition by range (id);
		create table loud_q partition of loud_p for values from (0) to (10);
		create function f() returns trigger language plpgsql as 'begin return new; end';
		create trigger g before update on loud for each row execute function f();
		create trigger g before update on loud_p for each row execute function f();
		alter table loud enable always trigger g;
		alter table loud_p enable always trigger g;
		create materialized view m as select 1 as v`)
	before := read(t, conn, schema.Options{})
	run(t, conn, `
		create index plain on t (v);
		comment on index plain is 'about v';
		create index expression on t ((v || 'x')) where id > 5;
		alter index expression alter column 1 set statistics 77;
		create index altogether on p (v);
		create index of_partition on q (id);
		create unique index once on t (v);
		create index clustered on t (id, v);
		alter table t cluster on clustered;
		create index of_view on m (v);
		create index of_loud on loud (v);
		create index of_loud_partition on loud_q (v);
		comment on table t is 'else'`)
	after := read(t, conn, schema.Options{})
	plan, err := schema.Plan(before, after)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for o, l := range plan.Later(after) {
		if o == l.Index {
			got = append(got, strings.Join(l.Statements, "; "))
		} else if o.Kind != schema.KindComment {
			t.Errorf("%s waits with %s", o, l.Index)
		}
	}
	slices.Sort(got)
	want := []string{
		`CREATE INDEX expression ON public.t USING btree (((v || 'x'::text))) WHERE (id > 5); alter index public.expression alter column 1 set statistics 77`,
		`CREATE INDEX of_partition ON public.q USING btree (id)`,
		`CREATE INDEX plain ON public.t USING btree (v); comment on index public.plain is 'about v'`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// Without them the plan makes them again, and nothing else.
	less := after.Without(func(o *schema.Object) bool {
		return o.Kind == schema.KindIndex && (o.Name == "plain" || o.Name == "expression")
	})
	if plan, err = schema.Plan(less, after); err != nil {
		t.Fatal(err)
	}
	if n := len(plan.Then); n != 4 {
		t.Errorf("%d statements, want 4: %v", n, plan.Then)
	}
	if plan, err = schema.Plan(less, less); err != nil || len(plan.Then) > 0 {
		t.Errorf("a plan from a schema to itself: %v, %v", plan, err)
	}
}
