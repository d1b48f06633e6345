package schema

import "testing"

func TestSettled(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`(ARRAY['a'::character varying(3), b])::text[]`, `ARRAY[('a'::character varying(3))::text, (b)::text]`},
		{`(ARRAY[ARRAY[a, b], ARRAY[(ARRAY[c])[1], d]])::text[]`, `ARRAY[ARRAY[(a)::text, (b)::text], ARRAY[((ARRAY[c])[1])::text, (d)::text]]`},
		{`ARRAY[ARRAY[a], ARRAY[b]]::text[]`, `ARRAY[ARRAY[a::text], ARRAY[b::text]]`},
		{`ARRAY[ARRAY[a], b]`, `ARRAY[ARRAY[a], b]`},
	} {
		if got := settled(c.text); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
		if got := settled(c.want); got != c.want {
			t.Errorf("%s\nagain %s", c.want, got)
		}
	}
}

func TestOtherCastsOfElementsAreDifferences(t *testing.T) {
	const text = `(ARRAY['a'::character varying, 'bcde'::character varying(3)])::text[]`
	for _, other := range []string{
		`(ARRAY['a'::character varying, 'bcde'::character varying(2)])::text[]`,
		`(ARRAY['a'::character varying, 'bcde'::character varying])::text[]`,
		`(ARRAY['a'::character varying, ('bcde'::character varying(3))::character varying(2)])::text[]`,
		`(ARRAY['a'::character varying, 'bcde'::character varying(3)])::character varying[]`,
	} {
		if sameText(text, other) {
			t.Errorf("no difference between\n%s\n%s", text, other)
		}
	}
}
