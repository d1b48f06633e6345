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
		for _, c := range row[i].Data {
			switch c {
			case '\\':
				b = append(b, `\\`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, c)
			}
		}
	}
	return append(b, '\n')
}
