package schema

import "strings"

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
			if typ := elementType(elements); typ != "" {
				// What stands in the elements may have such casts, too.
				b.WriteString(sql[done:i] + reloadable(elements) + "]::" + typ + "[]")
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

// elementType returns the type of the elements of an array constructor, which is the same for all: that of one that says
// so; empty when none does.
func elementType(elements string) string {
	for elements != "" {
		cast := -1
		end := top(elements, func(i int) bool {
			if strings.HasPrefix(elements[i:], "::") {
				cast = i + 2
			}
			return elements[i] != ','
		})
		one := elements[:end]
		if inner, ok := strings.CutPrefix(strings.TrimSpace(one), "ARRAY["); ok {
			return elementType(inner) // of more dimensions
		}
		if cast >= 0 {
			return withoutModifier(one[cast:])
		}
		elements = strings.TrimPrefix(elements[min(end, len(elements)):], ",")
		if strings.HasPrefix(elements, "]") {
			return ""
		}
	}
	return ""
}

// withoutModifier returns a type, and of an array that of its elements, without what is in parentheses.
func withoutModifier(typ string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(typ); {
		end := max(constantEnd(typ, i), i+1)
		switch typ[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		default:
			if depth == 0 {
				b.WriteString(typ[i:end])
			}
		}
		i = end
	}
	name := strings.TrimSpace(b.String())
	switch {
	case name == "character":
		return "bpchar" // the other would be of length 1
	case name == "bit":
		return `"bit"`
	case strings.HasPrefix(name, "interval "):
		return "interval"
	}
	return name
}
