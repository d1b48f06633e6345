package decoder

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
	"github.com/pgbridge/pgbridge/internal/rows"
)

// TestAssembler shows what transactions come of the server's messages, and what the
// assembler says to messages that no server sends.
//
//	skip 0/100                                   before all: transactions up to there are known
//	begin 700, commit 0/100                      a transaction in one piece
//	start 700, stop, commit 700 0/100            a streamed one
//	abort 700 701                                of it, a subtransaction
//	relation OID SCHEMA.NAME IDENTITY NAME:TYPE[:key]…
//	insert OID ROW
//	update OID [key OLD to|full OLD to] ROW
//	delete OID key|full ROW
//	truncate OID… [cascade] [restart]
//	message PREFIX CONTENT                       message! is one outside transactions
//	origin, type, raw HEX
//
// Before it can stand where in the write-ahead log it stands, from there on: @0/80 insert 1 (1). Labels have other names when the
// text of a type (class 1247) is another.
//
// In a stream, the subtransaction stands before the change: 701: insert 1 (1)
func TestAssembler(t *testing.T) {
	gold.Transcript(t, "assembler.txt", func(t *testing.T, script string) string {
		var out strings.Builder
		known := map[change.Checksum]*change.Model{}
		var a *assembler
		emit := func(tx *Tx) error { return showTx(&out, tx, known) }
		for line := range strings.SplitSeq(script, "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if a == nil {
				var skip change.LSN
				rest, ok := strings.CutPrefix(line, "skip ")
				if ok {
					skip = parseLSN(t, rest)
				}
				a = newAssembler(change.NewModel(), nil, skip, t.TempDir(), emit)
				defer a.close()
				a.relabels = func(before, after *change.Entry) bool {
					return before.Address.Class == 1247 && before.Text != after.Text
				}
				if ok {
					continue
				}
			}
			if at, rest, ok := cutPlace(line); ok {
				a.at, line = parseLSN(t, at), rest
			}
			if err := a.handle(parseLine(t, line)); err != nil {
				fmt.Fprintln(&out, "error:", err)
				break
			}
		}
		if out.Len() == 0 {
			return "nothing"
		}
		return out.String()
	})
}

// cutPlace cuts off where a line's message stands in the write-ahead log.
func cutPlace(line string) (at, rest string, ok bool) {
	if !strings.HasPrefix(line, "@") {
		return "", line, false
	}
	at, rest, _ = strings.Cut(line[1:], " ")
	return at, rest, true
}

