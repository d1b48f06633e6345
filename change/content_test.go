package change_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
)

var (
	null      = change.Value{Kind: change.Null}
	unchanged = change.Value{Kind: change.Unchanged}
)

func text(s string) change.Value     { return change.Value{Kind: change.Text, Data: []byte(s)} }
func binaryOf(s string) change.Value { return change.Value{Kind: change.Binary, Data: []byte(s)} }

// records are one of each kind of record and of value.
var records = []struct {
	name string
	change.Change
}{
	{"insert", change.Change{Op: change.Insert, Relation: 16384, New: change.Tuple{text("1"), null, text(""), binaryOf("\x00\xff"), binaryOf("")}}},
	{"insert_default_values", change.Change{Op: change.Insert, Relation: 1, New: change.Tuple{}}},
	{"insert_long_value", change.Change{Op: change.Insert, Relation: 1<<32 - 1, New: change.Tuple{text(strings.Repeat("toast", 60))}}},
	{"insert_many_columns", change.Change{Op: change.Insert, Relation: 7, New: make(change.Tuple, change.MaxColumns)}},
	{"update", change.Change{Op: change.Update, Relation: 16384, New: change.Tuple{text("1"), unchanged, null}}},
	{"update_key", change.Change{Op: change.Update, Relation: 16384, OldKind: change.OldKey, Old: change.Tuple{text("1"), null}, New: change.Tuple{text("2"), text("b")}}},
	{"update_full", change.Change{Op: change.Update, Relation: 16384, OldKind: change.OldFull, Old: change.Tuple{text("1"), text("a")}, New: change.Tuple{text("1"), text("b")}}},
	{"delete_key", change.Change{Op: change.Delete, Relation: 16384, OldKind: change.OldKey, Old: change.Tuple{text("1"), null}}},
	{"delete_full", change.Change{Op: change.Delete, Relation: 16384, OldKind: change.OldFull, Old: change.Tuple{text("1"), text("a")}}},
	{"truncate", change.Change{Op: change.Truncate, Relations: []uint32{16384}}},
	{"truncate_cascade", change.Change{Op: change.Truncate, Relations: []uint32{16384, 127, 128}, Cascade: true}},
	{"truncate_restart_identity", change.Change{Op: change.Truncate, Relations: []uint32{1}, RestartIdentity: true}},
	{"truncate_all_options", change.Change{Op: change.Truncate, Relations: []uint32{1, 2}, Cascade: true, RestartIdentity: true}},
	{"evolve", change.Change{Op: change.Evolve, Model: change.Checksum{0: 0xab, 31: 0xcd}}},
	{"rows", change.Change{Op: change.Rows, Relation: 16384, Why: change.Rewritten}},
}

// encode is the other direction of Reader.Next.
func encode(b []byte, c *change.Change) []byte {
	switch c.Op {
	case change.Insert:
		return change.AppendInsert(b, c.Relation, c.New)
	case change.Update:
		return change.AppendUpdate(b, c.Relation, c.OldKind, c.Old, c.New)
	case change.Delete:
		return change.AppendDelete(b, c.Relation, c.OldKind, c.Old)
	case change.Truncate:
		return change.AppendTruncate(b, c.Relations, c.Cascade, c.RestartIdentity)
	case change.Evolve:
		return change.AppendEvolve(b, c.Model)
	case change.Rows:
		return change.AppendRows(b, c.Relation, c.Why)
	}
	panic("encode " + c.Op.String())
}

// decode reads everything and encodes it again; bounds are the ends of the records.
func decode(content []byte) (again []byte, bounds []int, err error) {
	r := change.NewReader(content)
	var c change.Change
	for {
		more, err := r.Next(&c)
		if err != nil || !more {
			return again, bounds, err
		}
		again = encode(again, &c)
		bounds = append(bounds, len(again))
	}
}

func TestRecordsAreGolden(t *testing.T) {
	for _, record := range records {
		t.Run(record.name, func(t *testing.T) { gold.Bytes(t, record.name, encode(nil, &record.Change)) })
	}
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	for _, record := range records {
		content := encode(nil, &record.Change)
		var got change.Change
		r := change.NewReader(content)
		if more, err := r.Next(&got); err != nil || !more {
			t.Fatalf("%s: more %v, error %v", record.name, more, err)
		}
		if !equal(got, record.Change) {
			t.Errorf("%s: got %+v, want %+v", record.name, got, record.Change)
		}
		if more, err := r.Next(&got); more || err != nil {
			t.Errorf("%s: behind the record: more %v, error %v", record.name, more, err)
		}
	}
}

// equal takes an empty tuple for none.
func equal(a, b change.Change) bool {
	sameTuple := func(x, y change.Tuple) bool {
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i].Kind != y[i].Kind || !bytes.Equal(x[i].Data, y[i].Data) {
				return false
			}
		}
		return true
	}
	same := sameTuple(a.Old, b.Old) && sameTuple(a.New, b.New)
	a.Old, a.New, b.Old, b.New = nil, nil, nil, nil
	return same && reflect.DeepEqual(a, b)
}

func all() (content []byte, bounds map[int]bool) {
	bounds = map[int]bool{0: true}
	for i := range records {
		content = encode(content, &records[i].Change)
		bounds[len(content)] = true
	}
	return content, bounds
}

