package schema

import (
	"regexp"
	"strings"
)

// The text of an expression, made again from what PostgreSQL writes of it, comes out the same, but for one:
//
//	v in ('a', 'b')                                                       as the user wrote it, on a varchar
//	v::text = ANY ((ARRAY['a'::varchar, 'b'::varchar])::text[])           as PostgreSQL writes that
//	v::text = ANY (ARRAY[('a'::varchar)::text, ('b'::varchar)::text])     when it has read what it wrote
//
// A cast of ARRAY[…] is read as one of its elements. Of statistics it is written without needless parentheses.

const array = "ARRAY["

// castTo matches, behind the elements, what they are cast to.
var castTo = regexp.MustCompile(`^\]\)?::((?:"(?:[^"]|"")*"|[\w$. ]|\([\d, ]*\))+)\[\]`)

// sameText reports whether two definitions are the same, perhaps one loaded again.
func sameText(a, b string) bool { return a == b || settled(a) == settled(b) }

// sameDefinition is sameText for objects.
func sameDefinition(o, p *Object) bool {
	return sameText(o.Definition, p.Definition) ||
		o.Kind == KindStatistics && noise.Replace(settled(o.Definition)) == noise.Replace(settled(p.Definition))
}

// settled returns the text of a definition as PostgreSQL writes it from the second time on.
func settled(text string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, array)
		if at < 0 {
			break
		}
		list, rest := elements(text[at+len(array):])
		cast := castTo.FindStringSubmatch(rest)
		inside := strings.HasPrefix(rest, "])")
		if cast == nil || list[0] == "" || inside && !strings.HasSuffix(text[:at], "(") {
			b.WriteString(text[:at+len(array)])
			text = text[at+len(array):]
			continue
		}
		before, open, shut := text[:at], "", ""
		if inside {
			before, open, shut = text[:at-1], "(", ")"
		}
		b.WriteString(before + array)
		for i, e := range list {
			if i > 0 {
				b.WriteString(", ")
			}
			if inner, ok := strings.CutPrefix(e, array); ok {
				if _, end := elements(inner); end == "]" { // of more dimensions
					b.WriteString(settled(open + e + shut + "::" + cast[1] + "[]"))
					continue
				}
			}
			b.WriteString(open + settled(e) + shut + "::" + cast[1])
		}
		b.WriteString("]")
		text = rest[len(cast[0]):]
	}
	b.WriteString(text)
	return b.String()
}

// elements splits what stands in brackets at its commas. rest begins with the bracket that closes; it is empty where
// there is none.
func elements(text string) (list []string, rest string) {
	depth, from := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"': // doubled inside: two texts side by side
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return nil, ""
			}
			i += end + 1
		case c == '(' || c == '[':
			depth++
		case c == ',' && depth == 0:
			list = append(list, strings.TrimSpace(text[from:i]))
			from = i + 1
		case (c == ')' || c == ']') && depth > 0:
			depth--
		case c == ']':
			return append(list, strings.TrimSpace(text[from:i])), text[i:]
		case c == ')':
			return nil, ""
		}
	}
	return nil, ""
}
