package schema

import (
	"regexp"
	"strings"
)

// reloadable returns a statement in which what a server has rendered is read as what it was.
//
// For most expressions that is so, but a cast of an array constructor, (ARRAY['a'::character varying])::text[], is read as
// one of its elements, and is then another expression, rendered as ARRAY[('a'::character varying)::text]. That is what
// became of v in ('a') where v is a varchar. With a cast to what it is already, the constructor is left alone.
func reloadable(sql string) string {
	const begin = "(ARRAY["
	if !strings.Contains(sql, begin) {
		return sql
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(sql); {
		if end := constantEnd(sql, i); end > i {
			i = end
			continue
		}
		if !strings.HasPrefix(sql[i:], begin) {
			i++
			continue
		}
		i += len(begin)
		elements, ok := cutElements(sql[i:])
		if end := i + len(elements) + 1; ok && strings.HasPrefix(sql[end:], ")::") {
			if typ := ownType(elements); typ != "" {
				// What stands in the elements may have such casts, too.
				b.WriteString(sql[done:i] + reloadable(elements) + "]::" + typ)
				i, done = end, end
			}
		}
	}
	return b.String() + sql[done:]
}

// constantEnd returns where what is in quotes or dollars is over, if it begins at i, or else i.
func constantEnd(s string, i int) int {
	switch s[i] {
	case '\'', '"':
		return quoteEnd(s, i)
	case '$':
		if tag := strings.IndexByte(s[i+1:], '$'); tag >= 0 {
			mark := s[i : i+tag+2]
			if length := strings.Index(s[i+len(mark):], mark); length >= 0 {
				return i + length + 2*len(mark)
			}
		}
	}
	return i
}

// top calls f with the places in s that are in no constant, parentheses or brackets, until it returns false or s is over,
// or the brackets around s are closed, where it returns.
func top(s string, f func(i int) bool) int {
	depth := 0
	for i := 0; i < len(s); {
		if end := constantEnd(s, i); end > i {
			i = end
			continue
		}
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth < 0 {
				return i
			}
		default:
			if depth == 0 && !f(i) {
				return i
			}
		}
		i++
	}
	return len(s)
}

// cutElements returns what stands before the bracket that closes an array constructor.
func cutElements(s string) (string, bool) {
	end := top(s, func(int) bool { return true })
	return s[:end], end < len(s) && s[end] == ']'
}

// ownType returns a type to which an array constructor can be cast without a change of any element; empty when there is
// none for sure, and the constructor is to be read as it stands.
//
// All elements are of one type, but their modifiers may differ: a cast to the type without one would cast those that have
// one. A cast to anyarray leaves all alone, but fails where all have the same.
func ownType(elements string) string {
	types, silent := elementTypes(elements)
	if len(types) == 0 {
		return ""
	}
	same, bare := true, false
	for _, t := range types {
		same = same && t == types[0]
		bare = bare || !modified(t)
	}
	switch {
	case same && !silent:
		return types[0] + "[]"
	case !same || bare:
		return "anyarray"
	}
	return ""
}

// writtenType matches a type as a server writes it, with all its modifiers. Outside of quotes, only keywords that are not of
// a type have capitals.
var writtenType = regexp.MustCompile(`^((?:"(?:[^"]|"")*"|[a-z0-9_$. ]|\([^()]*\))+)(?:\[\])*$`)

// elementTypes returns the types of the elements that are casts or constants and so say theirs, and whether others don't.
func elementTypes(elements string) (types []string, silent bool) {
	for elements != "" {
		end := top(elements, func(i int) bool { return elements[i] != ',' })
		one := strings.TrimSpace(elements[:end])
		elements = strings.TrimPrefix(elements[end:], ",")
		if inner, ok := strings.CutPrefix(one, "ARRAY["); ok {
			if list, ok := cutElements(inner); ok && len(list)+1 == len(inner) { // of more dimensions
				more, quiet := elementTypes(list)
				types, silent = append(types, more...), silent || quiet
				continue
			}
		}
		// A space before the cast is one of an operator or of CASE.
		cast := top(one, func(i int) bool { return one[i] != ' ' && one[i] != '\n' && !strings.HasPrefix(one[i:], "::") })
		typ, ok := strings.CutPrefix(one[cast:], "::")
		if match := writtenType.FindStringSubmatch(typ); ok && match != nil {
			types = append(types, match[1])
		} else {
			silent = true
		}
	}
	return types, silent
}

// modified reports whether a type has a modifier.
func modified(typ string) bool {
	return strings.HasSuffix(typ, ")") || strings.Contains(typ, ") with") || strings.HasPrefix(typ, "interval ")
}
