package commitlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
)

// Channel is what the writer notifies of new blocks; the payload is the number of the last one.
const Channel = "bridge_block"

// Entry is a transaction to be appended.
type Entry struct {
	XID    uint32
	LSN    change.LSN
	Commit time.Time
	Model  *change.Model   // in force at the end
	Models []*change.Model // that came into force in it; they are stored with it

	Changes change.Changes // of the model

	Content []byte
}

// Made is a block that is not in the sync table yet.
type Made struct {
	Block
	entry Entry // without content
}

// Writer appends blocks to the sync table. It owns its connection, which should
// run with synchronous_commit=off. Not for concurrent use, but for Make beside Store.
//
// There can be only one: it is whoever reads the slot. Should two ever write, the
// second fails on the block number, and the block of the first is the right one.
type Writer struct {
	Tail *Tail // gets the blocks; may be nil

	made change.Position // of the last block that was made

	conn  *pgx.Conn
	head  change.Position // of the last block that was stored
	model *change.Model   // in force there
	upper int64           // partitions take the blocks below

	durability Durability
}

// ErrNotInitialized says that a database has no log.
var ErrNotInitialized = errors.New("there is no commit log: run bridge init")

// OpenWriter finds the log's end. What is there counts as durable only once
// Durable has said so.
func OpenWriter(ctx context.Context, conn *pgx.Conn) (*Writer, error) {
	head, sum, err := Head(ctx, conn)
	if err != nil {
		return nil, err
	}
	model, err := LoadModel(ctx, conn, sum, nil)
	if err != nil {
		return nil, err
	}
	return &Writer{conn: conn, made: head, head: head, model: model}, nil
}

// Head is the last block's position, or the anchor of a log without blocks, and
// the model in force there.
func Head(ctx context.Context, conn *pgx.Conn) (change.Position, change.Checksum, error) {
	var p change.Position
	var sum, model []byte
	err := conn.QueryRow(ctx, `
		select epoch, seq, commit_lsn::text, checksum, model from (
			(select epoch, seq, commit_lsn, checksum, model from bridge.commit_block order by seq desc limit 1)
			union all
			(select epoch, after_seq, start_lsn, checksum, model from bridge.epoch order by epoch desc limit 1)
		) l
		order by seq desc, epoch desc
		limit 1`).Scan(&p.Epoch, &p.Seq, &p.LSN, &sum, &model)
	if errors.Is(err, pgx.ErrNoRows) || undefined(err) {
		return p, change.Checksum{}, ErrNotInitialized
	}
	if err != nil {
		return p, change.Checksum{}, fmt.Errorf("read the log's head: %w", err)
	}
	if p.Checksum, err = change.ParseChecksum(sum); err != nil {
		return p, change.Checksum{}, &CorruptError{p.Seq, err.Error()}
	}
	m, err := change.ParseChecksum(model)
	if err != nil {
		return p, change.Checksum{}, &CorruptError{p.Seq, err.Error()}
	}
	return p, m, nil
}

// Head is the last block that was stored.
func (w *Writer) Head() change.Position { return w.head }

// Changes tells when entries of the model changed, as far as a transaction can ask that has not
// ended in the log yet.
func (w *Writer) Changes(ctx context.Context) (change.Changes, error) {
	rows, err := w.conn.Query(ctx, `select class, oid, lsn::text from bridge.model_change`)
	if err != nil {
		return nil, fmt.Errorf("look up the changes of the model: %w", err)
	}
	changes := change.Changes{}
	var address change.Address
	var lsn change.LSN
	if _, err := pgx.ForEachRow(rows, []any{&address.Class, &address.OID, &lsn}, func() error {
		changes[address] = lsn
		return nil
	}); err != nil {
		return nil, fmt.Errorf("look up the changes of the model: %w", err)
	}
	return changes, nil
}

