package config

import "strings"

// Tables says which tables are replicated, by patterns of schema.table.
//
// In a pattern * stands for any characters, also none, and ? for one. Names are compared as they stand in the
// catalog: case counts and there are no quotes. The first dot separates schema from table.
//
//   - every table of every user schema
//     sales.*        every table of schema sales
//     *.audit_?      audit_1, audit_2 … of every schema
//     orders         public.orders: a pattern without a dot means schema public
//
// System schemas (pg_…, information_schema) and our own schema, bridge, never match.
type Tables struct {
	Include []string // none means "*"
	Exclude []string // wins over Include
}

// Match reports whether the table is replicated. It is safe for concurrent use.
func (t Tables) Match(schema, table string) bool {
	if neverReplicated(schema) {
		return false
	}
	for _, p := range t.Exclude {
		if matchPattern(p, schema, table) {
			return false
		}
	}
	for _, p := range t.Include {
		if matchPattern(p, schema, table) {
			return true
		}
	}
	return len(t.Include) == 0
}

func neverReplicated(schema string) bool {
	return schema == "bridge" || schema == "information_schema" || strings.HasPrefix(schema, "pg_")
}

func matchPattern(pattern, schema, table string) bool {
	if pattern == "*" {
		return true
	}
	s, t := splitPattern(pattern)
	return glob([]rune(s), []rune(schema)) && glob([]rune(t), []rune(table))
}

func splitPattern(pattern string) (schema, table string) {
	schema, table, found := strings.Cut(pattern, ".")
	if !found {
		return "public", pattern
	}
	return schema, table
}

// glob takes time in proportion to len(pattern) × len(name) at worst: only the last * is ever tried again.
func glob(pattern, name []rune) bool {
	p, n := 0, 0
	star, from := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// checkPattern says what is wrong with a pattern, and what to do; nothing when it is good.
func checkPattern(pattern string, include bool) (problem, hint string) {
	const form = "write schema.table, with * for any characters and ? for one"
	schema, table := splitPattern(pattern)
	switch {
	case pattern == "*":
		return "", ""
	case schema == "" || table == "":
		return "lacks a schema or a table", form
	case strings.ContainsRune(pattern, '"'):
		return "contains a quote", "write names as they stand in the catalog, without quotes; ? matches any one character"
	case include && neverReplicated(schema):
		return "names a schema that is never replicated", "remove it: system schemas and schema bridge stay on their server"
	}
	return "", ""
}
