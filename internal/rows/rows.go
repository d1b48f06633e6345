// Package rows writes the rows of changes as the scripts of tests show them: values
// in parentheses with blanks between, as in (1 null * "").
//
// null and * are null and unchanged; an empty value, and one with blanks, quotes or
// parentheses or that would be read as something else, is quoted as in Go; a binary
// one has b before the quotes.
package rows

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pgbridge/pgbridge/change"
)

// Parse reads a row.
func Parse(s string) (change.Tuple, error) {
	inner, open := strings.CutPrefix(s, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !open || !closed {
		return nil, fmt.Errorf("%s is not a row", s)
	}
	row := change.Tuple{}
	for inner = strings.TrimLeft(inner, " "); inner != ""; inner = strings.TrimLeft(inner, " ") {
		v := change.Value{Kind: change.Text}
		if strings.HasPrefix(inner, `b"`) {
			v.Kind, inner = change.Binary, inner[1:]
		}
		var word string
		if strings.HasPrefix(inner, `"`) {
			quoted, err := strconv.QuotedPrefix(inner)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s, err)
			}
			inner = inner[len(quoted):]
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("%s: %w", s, err)
			}
		} else {
			word, inner, _ = strings.Cut(inner, " ")
			switch word {
			case "null":
				v.Kind = change.Null
			case "*":
				v.Kind = change.Unchanged
			}
		}
		if v.Kind == change.Text || v.Kind == change.Binary {
			v.Data = []byte(word)
		}
		row = append(row, v)
	}
	return row, nil
}

// String writes a row.
func String(row change.Tuple) string {
	values := make([]string, len(row))
	for i, v := range row {
		s := string(v.Data)
		switch {
		case v.Kind == change.Null:
			values[i] = "null"
		case v.Kind == change.Unchanged:
			values[i] = "*"
		case v.Kind == change.Binary:
			values[i] = "b" + strconv.Quote(s)
		case s == "" || s == "null" || s == "*" || strings.ContainsAny(s, " ()") || strconv.Quote(s) != `"`+s+`"`:
			values[i] = strconv.Quote(s)
		default:
			values[i] = s
		}
	}
	return "(" + strings.Join(values, " ") + ")"
}
