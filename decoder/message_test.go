package decoder

import (
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
	"github.com/pgbridge/pgbridge/internal/rows"
)

// TestMessages shows what is read from bytes as the protocol's documentation has them.
func TestMessages(t *testing.T) {
	gold.Transcript(t, "messages.txt", func(t *testing.T, question string) string {
		b, streamed := messageBytes(t, question)
		var m message
		if err := m.parse(b, streamed); err != nil {
			return "error: " + err.Error()
		}
		return m.show()
	})
}

// messageBytes reads hexadecimal bytes, several spaces before a comment on each line.
func messageBytes(t testing.TB, question string) (b []byte, streamed bool) {
	t.Helper()
	for _, line := range strings.Split(question, "\n") {
		switch digits, _, _ := strings.Cut(line, "    "); {
		case strings.HasPrefix(line, "#"):
		case line == "streamed":
			streamed = true
		default:
			more, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			b = append(b, more...)
		}
	}
	return b, streamed
}

type rawMessage struct {
	bytes    []byte
	streamed bool
}

// goldenMessages are the messages of messages.txt that parse.
func goldenMessages(t testing.TB) (list []rawMessage) {
	t.Helper()
	text, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n\n") {
		question, answer, _ := strings.Cut(part, "\n----\n")
		if !strings.HasPrefix(answer, "error: ") {
			b, streamed := messageBytes(t, question)
			list = append(list, rawMessage{b, streamed})
		}
	}
	return list
}

func (m *message) show() string {
	old := ""
	if m.oldKind != 0 {
		old = fmt.Sprintf(" %c %s to", m.oldKind, rows.String(m.old))
	}
	sub := ""
	if m.xid != 0 {
		sub = fmt.Sprintf(" in %d", m.xid)
	}
	switch m.kind {
	case msgBegin:
		return fmt.Sprintf("begin %d, final LSN %s, time %s", m.xid, m.lsn, change.TimeOf(m.micros).Format("2006-01-02 15:04:05.000000"))
	case msgCommit:
		return fmt.Sprintf("commit at %s, end %s, time %s", m.lsn, m.end, change.TimeOf(m.micros).Format("2006-01-02 15:04:05.000000"))
	case msgOrigin:
		return "origin"
	case msgType:
		return "type" + sub
	case msgRelation:
		return "relation" + sub + " " + m.relation.Definition()
	case msgInsert:
		return fmt.Sprintf("insert%s into %d %s", sub, m.oid, rows.String(m.new))
	case msgUpdate:
		return fmt.Sprintf("update%s of %d%s %s", sub, m.oid, old, rows.String(m.new))
	case msgDelete:
		return fmt.Sprintf("delete%s from %d %c %s", sub, m.oid, m.oldKind, rows.String(m.old))
	case msgTruncate:
		return fmt.Sprintf("truncate%s %d, options %d", sub, m.oids, m.options)
	case msgMessage:
		return fmt.Sprintf("message%s %q %q, transactional %v, LSN %s", sub, m.prefix, m.content, m.transactional, m.lsn)
	case msgStreamStart:
		return fmt.Sprintf("stream start %d", m.xid)
	case msgStreamStop:
		return "stream stop"
	case msgStreamCommit:
		return fmt.Sprintf("stream commit %d at %s, end %s, time %s", m.xid, m.lsn, m.end, change.TimeOf(m.micros).Format("2006-01-02 15:04:05.000000"))
	case msgStreamAbort:
		return fmt.Sprintf("stream abort %d of %d", m.subxid, m.xid)
	}
	return "?"
}

func TestEveryPrefixOfAMessageIsRefused(t *testing.T) {
	var m message
	for _, g := range goldenMessages(t) {
		for n := range g.bytes {
			if err := m.parse(g.bytes[:n], g.streamed); err == nil {
				t.Errorf("%d bytes of %x are read as %s", n, g.bytes, m.show())
			}
		}
	}
}

