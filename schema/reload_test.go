package schema

import "testing"

func TestReloadable(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`check ((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))`,
			`check ((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[]))`},
		{`check ((v)::text = ANY (ARRAY[('a'::character varying)::text]))`, ``},
		{`(ARRAY['a'::character varying]::character varying[])::text[]`, ``},
		{`(ARRAY[NULL::"odd, type"])::text[]`, `(ARRAY[NULL::"odd, type"]::"odd, type"[])::text[]`},
		{`(ARRAY[lower(a), NULL::"odd, type"])::text[]`, `(ARRAY[lower(a), NULL::"odd, type"]::anyarray)::text[]`},
		{`(ARRAY['a'::character varying, 'b'::character varying(3)])::text[]`,
			`(ARRAY['a'::character varying, 'b'::character varying(3)]::anyarray)::text[]`},
		{`(ARRAY[a, 'b'::character varying(2), 'b'::character varying(3)])::text[]`,
			`(ARRAY[a, 'b'::character varying(2), 'b'::character varying(3)]::anyarray)::text[]`},
		{`(ARRAY[a, 'b'::character varying(3)])::text[]`, ``},
		{`(ARRAY[CASE WHEN a THEN 'b'::character varying ELSE 'c'::character varying END])::text[]`, ``},
		{`(ARRAY[a::numeric(3,1) + b, a + b::numeric(3,1)])::integer[]`, ``},
		{`(ARRAY[a::character varying(3) COLLATE "C"])::text[]`, ``},
		{`(ARRAY['1 day'::interval day])::text[]`, `(ARRAY['1 day'::interval day]::interval day[])::text[]`},
		{`(ARRAY[a, '1 day'::interval day])::text[]`, ``},
		{`(ARRAY[a, b::time(3) without time zone])::text[]`, ``},
		{`(ARRAY[a, b])::text[]`, ``},
		{`(ARRAY['])::text[]'::character varying(10)])::text[]`, `(ARRAY['])::text[]'::character varying(10)]::character varying(10)[])::text[]`},
		{`(ARRAY['1'::bit(2)])::text[]`, `(ARRAY['1'::bit(2)]::bit(2)[])::text[]`},
		{`(ARRAY[('a'::text)::character(3)])::text[]`, `(ARRAY[('a'::text)::character(3)]::character(3)[])::text[]`},
		{`(ARRAY[('x'::text)::timestamp(3) with time zone])::text[]`, `(ARRAY[('x'::text)::timestamp(3) with time zone]::timestamp(3) with time zone[])::text[]`},
		{`(ARRAY[ARRAY['a'::character varying], ARRAY['b'::character varying]])::text[]`,
			`(ARRAY[ARRAY['a'::character varying], ARRAY['b'::character varying]]::character varying[])::text[]`},
		{`(ARRAY[f((ARRAY['a'::character varying])::text[]), 'b'::character varying])::text[]`,
			`(ARRAY[f((ARRAY['a'::character varying]::character varying[])::text[]), 'b'::character varying]::anyarray)::text[]`},
		{`create function f() as $$ (ARRAY['a'::character varying])::text[] $$`, ``},
		{`comment on table t is '(ARRAY[1::x])::text[]'`, ``},
		{`(ARRAY[`, ``},
		{`(ARRAY['a'::x`, ``},
	} {
		want := c.want
		if want == "" {
			want = c.sql
		}
		if got := reloadable(c.sql); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, want)
		}
		if got := reloadable(want); got != want {
			t.Errorf("%s\nagain %s", want, got)
		}
	}
}