func parseLSN(t *testing.T, s string) change.LSN {
	t.Helper()
	lsn, err := change.ParseLSN(s)
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

func parseXID(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func parseLine(t *testing.T, line string) []byte {
	t.Helper()
	var b build
	if sub, rest, ok := strings.Cut(line, ": "); ok && !strings.Contains(sub, " ") {
		b.sub, line = parseXID(t, sub), rest
	}
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	row := func(s string) change.Tuple {
		tuple, err := rows.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return tuple
	}
	switch verb {
	case "begin":
		return b.begin(parseXID(t, words[0]))
	case "commit":
		if len(words) == 2 {
			return b.streamCommit(parseXID(t, words[0]), parseLSN(t, words[1]))
		}
		return b.commit(parseLSN(t, words[0]))
	case "start":
		return b.streamStart(parseXID(t, words[0]))
	case "stop":
		return b.streamStop()
	case "abort":
		return b.streamAbort(parseXID(t, words[0]), parseXID(t, words[1]))
	case "origin":
		return b.origin()
	case "type":
		return b.typ()
	case "message":
		return b.message(true, words[0], strings.Join(words[1:], " "))
	case "message!":
		return b.message(false, words[0], strings.Join(words[1:], " "))
	case "raw":
		raw, err := hex.DecodeString(rest)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	case "relation":
		r := &change.Relation{OID: parseXID(t, words[0]), Identity: words[2]}
		r.Schema, r.Name, _ = strings.Cut(words[1], ".")
		for _, w := range words[3:] {
			name, typ, _ := strings.Cut(w, ":")
			typ, key := strings.CutSuffix(typ, ":key")
			r.Columns = append(r.Columns, change.Column{Name: name, Type: parseXID(t, typ), Typmod: -1, Key: key})
		}
		return b.relation(r)
	case "truncate":
		var oids []uint32
		var options byte
		for _, w := range words {
			switch w {
			case "cascade":
				options |= 1
			case "restart":
				options |= 2
			default:
				oids = append(oids, parseXID(t, w))
			}
		}
		return b.truncate(oids, options)
	}
	oid := parseXID(t, words[0])
	rest = strings.TrimPrefix(rest, words[0]+" ")
	kind := change.OldNone
	if after, ok := strings.CutPrefix(rest, "key "); ok {
		kind, rest = change.OldKey, after
	} else if after, ok := strings.CutPrefix(rest, "full "); ok {
		kind, rest = change.OldFull, after
	}
	switch verb {
	case "insert":
		return b.insert(oid, row(rest))
	case "update":
		var old change.Tuple
		if before, after, ok := strings.Cut(rest, " to "); ok {
			old, rest = row(before), after
		}
		return b.update(oid, kind, old, row(rest))
	case "delete":
		return b.delete(oid, kind, row(rest))
	}
	t.Fatalf("unknown line %q", line)
	return nil
}

// showTx writes a transaction; models that it brings are kept in known.
func showTx(out *strings.Builder, tx *Tx, known map[change.Checksum]*change.Model) error {
	var content []byte
	parts := 0
	if err := tx.Parts(func(part []byte) error {
		content = append(content, part...)
		parts++
		return nil
	}); err != nil {
		return err
	}
	for _, m := range tx.Models {
		known[m.Checksum()] = m
	}
	fmt.Fprintf(out, "transaction %d ends at %s, %s", tx.XID, tx.LSN, tx.Commit.Format("15:04:05"))
	if tx.Large {
		fmt.Fprintf(out, ", %d parts", parts)
	}
	if tx.doubt {
		out.WriteString(", in doubt")
	}
	for _, rel := range tx.unsure {
		fmt.Fprintf(out, ", unsure of %s", rel)
	}
	out.WriteString("\n")
	r := change.NewReader(content)
	var c change.Change
	for {
		more, err := r.Next(&c)
		if err != nil || !more {
			return err
		}
		switch c.Op {
		case change.Rows:
			fmt.Fprintf(out, "  rows of %d: %s\n", c.Relation, c.Why)
		case change.Evolve:
			out.WriteString("  evolve:")
			for _, e := range known[c.Model].Entries() {
				fmt.Fprintf(out, " %s %s", e.Address, e.Name)
			}
			for _, rel := range known[c.Model].Relations() {
				fmt.Fprintf(out, " %d %s", rel.OID, rel)
				var columns []string
				for _, c := range rel.Columns {
					name := fmt.Sprintf("%s %d", c.Name, c.Type)
					if c.Key {
						name += " key"
					}
					columns = append(columns, name)
				}
				fmt.Fprintf(out, "(%s)", strings.Join(columns, ", "))
			}
			out.WriteString("\n")
		case change.Insert:
			fmt.Fprintln(out, "  insert into", c.Relation, rows.String(c.New))
		case change.Update:
			if c.OldKind != change.OldNone {
				fmt.Fprintf(out, "  update of %d %c %s to %s\n", c.Relation, c.OldKind, rows.String(c.Old), rows.String(c.New))
			} else {
				fmt.Fprintln(out, "  update of", c.Relation, rows.String(c.New))
			}
		case change.Delete:
			fmt.Fprintf(out, "  delete from %d %c %s\n", c.Relation, c.OldKind, rows.String(c.Old))
		case change.Truncate:
			fmt.Fprintf(out, "  truncate %d, cascade %v, restart identity %v\n", c.Relations, c.Cascade, c.RestartIdentity)
		}
	}
}

// collected is a transaction as its block would have it.
type collected struct {
	xid    uint32
	lsn    change.LSN
	time   int64
	parts  []string
	model  change.Checksum
	models []change.Checksum
}

// collect runs messages through an assembler that knows nothing.
func collect(t testing.TB, dir string, messages [][]byte) (list []collected) {
	t.Helper()
	a := newAssembler(change.NewModel(), nil, 0, dir, func(tx *Tx) error {
		c := collected{xid: tx.XID, lsn: tx.LSN, time: tx.Commit.UnixMicro()}
		if !tx.Large != (tx.parts == nil) || tx.Large && tx.Content != nil {
			t.Errorf("transaction %d: large %v with content of %d bytes", tx.XID, tx.Large, len(tx.Content))
		}
		if err := tx.Parts(func(part []byte) error {
			c.parts = append(c.parts, string(part))
			return nil
		}); err != nil {
			return err
		}
		if len(c.parts) == 0 {
			c.parts = []string{""} // an empty content has one part
		}
		c.model = tx.Model.Checksum()
		for _, m := range tx.Models {
			c.models = append(c.models, m.Checksum())
		}
		list = append(list, c)
		return nil
	})
	defer a.close()
	for _, m := range messages {
		if err := a.handle(m); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func sameTransactions(t testing.TB, got, want []collected) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d transactions, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.xid != w.xid || g.lsn != w.lsn || g.time != w.time || g.model != w.model || fmt.Sprint(g.models) != fmt.Sprint(w.models) {
			t.Fatalf("transaction %d at %s with model %s, want %d at %s with %s", g.xid, g.lsn, g.model, w.xid, w.lsn, w.model)
		}
		if len(g.parts) != len(w.parts) {
			t.Fatalf("transaction %d has %d parts, want %d", g.xid, len(g.parts), len(w.parts))
		}
		for k := range g.parts {
			if g.parts[k] != w.parts[k] {
				t.Fatalf("transaction %d, part %d: %d bytes, which are not the %d that are wanted", g.xid, k, len(g.parts[k]), len(w.parts[k]))
			}
		}
	}
}

// history makes random transactions and tells them in two ways: each in one piece, or
// streamed in segments that alternate, with what was rolled back among it.
type history struct {
	r   *rand.Rand
	big bool // values that fill parts
}

type step struct {
	sub     uint32
	aborted bool
	table   int
	version int // number of columns that it has then
	write   func(b build) []byte
}

func (h *history) relation(table, version int) *change.Relation {
	r := &change.Relation{OID: uint32(table + 1), Schema: "public", Name: fmt.Sprintf("t%d", table), Identity: "f", Columns: []change.Column{}}
	for i := range version {
		r.Columns = append(r.Columns, change.Column{Name: fmt.Sprintf("c%d", i), Type: 25, Typmod: -1, Key: true})
	}
	return r
}

func (h *history) row(columns int, unchanged bool) change.Tuple {
	row := make(change.Tuple, columns)
	for i := range row {
		switch n := h.r.IntN(10); {
		case n == 0:
			row[i].Kind = change.Null
		case n == 1 && unchanged:
			row[i].Kind = change.Unchanged
		default:
			size := h.r.IntN(20)
			if h.big && h.r.IntN(8) == 0 {
				size = h.r.IntN(PartSize / 2)
			}
			row[i] = change.Value{Kind: change.Text, Data: bytes.Repeat([]byte{byte('a' + h.r.IntN(26))}, size)}
		}
	}
	return row
}

// steps makes the changes of a transaction, in runs that belong to a subtransaction
// each. Runs that are rolled back may change tables, too, which are then as before.
func (h *history) steps(xid uint32) (steps []step) {
	versions := map[int]int{}
	var before map[int]int
	sub, last := xid, xid
	for left := 0; len(steps) < 30; left-- {
		if left == 0 {
			if before != nil {
				versions, before = before, nil
			}
			if h.r.IntN(10) == 0 {
				return steps
			}
			left = 1 + h.r.IntN(6)
			if h.r.IntN(3) == 0 {
				before = maps.Clone(versions)
			}
			if sub, last = last+1, last+1; before == nil && h.r.IntN(3) == 0 {
				sub = xid
			}
		}
		s := step{sub: sub, aborted: before != nil, table: h.r.IntN(3)}
		if versions[s.table] == 0 || h.r.IntN(8) == 0 {
			versions[s.table] = 1 + h.r.IntN(4)
		}
		s.version = versions[s.table]
		oid := uint32(s.table + 1)
		switch h.r.IntN(5) {
		case 0:
			options := byte(h.r.IntN(4))
			s.write = func(b build) []byte { return b.truncate([]uint32{oid}, options) }
		case 1:
			old := h.row(s.version, false)
			s.write = func(b build) []byte { return b.delete(oid, change.OldFull, old) }
		case 2:
			old, row := h.row(s.version, false), h.row(s.version, true)
			s.write = func(b build) []byte { return b.update(oid, change.OldFull, old, row) }
		case 3:
			if h.r.IntN(4) == 0 && !s.aborted {
				s.write = func(b build) []byte { return b.message(true, MarkerPrefix, "") }
				break
			}
			fallthrough
		default:
			row := h.row(s.version, false)
			s.write = func(b build) []byte { return b.insert(oid, row) }
		}
		steps = append(steps, s)
	}
	return steps
}

// tell gives the messages of both ways. Every transaction describes its relations
// before it uses them, as after an invalidation; in a stream again behind an abort,
// with which the server forgets what it told.
func (h *history) tell() (whole, streamed [][]byte) {
	type transaction struct {
		xid   uint32
		steps []step
		at    int
		told  map[int]int
	}
	var open []*transaction
	for n := range uint32(4) {
		xid := 1000 + 100*n
		open = append(open, &transaction{xid: xid, steps: h.steps(xid), told: map[int]int{}})
	}
	lsn := change.LSN(1000)
	for len(open) > 0 {
		i := h.r.IntN(len(open))
		tx := open[i]
		streamed = append(streamed, build{}.streamStart(tx.xid))
		var abort [][]byte
		for range h.r.IntN(12) {
			if tx.at == len(tx.steps) || abort != nil {
				break
			}
			s := &tx.steps[tx.at]
			tx.at++
			b := build{sub: s.sub}
			if tx.told[s.table] != s.version {
				tx.told[s.table] = s.version
				streamed = append(streamed, b.relation(h.relation(s.table, s.version)))
			}
			streamed = append(streamed, s.write(b))
			if s.aborted && (tx.at == len(tx.steps) || tx.steps[tx.at].sub != s.sub) {
				abort = [][]byte{build{}.streamAbort(tx.xid, s.sub)}
				clear(tx.told)
			}
		}
		streamed = append(append(streamed, build{}.streamStop()), abort...)
		if tx.at < len(tx.steps) {
			continue
		}
		lsn += 100
		whole = append(whole, build{}.begin(tx.xid))
		told := map[int]int{}
		for _, s := range tx.steps {
			if s.aborted {
				continue
			}
			if told[s.table] != s.version {
				told[s.table] = s.version
				whole = append(whole, build{}.relation(h.relation(s.table, s.version)))
			}
			whole = append(whole, s.write(build{}))
		}
		whole = append(whole, build{}.commit(lsn))
		streamed = append(streamed, build{}.streamCommit(tx.xid, lsn))
		open = append(open[:i], open[i+1:]...)
	}
	return whole, streamed
}

// A block must not depend on how the server cut the stream.
func TestStreamedIsTheSameAsWhole(t *testing.T) {
	run := func(t *testing.T, seed uint64, big bool) {
		h := &history{r: rand.New(rand.NewPCG(seed, 0)), big: big}
		whole, streamed := h.tell()
		sameTransactions(t, collect(t, t.TempDir(), streamed), collect(t, t.TempDir(), whole))
	}
	first := uint64(1)
	count := uint64(150)
	if s := os.Getenv("DECODER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, count = n, 1
	}
	for seed := first; seed < first+count; seed++ {
		for _, big := range []bool{false, true} {
			if big && seed%75 != 0 && count > 1 {
				continue
			}
			t.Run(fmt.Sprintf("DECODER_SEED=%d,big=%v", seed, big), func(t *testing.T) { run(t, seed, big) })
		}
	}
}

// Parts end where a change ends, at PartSize or behind it, the last one anywhere.
func TestPartsAreCutAlike(t *testing.T) {
	rel := &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1, Key: true}}}
	for _, c := range []struct {
		name  string
		sizes []int // of values
		parts int
	}{
		{"just below", []int{PartSize - 60}, 1},
		{"one large value", []int{3 * PartSize}, 1},
		{"one large value and a small one", []int{3 * PartSize, 10}, 2},
		{"many small values", repeat(1000, 5000), 3},
		{"values of half a part", repeat(PartSize/2, 5), 3},
		{"values of a whole part", repeat(PartSize, 3), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var whole, streamed [][]byte
			whole = append(whole, build{}.begin(700), build{}.relation(rel))
			in := build{sub: 700}
			streamed = append(streamed, build{}.streamStart(700), in.relation(rel))
			for _, size := range c.sizes {
				row := change.Tuple{{Kind: change.Text, Data: bytes.Repeat([]byte("x"), size)}}
				whole = append(whole, build{}.insert(1, row))
				streamed = append(streamed, in.insert(1, row))
			}
			whole = append(whole, build{}.commit(0x100))
			streamed = append(streamed, build{}.streamStop(), build{}.streamCommit(700, 0x100))
			w, s := collect(t, t.TempDir(), whole), collect(t, t.TempDir(), streamed)
			sameTransactions(t, s, w)
			if len(w[0].parts) != c.parts {
				t.Errorf("%d parts, want %d", len(w[0].parts), c.parts)
			}
			for i, part := range w[0].parts {
				if last := i == len(w[0].parts)-1; !last && len(part) < PartSize {
					t.Errorf("part %d has %d bytes", i, len(part))
				}
				if err := readAll([]byte(part)); err != nil {
					t.Errorf("part %d: %v", i, err)
				}
			}
		})
	}
}