func TestBytesBehindAMessageAreRefused(t *testing.T) {
	var m message
	for _, g := range goldenMessages(t) {
		if err := m.parse(append(g.bytes[:len(g.bytes):len(g.bytes)], 0), g.streamed); err == nil {
			t.Errorf("%x and a byte are read as %s", g.bytes, m.show())
		}
	}
}

func TestUnknownKindsAreRefused(t *testing.T) {
	var m message
	for kind := range 256 {
		if strings.ContainsRune("BCORYIUDTMSEcA", rune(kind)) {
			continue
		}
		for _, b := range [][]byte{{byte(kind)}, append([]byte{byte(kind)}, make([]byte, 40)...)} {
			if err := m.parse(b, false); err == nil || !strings.Contains(err.Error(), "unknown pgoutput message") {
				t.Errorf("%x: %v", b, err)
			}
		}
	}
}

// A message is read into the same fields again; nothing of the one before may stay.
func TestMessagesDoNotMix(t *testing.T) {
	var used message
	for _, g := range goldenMessages(t) {
		var fresh message
		if err := fresh.parse(g.bytes, g.streamed); err != nil {
			t.Fatal(err)
		}
		for _, before := range goldenMessages(t) {
			if err := used.parse(before.bytes, before.streamed); err != nil {
				t.Fatal(err)
			}
			if err := used.parse(g.bytes, g.streamed); err != nil {
				t.Fatal(err)
			}
			want := fresh.show()
			if got := used.show(); got != want {
				t.Errorf("behind %x: %s, want %s", before.bytes, got, want)
			}
		}
	}
}

// What is claimed is not allocated before it is there.
func TestClaimsDoNotAllocate(t *testing.T) {
	zeros := make([]byte, 64)
	for _, b := range [][]byte{
		append([]byte{'T', 0xff, 0xff, 0xff, 0xff}, zeros...),
		append([]byte{'T', 0x10, 0, 0, 0}, zeros...),
		append([]byte{'R', 0, 0, 0, 1, 's', 0, 't', 0, 'd', 0xff, 0xff}, zeros...),
		append([]byte{'R', 0, 0, 0, 1, 's', 0, 't', 0, 'd', 0x06, 0x40}, zeros...),
		append([]byte{'I', 0, 0, 0, 1, 'N', 0xff, 0xff}, zeros...),
		append([]byte{'I', 0, 0, 0, 1, 'N', 0, 1, 't', 0x7f, 0xff, 0xff, 0xff}, zeros...),
		append([]byte{'M', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, zeros...),
	} {
		if n := allocated(func() {
			if err := new(message).parse(b, false); err == nil {
				t.Errorf("%x is taken", b)
			}
		}); n > 64<<10 {
			t.Errorf("%x: %d bytes were allocated", b, n)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzParse also holds the rows against the bytes that they were read from: what is
// kept never exceeds what came.
func FuzzParse(f *testing.F) {
	for _, g := range goldenMessages(f) {
		f.Add(g.bytes, g.streamed)
	}
	f.Fuzz(func(t *testing.T, b []byte, streamed bool) {
		var m message
		if err := m.parse(b, streamed); err != nil {
			return
		}
		size := len(m.content) + len(m.prefix) + 4*len(m.oids) + len(m.old) + len(m.new)
		for _, row := range [][]byte{flat(m.old), flat(m.new)} {
			size += len(row)
		}
		if m.relation != nil {
			for _, c := range m.relation.Columns {
				size += len(c.Name) + 10
			}
		}
		if size > len(b) {
			t.Fatalf("%d bytes came of %d", size, len(b))
		}
		if cap(m.old)+cap(m.new) > 16+4*len(b) {
			t.Fatalf("room for %d values in %d bytes", cap(m.old)+cap(m.new), len(b))
		}
		m.show()
	})
}

func flat(row change.Tuple) (b []byte) {
	for _, v := range row {
		b = append(b, v.Data...)
	}
	return b
}
