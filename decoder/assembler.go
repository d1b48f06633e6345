package decoder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pgbridge/pgbridge/change"
)

// PartSize is the size, in bytes, at which a transaction's content is cut into
// parts. It is part of the format: another size makes other blocks.
const PartSize = 2 << 20

// MarkerPrefix is the prefix of the transactional logical messages that make a
// block of their own although they change nothing.
const MarkerPrefix = "bridge.marker"

// The prefixes of the transactional logical messages by which the master says that its
// schema changed, and that rows changed which the log does not hold. See change/FORMAT.md.
const (
	SchemaPrefix = "bridge.schema"
	RowsPrefix   = "bridge.rows"
)

// assembler turns messages into transactions. Not for concurrent use.
type assembler struct {
	emit  func(*Tx) error
	dir   string                 // for temporary files; empty: the system's
	skip  change.LSN             // transactions that end here or before are known already
	early func(xid uint32) Early // see Options; may be nil

	model     *change.Model                          // as of the last transaction that was emitted
	changes   change.Changes                         // to its entries
	oldest    func() change.LSN                      // older changes than this are not asked for any more
	forgetAt  int                                    // how many changes there are when old ones are forgotten
	relabels  func(before, after *change.Entry) bool // see Options; may be nil
	labelled  change.LSN                             // when a label of an enum got another name last, as changes say
	relations map[uint32]*change.Relation            // what the server has told in this session
	told      map[uint32]int                         // when it told so
	unsure    map[uint32]bool                        // tables that have changed, and nothing was said of their rows since
	clock     int                                    // counts what it tells of relations

	at          change.LSN // where in the write-ahead log stands what is handled
	sent        time.Time  // when the server sent it; its clock
	msg         message
	open        bool // between begin and commit
	content     content
	xid         uint32               // of the open transaction
	stream      uint32               // of the stream segment that is open, else 0
	hasStreamed bool                 // anything has come before its commit
	streamed    map[uint32]*inFlight // streamed transactions by top-level xid
}

// inFlight is a large transaction whose changes arrive before its commit.
type inFlight struct {
	messages spool           // raw messages as they came, each behind a head
	told     []int           // when the relation messages among them came
	aborted  map[uint32]bool // subtransactions that were rolled back
	large    bool            // it has become a large transaction

	early     Early                       // nil: nobody wants to know
	relations map[uint32]*change.Relation // that early rows are of
	given     map[uint32]bool             // subtransactions that early rows are of
}

// Of a message of a streamed transaction, before it: the xid of its subtransaction and where it stands in the
// write-ahead log, big-endian.
const (
	headXID  = 4
	headSize = headXID + 8
)

func newAssembler(model *change.Model, changes change.Changes, skip change.LSN, dir string, emit func(*Tx) error) *assembler {
	a := &assembler{
		emit: emit, dir: dir, skip: skip, model: model, changes: maps.Clone(changes),
		relations: map[uint32]*change.Relation{},
		told:      map[uint32]int{},
		unsure:    map[uint32]bool{},
		streamed:  map[uint32]*inFlight{},
	}
	a.labelled = changes[labels]
	a.changed(model, changes)
	return a
}

// changed notes which tables have changed.
func (a *assembler) changed(model *change.Model, changes change.Changes) {
	for address := range changes {
		oid, is := address.Relation()
		switch {
		case !is:
		case model.Entry(address) == nil:
			delete(a.unsure, oid)
		default:
			a.unsure[oid] = true
		}
	}
}

// close frees what unfinished transactions hold.
func (a *assembler) close() {
	a.content.close()
	for _, f := range a.streamed {
		f.leave(0, "the transaction has to be read again")
	}
}