// Forget forgets the changes of the model that nobody asks for any more, and tells from where on they are kept:
// what a transaction that is not decoded yet has seen, it has seen behind the slot's restart_lsn.
func (w *Writer) Forget(ctx context.Context, slot string) (from change.LSN, err error) {
	if err := w.conn.QueryRow(ctx, `
		select coalesce((select restart_lsn from pg_catalog.pg_replication_slots where slot_name = $1), '0/0')::text`, slot).Scan(&from); err != nil {
		return 0, fmt.Errorf("look up replication slot %q: %w", slot, err)
	}
	if _, err := w.conn.Exec(ctx, `delete from bridge.model_change where lsn < $1::text::pg_lsn`, from.String()); err != nil {
		return 0, fmt.Errorf("forget old changes of the model: %w", err)
	}
	return from, nil
}

// queueChanges queues what a block changes of the model.
func queueChanges(batch *pgx.Batch, changes change.Changes) {
	if len(changes) == 0 {
		return
	}
	var classes, oids []uint32
	var lsns []string
	for address, lsn := range changes {
		classes, oids, lsns = append(classes, address.Class), append(oids, address.OID), append(lsns, lsn.String())
	}
	batch.Queue(`
		insert into bridge.model_change as c (class, oid, lsn)
		select * from unnest($1::oid[], $2::oid[], $3::text[]::pg_lsn[])
		on conflict (class, oid) do update set lsn = excluded.lsn`, classes, oids, lsns)
}

// Model is the model in force at the head.
func (w *Writer) Model() *change.Model { return w.model }

// next makes the header of the block behind the head.
func next(e *Entry, head change.Position, parts int32, bytes int64) Header {
	return Header{
		Epoch: head.Epoch, Seq: head.Seq + 1, XID: e.XID, LSN: e.LSN, Commit: e.Commit,
		Model: e.Model.Checksum(), Parts: parts, Bytes: bytes,
	}
}

// Make makes the next block of a transaction that is not large. Who applies blocks in this process gets it at once, since
// it is the same if it has to be made again; but models are looked up in the sync table, so one with a model has
// to be stored first. The content is not kept.
func (w *Writer) Make(e Entry) Made {
	m := Made{entry: e}
	m.Payload = Pack(make([]byte, 0, len(e.Content)+packHeader), e.Content)
	m.Header = next(&e, w.made, 1, int64(len(e.Content)))
	m.Checksum = m.Sum(w.made.Checksum, sha256.Sum256(e.Content))
	m.entry.Content = nil
	w.made = m.Position()
	if len(e.Models) == 0 {
		w.Tail.Feed(m.Block)
	}
	return m
}

// Store stores the blocks that were made next, all in one transaction of the
// database, in one round trip if they are few. When it returns they can be read by everyone; they
// survive a crash once Durable reports them.
func (w *Writer) Store(ctx context.Context, made []Made) error {
	n := len(made)
	if n == 0 {
		return nil
	}
	last := &made[n-1]
	if err := w.partition(ctx, last.Seq); err != nil {
		return err
	}
	blocks := make([]Block, n)
	for i := range made {
		blocks[i] = made[i].Block
	}
	if err := w.store(ctx, made, blocks); err != nil {
		return fmt.Errorf("append blocks %d to %d: %w", made[0].Seq, last.Seq, err)
	}
	w.head, w.model = last.Position(), last.entry.Model
	for i := range made {
		if len(made[i].entry.Models) > 0 {
			w.Tail.Feed(blocks[i])
		}
	}
	return nil
}