func repeat(size, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func readAll(content []byte) error {
	r := change.NewReader(content)
	var c change.Change
	for {
		if more, err := r.Next(&c); err != nil || !more {
			return err
		}
	}
}

// A large transaction of which nothing is left makes no block, one of which little is
// left the same block as a small one.
func TestLargeTransactionThatWasRolledBack(t *testing.T) {
	rel := &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1, Key: true}}}
	large := change.Tuple{{Kind: change.Text, Data: bytes.Repeat([]byte("x"), PartSize)}}
	small := change.Tuple{{Kind: change.Text, Data: []byte("x")}}
	top, sub := build{sub: 700}, build{sub: 701}
	stream := [][]byte{
		build{}.streamStart(700), top.relation(rel), sub.insert(1, large), sub.insert(1, large), build{}.streamStop(), build{}.streamAbort(700, 701),
	}
	if got := collect(t, t.TempDir(), append(stream[:len(stream):len(stream)], build{}.streamCommit(700, 0x100))); len(got) != 0 {
		t.Fatalf("%d transactions, want none", len(got))
	}
	got := collect(t, t.TempDir(), append(stream[:len(stream):len(stream)],
		build{}.streamStart(700), top.insert(1, small), build{}.streamStop(), build{}.streamCommit(700, 0x100)))
	want := collect(t, t.TempDir(), [][]byte{build{}.begin(700), build{}.relation(rel), build{}.insert(1, small), build{}.commit(0x100)})
	sameTransactions(t, got, want)
}

