package master

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/config"
)

// The patterns are read in three places: by config, by the doctor, and by the event triggers in SQL.
func TestPatternsMeanTheSameEverywhere(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.init()
		lists := []config.Tables{
			{}, {Include: []string{"*"}}, {Include: []string{"sales.*"}}, {Include: []string{"orders"}}, {Include: []string{"ord*", "x?"}},
			{Include: []string{"a.t_?"}}, {Include: []string{"*.a_b"}}, {Include: []string{"a.b.c"}}, {Include: []string{`a.[x]`, `a.x\y`, "a.100%", "a.b!c"}},
			{Exclude: []string{"*.audit*"}}, {Include: []string{"*"}, Exclude: []string{"sales.*", "t"}}, {Include: []string{"bridge.*", "pg_catalog.*"}},
			{Include: []string{"S.T*"}}, {Include: []string{"*.*b*c"}}, {Exclude: []string{"*"}}, {Include: []string{"a?.*"}},
		}
		tables := strings.Fields(`public.orders sales.orders public.ord public.xy public.xyz a.t_1 a.t_ß a.tx1 a.t_ a.a_b a.axb a.b.c a.[x] a.x a.x\y
			a.100% a.1000 a.b!c a.audit sales.audit_1 public.t bridge.setting pg_catalog.pg_class information_schema.tables S.T s.t
			x.xbxcxbxc x.xbxcx a1.q aß.q`)
		for _, list := range lists {
			o := Options{Include: list.Include, Exclude: list.Exclude}.withDefaults()
			rows, err := m.Query(t.Context(), `
				select bridge.matches(split_part(name, '.', 1), substr(name, strpos(name, '.') + 1), $2, $3)
				from unnest($1::text[]) with ordinality as u (name, n)
				order by n`, tables, o.Include, o.Exclude)
			if err != nil {
				t.Fatal(err)
			}
			inSQL, err := pgx.CollectRows(rows, pgx.RowTo[bool])
			if err != nil {
				t.Fatal(err)
			}
			matcher := newMatcher(o)
			for i, name := range tables {
				schema, table, _ := strings.Cut(name, ".")
				want := list.Match(schema, table)
				if got := matcher.match(schema, table); got != want {
					t.Errorf("%+v: the doctor says %v of %s, config %v", list, got, name, want)
				}
				if inSQL[i] != want {
					t.Errorf("%+v: bridge.matches says %v of %s, config %v", list, inSQL[i], name, want)
				}
			}
		}
	})
}
