package postgres

import "github.com/pgbridge/pgbridge/change"

// appendElement appends an element of an array's text form.
// See https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
func appendElement(b []byte, v change.Value) []byte {
	if v.Kind != change.Text {
		return append(b, "NULL"...)
	}
	b = append(b, '"')
	for _, c := range v.Data {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// appendCopyRow appends a row in the text format of COPY.
// See https://www.postgresql.org/docs/current/sql-copy.html
func appendCopyRow(b []byte, row change.Tuple) []byte {
	for i := range row {
		if i > 0 {
			b = append(b, '\t')
		}
		if row[i].Kind != change.Text {
			b = append(b, `\N`...)
			continue
		}
		data, done := row[i].Data, 0
		for n, c := range data {
			if c > '\r' && c != '\\' {
				continue
			}
			switch c {
			case '\n':
				c = 'n'
			case '\r':
				c = 'r'
			case '\t':
				c = 't'
			case '\\':
			default:
				continue
			}
			b = append(append(b, data[done:n]...), '\\', c)
			done = n + 1
		}
		b = append(b, data[done:]...)
	}
	return append(b, '\n')
}
