package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
	"github.com/pgbridge/pgbridge/internal/rows"
)

var textRows = []change.Tuple{
	{{Kind: change.Text, Data: []byte("1")}, {Kind: change.Null}, {Kind: change.Text, Data: []byte{}}},
	{{Kind: change.Text, Data: []byte(`\N`)}, {Kind: change.Text, Data: []byte("NULL")}, {Kind: change.Text, Data: []byte(`\.`)}},
	{{Kind: change.Text, Data: []byte("tab\tline\nreturn\rback\\slash")}, {Kind: change.Text, Data: []byte(`"quoted", {braced}`)}, {Kind: change.Text, Data: []byte(" blank ")}},
	{{Kind: change.Text, Data: []byte("\b\f\v\x01\x7f")}, {Kind: change.Text, Data: []byte("Ünïcode ✓")}, {Kind: change.Text, Data: []byte(`\\x00`)}},
	{},
}

func TestTextFormsAreGolden(t *testing.T) {
	var b strings.Builder
	for _, row := range textRows {
		fmt.Fprintf(&b, "%s\n  copy  %q\n", rows.String(row), appendCopyRow(nil, row))
		for _, v := range row {
			fmt.Fprintf(&b, "  array %q\n", appendElement(nil, v))
		}
	}
	gold.Text(t, "text.txt", b.String())
}

// readCopyRow reads a row as the documentation of COPY has it.
func readCopyRow(b []byte) (row change.Tuple, rest []byte, err error) {
	v := change.Value{Kind: change.Text}
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '\n':
			return append(row, v), b[i+1:], nil
		case '\t':
			row = append(row, v)
			v = change.Value{Kind: change.Text}
		case '\r':
			return nil, nil, errors.New("a carriage return stands alone")
		case '\\':
			i++
			if i == len(b) {
				return nil, nil, errors.New("the row ends behind a backslash")
			}
			switch b[i] {
			case 'N':
				v.Kind = change.Null
			case 'n':
				v.Data = append(v.Data, '\n')
			case 'r':
				v.Data = append(v.Data, '\r')
			case 't':
				v.Data = append(v.Data, '\t')
			case '\\':
				v.Data = append(v.Data, '\\')
			default:
				return nil, nil, fmt.Errorf("unknown escape %q", b[i])
			}
		default:
			v.Data = append(v.Data, c)
		}
	}
	return nil, nil, errors.New("the row does not end")
}

// readArray reads a one-dimensional array as the documentation has it.
func readArray(b []byte, delimiter byte) (row change.Tuple, err error) {
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return nil, errors.New("no braces")
	}
	b = b[1 : len(b)-1]
	for len(b) > 0 {
		v := change.Value{Kind: change.Text}
		if after, ok := bytes.CutPrefix(b, []byte("NULL")); ok {
			v.Kind, b = change.Null, after
		} else {
			if b[0] != '"' {
				return nil, fmt.Errorf("element %q is not quoted", b)
			}
			i := 1
			for ; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
				if i == len(b) {
					break
				}
				v.Data = append(v.Data, b[i])
			}
			if i >= len(b) {
				return nil, errors.New("an element does not end")
			}
			b = b[i+1:]
		}
		row = append(row, v)
		if len(b) == 0 {
			break
		}
		if b[0] != delimiter || len(b) == 1 {
			return nil, fmt.Errorf("%q stands between elements", b)
		}
		b = b[1:]
	}
	return row, nil
}

func sameRow(a, b change.Tuple) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

// split makes a row of a fuzzer's bytes: values end with a zero, which text never has,
// and one that begins with 1 is null.
func split(b []byte) (row change.Tuple) {
	for _, data := range bytes.Split(b, []byte{0}) {
		if len(data) > 0 && data[0] == 1 {
			row = append(row, change.Value{Kind: change.Null})
		} else {
			row = append(row, change.Value{Kind: change.Text, Data: data})
		}
	}
	return row
}

func seeds(f *testing.F) {
	for _, row := range textRows {
		var b []byte
		for _, v := range row {
			b = append(append(b, v.Data...), 0)
		}
		f.Add(b)
	}
	f.Add([]byte("\x01\x00a\x00\x01"))
}

func FuzzCopyRow(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		row := split(b)
		text := appendCopyRow(appendCopyRow(nil, row), row)
		if bytes.Equal(text, []byte("\\.\n")) {
			t.Fatal("the row reads as the end of the data")
		}
		for range 2 {
			var got change.Tuple
			var err error
			if got, text, err = readCopyRow(text); err != nil || !sameRow(got, row) {
				t.Fatalf("%s came back as %s, %v", rows.String(row), rows.String(got), err)
			}
		}
		if len(text) > 0 {
			t.Fatalf("%q is left", text)
		}
	})
}