// store stores blocks and what belongs to them in one transaction.
func (w *Writer) store(ctx context.Context, made []Made, blocks []Block) (err error) {
	batch := &pgx.Batch{}
	many := len(blocks) >= CopyFrom
	if many {
		if _, err := w.conn.Exec(ctx, "begin"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				w.conn.Exec(context.WithoutCancel(ctx), "rollback") // else the connection has ended, and the transaction with it
			}
		}()
	}
	known := w.model
	for i := range made {
		for _, m := range made[i].entry.Models {
			QueueModel(batch, m, blocks[i].Seq, known)
			known = m
		}
		queueChanges(batch, made[i].entry.Changes)
	}
	if err := StoreBlocks(ctx, w.conn, batch, blocks); err != nil {
		return err
	}
	queueNotify(batch, blocks[len(blocks)-1].Seq)
	if many {
		batch.Queue("commit")
	}
	return w.conn.SendBatch(ctx, batch).Close()
}

// AppendLarge makes and stores the block of one transaction whose content comes in parts, which are stored
// as they come; all that was made before is stored already. entry gives what is known: the position and the time from the
// beginning, with each part the models that have come into force by its end, and all of it behind the last one.
func (w *Writer) AppendLarge(ctx context.Context, parts func(func([]byte) error) error, entry func() Entry) (err error) {
	seq := w.head.Seq + 1
	if err := w.partition(ctx, seq); err != nil {
		return err
	}
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("append block %d: %w", seq, err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	// Who applies it in this process begins now, and ends when the block is made.
	e := entry()
	large := w.Tail.grow(Block{Header: Header{Epoch: w.head.Epoch, Seq: seq, XID: e.XID, LSN: e.LSN, Commit: e.Commit}}, w.model)
	defer func() { large.finish(nil, err) }() // does nothing when it is made
	var (
		digest = hash.Hash(sha256.New())
		first  []byte
		packed [3][]byte // one is being filled, one waits, one is being stored
		count  int32
		size   int64
	)
	// A part is stored while the next one is made.
	store, stored := make(chan []byte, 1), make(chan error, 1)
	go func() { stored <- w.storeParts(ctx, tx, seq, store) }()
	err = parts(func(part []byte) error {
		digest.Write(part)
		size += int64(len(part))
		count++
		if count == 1 {
			first = Pack(nil, part)
			large.add(first, entry().Models)
			return nil
		}
		p := &packed[count%3]
		*p = Pack((*p)[:0], part)
		large.add(*p, entry().Models)
		select {
		case store <- *p:
			return nil
		case err := <-stored:
			stored <- err
			return err
		}
	})
	close(store)
	if e := <-stored; err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("append block %d, part %d: %w", seq, count, err)
	}
	e = entry()
	if count == 0 {
		first, count = Pack(nil, nil), 1
		large.add(first, e.Models)
	}
	b := Block{Header: next(&e, w.head, count, size), Payload: first}
	b.Checksum = b.Sum(w.head.Checksum, [sha256.Size]byte(digest.Sum(nil)))
	if len(e.Models) == 0 { // which are looked up in the sync table by what comes behind the block
		large.finish(&b, nil)
	}
	batch := &pgx.Batch{}
	known := w.model
	for _, m := range e.Models {
		QueueModel(batch, m, seq, known)
		known = m
	}
	queueChanges(batch, e.Changes)
	queueBlocks(batch, []Block{b})
	queueNotify(batch, seq)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("append block %d: %w", seq, err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("append block %d: %w", seq, err)
	}
	large.finish(&b, nil)
	w.made, w.head, w.model = b.Position(), b.Position(), e.Model
	w.Tail.Feed(b)
	return nil
}

// storeParts stores the parts of a block from part 1 on, until there are no more, or one fails.
func (w *Writer) storeParts(ctx context.Context, tx pgx.Tx, seq int64, parts <-chan []byte) error {
	n := int32(0)
	for payload := range parts {
		n++
		if _, err := tx.Exec(ctx, `insert into bridge.commit_part (seq, part, payload) values ($1, $2, $3)`, seq, n, payload); err != nil {
			return err
		}
	}
	return nil
}

// Durable is the last block that is known to survive a crash of the database. The
// answer is late by one call: it is the head as of an earlier call, once the
// write-ahead log has been flushed past where it stood then. It writes nothing.
func (w *Writer) Durable(ctx context.Context) (change.Position, error) {
	return w.durability.Reached(ctx, w.conn, w.head)
}