func TestLargeTransactionMustBeRead(t *testing.T) {
	rel := &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1, Key: true}}}
	large := change.Tuple{{Kind: change.Text, Data: bytes.Repeat([]byte("x"), PartSize)}}
	a := newAssembler(change.NewModel(), nil, 0, t.TempDir(), func(*Tx) error { return nil })
	defer a.close()
	in := build{sub: 700}
	for _, m := range [][]byte{build{}.streamStart(700), in.relation(rel), in.insert(1, large), build{}.streamStop()} {
		if err := a.handle(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.handle(build{}.streamCommit(700, 0x100)); err == nil || !strings.Contains(err.Error(), "was not read") {
		t.Fatalf("got %v, want an error", err)
	}
}

// Without a place for large transactions the error says where there is none.
func TestDiskThatFails(t *testing.T) {
	rel := &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1, Key: true}}}
	large := change.Tuple{{Kind: change.Text, Data: bytes.Repeat([]byte("x"), PartSize)}}
	in := build{sub: 700}
	for name, messages := range map[string][][]byte{
		"streamed": {build{}.streamStart(700), in.relation(rel), in.insert(1, large)},
		"whole":    {build{}.begin(700), build{}.relation(rel), build{}.insert(1, large), build{}.insert(1, large)},
	} {
		a := newAssembler(change.NewModel(), nil, 0, "/does/not/exist", func(*Tx) error { return nil })
		var err error
		for _, m := range messages {
			if err = a.handle(m); err != nil {
				break
			}
		}
		a.close()
		if err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
			t.Errorf("%s: got %v, want an error that names the directory", name, err)
		}
	}
}