func TestContentIsReadAndEncodedAgainTheSame(t *testing.T) {
	content, bounds := all()
	again, ends, err := decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, content) {
		t.Fatalf("got %x, want %x", again, content)
	}
	if len(ends) != len(bounds)-1 {
		t.Fatalf("%d records, want %d", len(ends), len(bounds)-1)
	}
}

// A content that was cut is valid only where a record ends.
func TestPrefixesFailInsideARecord(t *testing.T) {
	content, bounds := all()
	for n := range len(content) {
		again, _, err := decode(content[:n])
		switch {
		case bounds[n] && err != nil:
			t.Fatalf("%d bytes end with a record: %v", n, err)
		case bounds[n] && len(again) != n:
			t.Fatalf("%d bytes end with a record, %d were read", n, len(again))
		case !bounds[n] && err == nil:
			t.Fatalf("%d bytes end inside a record, and no error", n)
		case !bounds[n] && !bounds[len(again)]:
			t.Fatalf("%d bytes: %d were read, which is not where a record ends", n, len(again))
		}
	}
}

func TestBrokenContentIsRefused(t *testing.T) {
	insert := change.AppendInsert(nil, 5, change.Tuple{text("a")})
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"an unknown operation", []byte{'X'}, "content at byte 0: unknown operation 0x58"},
		{"the place is that of the record, not of the content", append(insert, 'X'), "content at byte 5: unknown operation 0x58"},
		{"a relation in a longer form than needed", []byte{'I', 0x85, 0x00, 1, 0}, "content at byte 0: number is not in its shortest form"},
		{"a count of columns in a longer form than needed", []byte{'I', 5, 0x81, 0x00, 0}, "content at byte 0: number is not in its shortest form"},
		{"a null in a longer form than needed", []byte{'I', 5, 1, 0x80, 0x00}, "content at byte 0: number is not in its shortest form"},
		{"a length in a longer form than needed", []byte{'I', 5, 1, 0x84, 0x80, 0x00, 'a'}, "content at byte 0: number is not in its shortest form"},
		{"a number of more than 64 bits", append([]byte{'I'}, bytes.Repeat([]byte{0xff}, 11)...), "content at byte 0: number of more than 64 bits"},
		{"an OID of 33 bits", binary.AppendUvarint([]byte{'I'}, 1<<32), "content at byte 0: OID 4294967296 is out of range"},
		{"a row with more columns than bytes", []byte{'I', 5, 3, 0, 0}, "content at byte 0: row of 3 columns"},
		{"a row with more columns than a table can have", append(binary.AppendUvarint([]byte{'I', 5}, change.MaxColumns+1), make([]byte, 2000)...), "content at byte 0: row of 1665 columns"},
		{"a value longer than the content", []byte{'I', 5, 1, 2 + 2*2, 'a'}, "content at byte 0: value of 2 bytes where 1 are left"},
		{"a value of 2^63 bytes", append([]byte{'I', 5, 1}, binary.AppendUvarint(nil, 1<<64-1)...), "content at byte 0: value of 9223372036854775806 bytes where 0 are left"},
		{"an unchanged value in an insert", []byte{'I', 5, 1, 1}, "content at byte 0: unchanged value outside the new row of an update"},
		{"an unchanged value in an old row", []byte{'D', 5, 'O', 1, 1}, "content at byte 0: unchanged value outside the new row of an update"},
		{"an update with an unknown old row", []byte{'U', 5, 'N', 0, 0}, "content at byte 0: unknown kind 0x4e of an old row"},
		{"a delete without an old row", []byte{'D', 5, 0, 0}, "content at byte 0: unknown kind 0x0 of an old row"},
		{"truncate flags that are not known", []byte{'T', 4, 1, 5}, "content at byte 0: unknown truncate flags 0x4"},
		{"a truncate of nothing", []byte{'T', 0, 0}, "content at byte 0: truncate of 0 relations"},
		{"a truncate of more relations than bytes", []byte{'T', 0, 9, 1}, "content at byte 0: truncate of 9 relations"},
	} {
		_, _, err := decode(c.content)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// A claim of many columns or relations does not allocate before they are there.
func TestClaimsDoNotAllocate(t *testing.T) {
	for _, content := range [][]byte{
		binary.AppendUvarint([]byte{'I', 5}, 1<<40),
		binary.AppendUvarint([]byte{'T', 0}, 1<<40),
		append([]byte{'I', 5, 1}, binary.AppendUvarint(nil, 1<<40)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		change.NewReader(content).Next(new(change.Change))
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 64<<10 {
			t.Errorf("%x: %d bytes were allocated", content, bytes)
		}
	}
}

// Whatever is read encodes to the bytes that it was read from: there is one way to say it.
func FuzzReader(f *testing.F) {
	for i := range records {
		if len(records[i].New) < 100 { // long seeds make it slow
			f.Add(encode(nil, &records[i].Change))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		again, _, err := decode(content)
		if err == nil && len(again) != len(content) {
			t.Fatalf("%d bytes were read of %d", len(again), len(content))
		}
		if !bytes.HasPrefix(content, again) {
			t.Fatalf("%x was read, which encodes to %x", content, again)
		}
	})
}