func FuzzElement(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		row := split(b)
		for _, delimiter := range []byte{',', ';'} {
			array := columnArray(columnOf(row), 0, delimiter)
			got, err := readArray(array, delimiter)
			if err != nil || !sameRow(got, row) {
				t.Fatalf("%s became %s and came back as %s, %v", rows.String(row), array, rows.String(got), err)
			}
		}
	})
}

// columnOf makes rows of one column.
func columnOf(values change.Tuple) (rows []change.Tuple) {
	for i := range values {
		rows = append(rows, values[i:i+1])
	}
	return rows
}

// An array of a type with another delimiter, of columns that can not be unnested, of no rows.
func TestColumnArrays(t *testing.T) {
	tbl := newTable(1, "d", "id", "box", "tags")
	for i := range tbl.columns {
		tbl.columns[i].oid = pgtype.BoxOID // has no binary form here
	}
	tbl.columns[1].delimiter = ';'
	tbl.columns[2].elements, tbl.columns[2].delimiter = false, ';' // sent as text[], whose delimiter is a comma
	for _, c := range []struct {
		rows    []string
		columns []int
		want    []string
	}{
		{[]string{"(1 a b)", `(2 null "{x,\"y\"}")`}, []int{0, 1, 2}, []string{`{"1","2"}`, `{"a";NULL}`, `binary [b {x,"y"}]`}},
		{[]string{"(1 a b)", "(2 a null)"}, []int{2, 0}, []string{`binary [b null]`, `{"1","2"}`}},
		{nil, []int{0, 2}, []string{`{}`, `{}`}},
	} {
		var list []change.Tuple
		for _, r := range c.rows {
			list = append(list, parseRow(t, r))
		}
		formats, params := tbl.columnArrays(list, c.columns)
		for i := range params {
			got := string(params[i])
			if formats[i] == pgx.BinaryFormatCode {
				got = "binary " + readBinary[string](t, pgtype.TextArrayOID, params[i])
			}
			if got != c.want[i] {
				t.Errorf("%v: got %s, want %s", c.rows, got, c.want[i])
			}
		}
	}
}

// readBinary has pgx read an array in binary form, as values of T.
func readBinary[T any](t testing.TB, oid uint32, array []byte) string {
	t.Helper()
	var values []*T
	if err := pgtype.NewMap().Scan(oid, pgx.BinaryFormatCode, array, &values); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, v := range values {
		if v == nil {
			words = append(words, "null")
		} else {
			words = append(words, fmt.Sprint(*v))
		}
	}
	return "[" + strings.Join(words, " ") + "]"
}

func TestBinaryArray(t *testing.T) {
	for _, c := range []struct {
		element, array uint32
		read           func(testing.TB, uint32, []byte) string
		row, want      string // no want: they have to be text
	}{
		{pgtype.Int2OID, pgtype.Int2ArrayOID, readBinary[int64], "(32767 -32768 0 null)", "[32767 -32768 0 null]"},
		{pgtype.Int4OID, pgtype.Int4ArrayOID, readBinary[int64], "(2147483647 -2147483648 -1)", "[2147483647 -2147483648 -1]"},
		{pgtype.Int8OID, pgtype.Int8ArrayOID, readBinary[int64], "(9223372036854775807 null -9223372036854775808 7)", "[9223372036854775807 null -9223372036854775808 7]"},
		{pgtype.TextOID, pgtype.TextArrayOID, readBinary[string], `(a "" null "ü NULL")`, "[a  null ü NULL]"},
		{pgtype.VarcharOID, pgtype.VarcharArrayOID, readBinary[string], "(a)", "[a]"},
		{pgtype.BPCharOID, pgtype.BPCharArrayOID, readBinary[string], `("a  ")`, "[a  ]"},
		{pgtype.Int2OID, pgtype.Int2ArrayOID, readBinary[int64], "(1 32768)", ""},
		{pgtype.Int4OID, pgtype.Int4ArrayOID, readBinary[int64], `(1 "")`, ""},
		{pgtype.Int8OID, pgtype.Int8ArrayOID, readBinary[int64], "(1.5)", ""},
		{pgtype.NumericOID, pgtype.NumericArrayOID, nil, "(1)", ""},
	} {
		array := binaryArray(columnOf(parseRow(t, c.row)), 0, c.element)
		switch {
		case array == nil && c.want != "":
			t.Errorf("%d%s: no binary form, want %s", c.element, c.row, c.want)
		case array == nil:
		case c.want == "":
			t.Errorf("%d%s: got %x, want no binary form", c.element, c.row, array)
		default:
			if got := c.read(t, c.array, array); got != c.want {
				t.Errorf("%d%s: got %s, want %s", c.element, c.row, got, c.want)
			}
		}
	}
}
