package schema

import "testing"

func TestReloadable(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`check ((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))`,
			`check ((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[]))`},
		{`check ((v)::text = ANY (ARRAY[('a'::character varying)::text]))`, ``},
		{`(ARRAY['a'::character varying]::character varying[])::text[]`, ``},
		{`(ARRAY[lower(a), NULL::"odd, type"])::text[]`, `(ARRAY[lower(a), NULL::"odd, type"]::"odd, type"[])::text[]`},
		{`(ARRAY[a, b])::text[]`, ``},
		{`(ARRAY['])::text[]'::character varying(10)])::text[]`, `(ARRAY['])::text[]'::character varying(10)]::character varying[])::text[]`},
		{`(ARRAY['1'::bit(2)])::text[]`, `(ARRAY['1'::bit(2)]::"bit"[])::text[]`},
		{`(ARRAY[('a'::text)::character(3)])::text[]`, `(ARRAY[('a'::text)::character(3)]::bpchar[])::text[]`},
		{`(ARRAY[('x'::text)::timestamp(3) with time zone])::text[]`, `(ARRAY[('x'::text)::timestamp(3) with time zone]::timestamp with time zone[])::text[]`},
		{`(ARRAY[ARRAY['a'::character varying], ARRAY['b'::character varying]])::text[]`,
			`(ARRAY[ARRAY['a'::character varying], ARRAY['b'::character varying]]::character varying[])::text[]`},
		{`(ARRAY[f((ARRAY['a'::character varying])::text[]), 'b'::character varying])::text[]`,
			`(ARRAY[f((ARRAY['a'::character varying]::character varying[])::text[]), 'b'::character varying]::character varying[])::text[]`},
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