// handle takes one pgoutput message; b is not kept.
func (a *assembler) handle(b []byte) error {
	m := &a.msg
	if err := m.parse(b, a.stream != 0); err != nil {
		return err
	}
	if a.stream != 0 && m.kind != msgStreamStop {
		return a.handleStreamed(b)
	}
	switch m.kind {
	case msgBegin, msgStreamStart, msgStreamCommit, msgStreamAbort:
		if a.open {
			return fmt.Errorf("message %q of transaction %d inside transaction %d", m.kind, m.xid, a.xid)
		}
	}
	switch m.kind {
	case msgBegin:
		a.open, a.xid = true, m.xid
		a.content.begin(a.model, a.changes, a.dir)
	case msgCommit:
		if !a.open {
			return fmt.Errorf("commit at %s without a begin", m.lsn)
		}
		a.open = false
		return a.commit(&a.content, a.xid)
	case msgStreamStart:
		if m.xid == 0 {
			return fmt.Errorf("stream of transaction 0")
		}
		a.stream, a.hasStreamed = m.xid, true
		if a.streamed[m.xid] == nil {
			a.streamed[m.xid] = a.newInFlight(m.xid)
		}
	case msgStreamStop:
		if a.stream == 0 {
			return fmt.Errorf("stream stop without a start")
		}
		a.stream = 0
	case msgStreamAbort:
		f := a.streamed[m.xid]
		if f == nil {
			return nil // nothing of it was streamed
		}
		if m.xid != m.subxid {
			f.aborted[m.subxid] = true
			if f.given[m.subxid] {
				f.early.Cancel("a part of the transaction was rolled back")
			}
			return nil
		}
		f.leave(0, "the transaction was rolled back")
		delete(a.streamed, m.xid)
	case msgStreamCommit:
		f := a.streamed[m.xid]
		if f == nil {
			return fmt.Errorf("stream commit of transaction %d, which was never streamed", m.xid)
		}
		delete(a.streamed, m.xid)
		end := m.end
		if f.early != nil {
			f.early.Committed()
		}
		err := a.commitStreamed(f, m.xid)
		if err != nil || !f.large {
			f.leave(0, "it has become no large block")
		} else {
			f.leave(end, "")
		}
		return err
	default:
		return a.change(m, &a.content, a.open)
	}
	return nil
}

// handleStreamed keeps a message of a streamed transaction until it commits.
func (a *assembler) handleStreamed(b []byte) error {
	m := &a.msg
	switch m.kind {
	case msgOrigin, msgType:
		return nil
	case msgRelation, msgInsert, msgUpdate, msgDelete, msgTruncate, msgMessage:
		f := a.streamed[a.stream]
		if m.kind == msgRelation {
			a.clock++
			f.told = append(f.told, a.clock)
		}
		f.tell(a, binary.BigEndian.Uint32(b[1:5]))
		// The message is kept as it would stand outside a stream.
		var at [8]byte
		binary.BigEndian.PutUint64(at[:], uint64(a.at))
		return f.messages.add(b[1:5], at[:], b[:1], b[5:])
	}
	return fmt.Errorf("message %q inside a stream segment", m.kind)
}

// commitStreamed replays a streamed transaction as if it came in one piece. What
// it said of relations holds from here on, as the server assumes, unless the server
// has told others something newer since (a schema can be renamed meanwhile).
func (a *assembler) commitStreamed(f *inFlight, xid uint32) error {
	end, micros := a.msg.end, a.msg.micros
	var c content
	defer c.close()
	c.begin(a.model, a.changes, a.dir)
	replay := func() error {
		var m message
		newer := map[uint32]*change.Relation{}
		told := f.told
		defer func() { maps.Copy(a.relations, newer) }()
		return f.messages.each(func(entry []byte) error {
			at := 0
			if entry[headSize] == msgRelation {
				at, told = told[0], told[1:]
			}
			// What an aborted subtransaction told of relations goes with it: the server tells
			// it again to who needs it, and others may have changed the table since.
			if f.aborted[binary.BigEndian.Uint32(entry)] {
				return nil
			}
			if err := m.parse(entry[headSize:], false); err != nil {
				return err
			}
			a.at = change.LSN(binary.BigEndian.Uint64(entry[headXID:]))
			if m.kind != msgRelation {
				// The server sends messages of subtransactions as if they were the transaction's own.
				c.doubt = c.doubt || m.kind == msgMessage && m.isChange() && len(f.aborted) > 0
				return a.change(&m, &c, true)
			}
			switch oid := m.relation.OID; {
			case at > a.told[oid]:
				a.told[oid] = at
				delete(newer, oid)
			case newer[oid] == nil:
				newer[oid] = a.relations[oid]
			}
			a.relations[m.relation.OID] = m.relation
			return nil
		})
	}
	if end <= a.skip {
		c.discard = true
		return replay()
	}
	tx := a.tx(xid, end, micros)
	tx.Large = true
	if f.messages.total <= PartSize {
		// Small enough for memory: the content is never much larger than the messages.
		if err := replay(); err != nil {
			return err
		}
		if !c.empty() {
			return a.finish(&c, tx)
		}
		return nil
	}
	any, err := f.anyChange(&a.msg)
	if err != nil {
		return err
	}
	if !any {
		c.discard = true
		return replay()
	}
	f.large = true
	tx.parts = func(f func([]byte) error) error {
		c.part = func(part []byte) error {
			tx.Models = c.models[:len(c.models):len(c.models)]
			return f(part)
		}
		if err := replay(); err != nil {
			return err
		}
		if err := c.cut(); err != nil {
			return err
		}
		a.evolved(&c, tx)
		return nil
	}
	if err := a.give(tx); err != nil {
		return err
	}
	if tx.Model == nil {
		return fmt.Errorf("transaction %d was not read by its receiver", xid)
	}
	return nil
}

