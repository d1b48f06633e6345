package master

import (
	"regexp"
	"strings"
)

// matcher tells which tables the patterns mean, before bridge.matches is there to be asked.
type matcher struct {
	include, exclude []pattern
}

type pattern struct{ schema, table *regexp.Regexp }

func newMatcher(o Options) matcher {
	return matcher{include: compile(o.Include), exclude: compile(o.Exclude)}
}

func compile(list []string) []pattern {
	glob := func(s string) *regexp.Regexp {
		s = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(s))
		return regexp.MustCompile(`(?s)^` + s + `$`) // quoted, it always compiles
	}
	patterns := make([]pattern, len(list))
	for i, p := range list {
		schema, table, dotted := strings.Cut(p, ".")
		switch {
		case p == "*":
			schema, table = "*", "*"
		case !dotted:
			schema, table = "public", p
		}
		patterns[i] = pattern{glob(schema), glob(table)}
	}
	return patterns
}

func (m matcher) match(schema, table string) bool {
	if schema == "bridge" || schema == "information_schema" || strings.HasPrefix(schema, "pg_") {
		return false
	}
	in := func(list []pattern) bool {
		for _, p := range list {
			if p.schema.MatchString(schema) && p.table.MatchString(table) {
				return true
			}
		}
		return false
	}
	return !in(m.exclude) && (len(m.include) == 0 || in(m.include))
}