// partition sees to it that there is a partition for the blocks up to seq.
func (w *Writer) partition(ctx context.Context, seq int64) error {
	for next := w.head.Seq + 1; seq >= w.upper; next = w.upper {
		upper, err := AddPartition(ctx, w.conn, next)
		if err != nil {
			return err
		}
		w.upper = upper
	}
	return nil
}

// AddPartition makes the partition that takes block seq, if there is none, and
// returns the first seq behind it.
func AddPartition(ctx context.Context, conn Conn, seq int64) (upper int64, err error) {
	if err := conn.QueryRow(ctx, `select bridge.add_partition($1)`, seq).Scan(&upper); err != nil {
		return 0, fmt.Errorf("add a partition for block %d: %w", seq, err)
	}
	return upper, nil
}

// queueNotify tells who listens up to which block there are some.
func queueNotify(batch *pgx.Batch, seq int64) {
	batch.Queue(`select pg_catalog.pg_notify('`+Channel+`', $1::bigint::text)`, seq)
}

// queueBlocks queues the insert of rows as they are.
func queueBlocks(batch *pgx.Batch, blocks []Block) {
	n := len(blocks)
	var (
		seq, xid, bytes     = make([]int64, n), make([]int64, n), make([]int64, n)
		epoch, parts        = make([]int32, n), make([]int32, n)
		lsn                 = make([]string, n)
		at                  = make([]time.Time, n)
		model, sum, payload = make([][]byte, n), make([][]byte, n), make([][]byte, n)
	)
	for i := range blocks {
		b := &blocks[i]
		seq[i], epoch[i], xid[i], lsn[i], at[i] = b.Seq, b.Epoch, int64(b.XID), b.LSN.String(), b.Commit
		model[i], sum[i], parts[i], bytes[i], payload[i] = b.Model[:], b.Checksum[:], b.Parts, b.Bytes, b.Payload
	}
	batch.Queue(`
		insert into bridge.commit_block (`+blockColumns+`)
		select s, e, x, l::pg_catalog.pg_lsn, t, m, c, p, b, y
		from unnest($1::bigint[], $2::integer[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bytea[], $7::bytea[], $8::integer[], $9::bigint[], $10::bytea[])
			as u (s, e, x, l, t, m, c, p, b, y)`,
		seq, epoch, xid, lsn, at, model, sum, parts, bytes, payload)
}

// QueueModel queues the insert of a model that comes into force in block seq, and of its
// objects as far as they are not in known, a model that is stored already; nil: none is.
func QueueModel(batch *pgx.Batch, m *change.Model, seq int64, known *change.Model) {
	objects := m.Objects()
	all := make([][]byte, len(objects))
	var there []*change.Object
	if known != nil {
		there = known.Objects()
	}
	var sums [][]byte
	var kinds, names, definitions []string
	for i, o := range objects {
		all[i] = o.Checksum[:]
		for len(there) > 0 && bytes.Compare(there[0].Checksum[:], o.Checksum[:]) < 0 {
			there = there[1:]
		}
		if len(there) > 0 && there[0].Checksum == o.Checksum {
			continue
		}
		sums, kinds, names, definitions = append(sums, o.Checksum[:]), append(kinds, o.Kind), append(names, o.Name), append(definitions, o.Definition)
	}
	if len(sums) > 0 {
		batch.Queue(`
			insert into bridge.model_object (checksum, kind, name, definition)
			select * from unnest($1::bytea[], $2::text[], $3::text[], $4::text[])
			on conflict do nothing`, sums, kinds, names, definitions)
	}
	sum := m.Checksum()
	batch.Queue(`
		insert into bridge.model as m (checksum, objects, seq) values ($1, $2, $3)
		on conflict (checksum) do update set seq = excluded.seq where m.seq < excluded.seq`, sum[:], all, seq)
}