func (a *assembler) newInFlight(xid uint32) *inFlight {
	f := &inFlight{messages: spool{dir: a.dir, limit: 256 << 10}, aborted: map[uint32]bool{}}
	if a.early != nil {
		f.early = a.early(xid)
	}
	if f.early != nil {
		f.relations, f.given = map[uint32]*change.Relation{}, map[uint32]bool{}
	}
	return f
}

// tell gives the message that was just parsed, of a subtransaction, to who wants to know early.
func (f *inFlight) tell(a *assembler, xid uint32) {
	if f.early == nil {
		return
	}
	m := &a.msg
	switch m.kind {
	case msgRelation:
		f.relations[m.relation.OID] = m.relation
	case msgInsert:
		r := f.relations[m.oid]
		if r == nil {
			r = a.relations[m.oid]
			f.relations[m.oid] = r
		}
		if r == nil || len(m.new) != len(r.Columns) {
			f.early.End()
			return
		}
		f.given[xid] = true
		f.early.Add(r, m.new)
	default:
		if m.kind != msgMessage || m.isChange() {
			f.early.End()
		}
	}
}

// leave frees what the transaction holds. With a reason, its rows are none of a transaction that has committed.
func (f *inFlight) leave(end change.LSN, reason string) {
	f.messages.close()
	if f.early == nil {
		return
	}
	if reason != "" {
		f.early.Cancel(reason)
	}
	f.early.Leave(end)
}

