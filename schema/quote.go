package schema

import "strings"

// Quote joins the parts of a name with dots, each in double quotes where PostgreSQL asks for them:
// Quote("public", "User") is public."User". Like quote_ident, it quotes every keyword that is not free for any use.
func Quote(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		if plainName(part) {
			b.WriteString(part)
			continue
		}
		b.WriteString(`"` + strings.ReplaceAll(part, `"`, `""`) + `"`)
	}
	return b.String()
}

// plainName reports whether a name needs no quotes, on any of the supported major versions.
func plainName(s string) bool {
	if s == "" || keywords[s] {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// literal returns s as a string constant that means the same under either setting of standard_conforming_strings.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// keywords holds the words that quote_ident quotes, those of all supported major versions together.
// https://www.postgresql.org/docs/current/sql-keywords-appendix.html
var keywords = wordSet(`
	all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
	cast char character check coalesce collate collation column concurrently constraint create cross
	current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
	decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
	freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
	interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
	json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
	localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
	only or order out outer overlaps overlay placing position precision primary real references returning right
	row select session_user setof similar smallint some substring symmetric system_user table tablesample then
	time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where
	window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
	xmlserialize xmltable
`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
