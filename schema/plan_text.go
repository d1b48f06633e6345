package schema

import "strings"

// token is a word of SQL. Names come without their quotes, so that a and "a" are the same word.
type token struct {
	kind tokenKind
	text string
}

type tokenKind byte

const (
	tokenName    tokenKind = iota // also keywords
	tokenString                   // a constant in quotes, with the quotes doubled as they stood
	tokenDollars                  // a constant in dollars: the body of a function
	tokenOther                    // a number, a sign
)

// tokens splits what a server has rendered, which has no comments outside of constants.
func tokens(s string) []token {
	var list []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t':
			i++
		case c == '"' || c == '\'':
			end := quoteEnd(s, i)
			text := s[i+1 : max(i+1, end-1)]
			if c == '"' {
				list = append(list, token{tokenName, strings.ReplaceAll(text, `""`, `"`)})
			} else {
				list = append(list, token{tokenString, text})
			}
			i = end
		case wordStart(c):
			end := i
			for end < len(s) && (wordStart(s[end]) || s[end] >= '0' && s[end] <= '9' || s[end] == '$') {
				end++
			}
			list = append(list, token{tokenName, s[i:end]})
			i = end
		case c == '$':
			if tag := strings.IndexByte(s[i+1:], '$'); tag >= 0 {
				mark := s[i : i+tag+2]
				if length := strings.Index(s[i+len(mark):], mark); length >= 0 {
					end := i + length + 2*len(mark)
					list = append(list, token{tokenDollars, s[i:end]})
					i = end
					continue
				}
			}
			list = append(list, token{tokenOther, "$"})
			i++
		default:
			list = append(list, token{tokenOther, s[i : i+1]})
			i++
		}
	}
	return list
}

func wordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoteEnd returns where the quoted text that begins at i is over. Backslashes are doubled in what servers render,
// where they could hide a quote.
func quoteEnd(s string, i int) int {
	quote := s[i]
	escapes := quote == '\'' && i > 0 && (s[i-1] == 'E' || s[i-1] == 'e')
	for k := i + 1; k < len(s); k++ {
		switch {
		case escapes && s[k] == '\\':
			k++
		case s[k] != quote:
		case k+1 < len(s) && s[k+1] == quote:
			k++
		default:
			return k + 1
		}
	}
	return len(s)
}

// renamed is a name and what it is after the plan.
type renamed struct{ from, to string }

// renames is what the words of a definition may have turned into, when nothing but names has changed.
type renames struct {
	names, labels map[renamed]bool
	columns       []map[renamed]bool // of the tables that the definition can speak of
}

// explain reports whether a text is another one with names replaced.
func (r *renames) explain(from, to string) bool {
	if from == to {
		return true
	}
	a, b := tokens(from), tokens(to)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if a[i].kind != b[i].kind {
			return false
		}
		pair := renamed{a[i].text, b[i].text}
		switch a[i].kind {
		case tokenName:
			if !r.name(pair) {
				return false
			}
		case tokenString:
			// A constant that is a label, or the name of a relation as in nextval('a.b'::regclass).
			if !r.labels[pair] && !r.qualified(a[i].text, b[i].text) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (r *renames) name(pair renamed) bool {
	if r.names[pair] {
		return true
	}
	for _, columns := range r.columns {
		if columns[pair] {
			return true
		}
	}
	return false
}

func (r *renames) qualified(from, to string) bool {
	a, b := tokens(from), tokens(to)
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (a[i].kind != tokenName || b[i].kind != tokenName || !r.names[renamed{a[i].text, b[i].text}]) {
			return false
		}
	}
	return true
}

// lastName returns the last part of a qualified name.
func lastName(s string) string {
	list := tokens(s)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].text
}