// FuzzAssembler plays any messages: none may panic, and what comes of them can be
// read back. The input is a list of messages, each behind its length in two bytes.
func FuzzAssembler(f *testing.F) {
	text, err := os.ReadFile("testdata/assembler.txt")
	if err != nil {
		f.Fatal(err)
	}
	t := new(testing.T)
	for part := range strings.SplitSeq(string(text), "\n\n") {
		script, _, _ := strings.Cut(part, "\n----")
		var input []byte
		for line := range strings.SplitSeq(script, "\n") {
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "skip") {
				continue
			}
			_, line, _ = cutPlace(line)
			m := parseLine(t, line)
			input = append(append(input, byte(len(m)>>8), byte(len(m))), m...)
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		a := newAssembler(change.NewModel(), nil, 0, "", func(tx *Tx) error {
			known := 0
			if err := tx.Parts(func(part []byte) error {
				if err := readAll(part); err != nil {
					t.Fatalf("what was written can not be read: %v", err)
				}
				known += bytes.Count(part, []byte{byte(change.Evolve)})
				return nil
			}); err != nil {
				return err
			}
			if len(tx.Models) > known {
				t.Fatalf("%d models, %d evolve records at most", len(tx.Models), known)
			}
			return nil
		})
		begun, left := 0, 0
		a.early = func(xid uint32) Early { begun++; return &told{xid, &strings.Builder{}, &left} }
		a.relabels = func(before, after *change.Entry) bool { return before.Text != after.Text }
		defer func() {
			a.close()
			if begun != left {
				t.Fatalf("%d transactions have come early, %d were left", begun, left)
			}
		}()
		for len(input) >= 2 {
			n := min(int(input[0])<<8|int(input[1]), len(input)-2)
			if err := a.handle(input[2 : 2+n]); err != nil {
				return
			}
			input = input[2+n:]
		}
	})
}