// anyChange says whether something is left of the transaction when what was
// rolled back is taken away.
func (f *inFlight) anyChange(m *message) (bool, error) {
	err := f.messages.each(func(entry []byte) error {
		if f.aborted[binary.BigEndian.Uint32(entry)] {
			return nil
		}
		if err := m.parse(entry[headSize:], false); err != nil {
			return err
		}
		if m.isChange() {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

var errFound = errors.New("found")

func (m *message) isChange() bool {
	switch m.kind {
	case msgInsert, msgUpdate, msgDelete, msgTruncate:
		return true
	}
	return m.kind == msgMessage && m.transactional &&
		(m.prefix == MarkerPrefix || m.prefix == SchemaPrefix || m.prefix == RowsPrefix)
}

// commit ends the transaction that came in one piece.
func (a *assembler) commit(c *content, xid uint32) error {
	defer c.close()
	if c.empty() || a.msg.end <= a.skip {
		return nil
	}
	return a.finish(c, a.tx(xid, a.msg.end, a.msg.micros))
}

func (a *assembler) tx(xid uint32, end change.LSN, micros int64) *Tx {
	tx := &Tx{XID: xid, LSN: end, Commit: change.TimeOf(micros)}
	if !a.sent.IsZero() {
		tx.Behind = a.sent.Sub(tx.Commit)
	}
	return tx
}

// finish emits a transaction whose content is complete.
func (a *assembler) finish(c *content, tx *Tx) error {
	a.evolved(c, tx)
	if tx.Large = c.parts.total > 0; !tx.Large {
		tx.Content = append([]byte(nil), c.buf...)
		return a.give(tx)
	}
	if err := c.cut(); err != nil {
		return err
	}
	tx.parts = c.parts.each
	return a.give(tx)
}

// give emits a transaction. What it says of tables holds if its receiver takes it.
func (a *assembler) give(tx *Tx) error {
	if err := a.emit(tx); err != nil {
		return err
	}
	for _, r := range tx.unsure {
		delete(a.unsure, r.OID)
	}
	a.changed(tx.Model, tx.Changes)
	return nil
}

// evolved takes what the transaction makes of the model.
func (a *assembler) evolved(c *content, tx *Tx) {
	c.made.End(tx.LSN)
	a.model, tx.Model, tx.Models, tx.Changes, tx.doubt, tx.unsure = c.model, c.model, c.models, c.made, c.doubt, c.unsure
	if a.changes == nil {
		a.changes = change.Changes{}
	}
	maps.Copy(a.changes, c.made)
	a.labelled = a.changes[labels]
	if len(a.changes) > a.forgetAt && a.oldest != nil {
		oldest := a.oldest()
		maps.DeleteFunc(a.changes, func(_ change.Address, at change.LSN) bool { return at < oldest })
		a.forgetAt = 2*len(a.changes) + 1000
	}
}

// change takes a message that describes a relation or changes something.
func (a *assembler) change(m *message, c *content, open bool) error {
	switch m.kind {
	case msgOrigin, msgType:
		return nil
	case msgRelation:
		a.clock++
		a.relations[m.relation.OID], a.told[m.relation.OID] = m.relation, a.clock
		return nil
	case msgMessage:
		if !m.isChange() {
			return nil
		}
		if !open {
			return fmt.Errorf("transactional message %q outside a transaction", m.prefix)
		}
		c.marked = true
		if c.discard {
			return nil
		}
		return c.message(m, a.relabels)
	}
	if !open {
		return fmt.Errorf("message %q outside a transaction", m.kind)
	}
	if c.discard {
		return nil
	}
	switch m.kind {
	case msgTruncate:
		for _, oid := range m.oids {
			if _, err := a.use(oid, c); err != nil {
				return err
			}
		}
		c.buf = change.AppendTruncate(c.buf, m.oids, m.options&1 != 0, m.options&2 != 0)
	case msgInsert, msgUpdate, msgDelete:
		rel, err := a.use(m.oid, c)
		if err != nil {
			return err
		}
		if m.kind != msgDelete && len(m.new) != len(rel.Columns) {
			return fmt.Errorf("row of %d columns for %s, which has %d", len(m.new), rel, len(rel.Columns))
		}
		if m.oldKind != change.OldNone && m.kind != msgInsert && len(m.old) != len(rel.Columns) {
			return fmt.Errorf("old row of %d columns for %s, which has %d", len(m.old), rel, len(rel.Columns))
		}
		c.outdated(a, rel)
		switch m.kind {
		case msgInsert:
			c.buf = change.AppendInsert(c.buf, m.oid, m.new)
		case msgUpdate:
			c.buf = change.AppendUpdate(c.buf, m.oid, m.oldKind, m.old, m.new)
		case msgDelete:
			c.buf = change.AppendDelete(c.buf, m.oid, m.oldKind, m.old)
		}
	}
	if len(c.buf) >= PartSize {
		return c.cut()
	}
	return nil
}

// outdated has the rows of a table copied if the values that come can have labels which others have renamed since: the server
// tells a row as it was when it was written, and the transaction ends behind the renaming, under a model that knows the new names.
func (c *content) outdated(a *assembler, rel *change.Relation) {
	if a.at >= a.labelled || slices.Contains(c.copied, rel.OID) {
		return
	}
	if slices.ContainsFunc(rel.Columns, func(c change.Column) bool { return c.Type >= change.FirstUserOID }) {
		c.copied = append(c.copied, rel.OID)
		c.buf = change.AppendRows(c.buf, rel.OID, change.Rewritten)
	}
}

// use puts the relation as the server described it last into the model.
func (a *assembler) use(oid uint32, c *content) (*change.Relation, error) {
	rel := a.relations[oid]
	if rel == nil {
		return nil, fmt.Errorf("change of relation %d, which the server has not described", oid)
	}
	if a.unsure[oid] && !slices.Contains(c.unsure, rel) {
		c.unsure = append(c.unsure, rel)
	}
	if c.model.Relation(oid) == rel {
		return rel, nil
	}
	next := c.model.With(rel)
	if next == c.model {
		a.relations[oid] = c.model.Relation(oid) // equal: the quick comparison holds from now on
		return rel, nil
	}
	c.evolve(next)
	return rel, nil
}

// message takes one of the master's own messages.
func (c *content) message(m *message, relabels func(before, after *change.Entry) bool) error {
	switch m.prefix {
	case RowsPrefix:
		oid, why, err := change.ParseRows(m.content)
		if err != nil {
			return fmt.Errorf("message at %s: %w", m.lsn, err)
		}
		c.buf = change.AppendRows(c.buf, oid, why)
	case SchemaPrefix:
		more, err := c.evolution.Add(m.content)
		if err != nil {
			return fmt.Errorf("message at %s: %w", m.lsn, err)
		}
		if more {
			return nil
		}
		evolution := c.evolution
		c.evolution = change.Evolution{}
		if c.made == nil {
			c.made = change.Changes{}
		}
		if next := c.model.Evolve(&evolution, c.changes, c.made); next != c.model {
			if relabels != nil {
				c.relabelled(&evolution, next, relabels)
			}
			c.evolve(next)
		}
	}
	return nil
}

// labels is the address at which changes say when a label of an enum got another name last.
var labels = change.Address{Class: 3501} // pg_enum

// relabelled notes whether labels have other names in the next model.
func (c *content) relabelled(e *change.Evolution, next *change.Model, relabels func(before, after *change.Entry) bool) {
	for _, s := range e.Set {
		before, after := c.model.Entry(s.Address), next.Entry(s.Address)
		if before == nil || after == nil || before == after || !relabels(before, after) {
			continue
		}
		// Seen later, it is no newer than what is known.
		if s.At == 0 {
			c.made[labels] = 0
		} else if at, there := c.made[labels]; s.At > c.changes[labels] && (!there || at != 0 && s.At > at) {
			c.made[labels] = s.At
		}
	}
}

// evolve puts a model in force. It takes the place of the last one if nothing stands between.
func (c *content) evolve(next *change.Model) {
	if c.evolveEnd > 0 && c.evolveEnd == len(c.buf) {
		c.buf, c.models = c.buf[:c.evolveStart], c.models[:len(c.models)-1]
	}
	c.model = next
	c.models = append(c.models, next)
	c.evolveStart = len(c.buf)
	c.buf = change.AppendEvolve(c.buf, next.Checksum())
	c.evolveEnd = len(c.buf)
}

// content gathers the encoded changes of one transaction.
type content struct {
	buf    []byte // the part that is being filled
	parts  spool  // the parts before it, unless part takes them
	part   func([]byte) error
	model  *change.Model // in force at the end of buf
	models []*change.Model
	// evolveStart and evolveEnd are where the last evolve record of buf stands; 0: there is none.
	evolveStart, evolveEnd int
	changes                change.Changes     // the assembler's
	made                   change.Changes     // by this transaction
	evolution              change.Evolution   // what messages say of the schema, until the last of them
	marked                 bool               // makes a block even without changes
	discard                bool               // the changes are not wanted, only what is said of relations
	doubt                  bool               // some of what the master's messages say may be rolled back
	unsure                 []*change.Relation // of rows of the assembler's unsure tables
	copied                 []uint32           // tables whose rows are to be copied, since labels in them have other names by now
}

func (c *content) begin(model *change.Model, changes change.Changes, dir string) {
	*c = content{changes: changes, buf: c.buf[:0], parts: spool{dir: dir, limit: PartSize + PartSize/2}, model: model}
}

func (c *content) empty() bool { return len(c.buf) == 0 && c.parts.total == 0 && !c.marked }

// cut ends the part; an empty one is left out.
func (c *content) cut() error {
	if len(c.buf) == 0 {
		return nil
	}
	var err error
	if c.part != nil {
		err = c.part(c.buf)
	} else {
		err = c.parts.add(c.buf)
	}
	c.buf, c.evolveStart, c.evolveEnd = c.buf[:0], 0, 0
	return err
}

func (c *content) close() {
	c.parts.close()
	if cap(c.buf) > PartSize/8 {
		c.buf = nil // the next transaction is most likely a small one
	}
	c.models, c.made, c.part, c.unsure, c.copied = nil, nil, nil, nil, nil
}
