package pgbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// CorruptBlock is a block that does not verify. Seq is 0 when the log as a whole is meant.
type CorruptBlock struct {
	Seq     int64  `json:"seq"`
	Problem string `json:"problem"`
}

func (c CorruptBlock) String() string {
	if c.Seq == 0 {
		return c.Problem
	}
	return fmt.Sprintf("block %d: %s", c.Seq, c.Problem)
}

// VerifyOptions tell what is heard of a LogVerify while it works; both may be nil.
type VerifyOptions struct {
	Found    func(CorruptBlock)
	Progress func(blocks, total int64)
}

// VerifyReport is what a LogVerify saw.
type VerifyReport struct {
	From    int64    `json:"from"` // 0: the log holds no blocks
	To      int64    `json:"to"`
	Blocks  int64    `json:"blocks"`
	Bytes   int64    `json:"bytes"` // of content
	Corrupt int64    `json:"corrupt"`
	Notes   []string `json:"notes"` // what could not be checked
}

// LogVerify checks the master's log, or a replica's copy of it, from the oldest block
// to the newest: checksums of the stored bytes and of the content, the chain, gaps,
// parts and models. A replica's log is also compared with the master's. It goes on
// behind what is corrupt.
func (b *Bridge) LogVerify(ctx context.Context, replica string, o VerifyOptions) (*VerifyReport, error) {
	conn, err := b.Connect(ctx, replica)
	if err != nil {
		return nil, err
	}
	defer closeSoon(conn)
	w := &logWalk{ctx: ctx, conn: conn, o: o, models: map[change.Checksum]bool{}, report: &VerifyReport{Notes: []string{}}}
	if replica != "" {
		w.master, err = b.Connect(ctx, "")
		if err != nil {
			w.note("not compared with the master's log: %v", err)
		} else {
			defer closeSoon(w.master)
		}
	}
	if err := w.walk(); err != nil {
		return nil, logError(replica, err)
	}
	if err := w.orphans(); err != nil {
		return nil, logError(replica, err)
	}
	if replica != "" {
		if err := w.position(); err != nil {
			return nil, logError(replica, err)
		}
	}
	if w.master != nil {
		if err := w.agreement(); err != nil {
			return nil, fmt.Errorf("compare with the master's log: %w", err)
		}
	}
	return w.report, nil
}

// logWalk is one verification of a log.
type logWalk struct {
	ctx    context.Context
	conn   *pgx.Conn
	master *pgx.Conn // to compare a replica's log with; may be nil
	o      VerifyOptions
	report *VerifyReport

	models map[change.Checksum]bool // seen, and looked for
	prev   change.Position          // what the next block is chained to; Epoch is 0 when that is not known
	buf    []byte
}

const (
	verifyBlocks = 1000
	verifyBytes  = 8 << 20
)

func (w *logWalk) found(seq int64, format string, args ...any) {
	w.report.Corrupt++
	if w.o.Found != nil {
		w.o.Found(CorruptBlock{seq, fmt.Sprintf(format, args...)})
	}
}

func (w *logWalk) note(format string, args ...any) {
	w.report.Notes = append(w.report.Notes, fmt.Sprintf(format, args...))
}

// walk verifies the blocks that are there when it begins.
func (w *logWalk) walk() error {
	r := w.report
	err := w.conn.QueryRow(w.ctx, `select coalesce(min(seq), 0), coalesce(max(seq), 0) from bridge.commit_block`).Scan(&r.From, &r.To)
	if err != nil || r.To == 0 {
		return err
	}
	if err := w.link(r.From); err != nil {
		return err
	}
	for after := r.From - 1; after < r.To; {
		limit := min(verifyBlocks, r.To-after)
		blocks, err := commitlog.Read(w.ctx, w.conn, after, int(limit), verifyBytes)
		var unreadable *commitlog.CorruptError
		if errors.As(err, &unreadable) {
			// What stands before it can be read on its own.
			if unreadable.Seq > after+1 {
				blocks, err = commitlog.Read(w.ctx, w.conn, after, int(unreadable.Seq-after-1), verifyBytes)
			}
			if len(blocks) == 0 {
				w.found(unreadable.Seq, "%s", unreadable.Reason)
				r.Blocks++
				after = unreadable.Seq
				w.prev = change.Position{}
				continue
			}
		}
		if err != nil {
			return err
		}
		if len(blocks) == 0 {
			break // what was there has gone
		}
		for i := range blocks {
			if err := w.block(&blocks[i], after); err != nil {
				return err
			}
			after = blocks[i].Seq
		}
		if w.o.Progress != nil {
			w.o.Progress(after-r.From+1, r.To-r.From+1)
		}
	}
	return nil
}

// link finds what block seq is chained to: the block before, the start of an epoch, or
// on a replica the master's block.
func (w *logWalk) link(seq int64) (err error) {
	if w.prev, _, err = before(w.ctx, w.conn, seq); err != nil || w.prev.Epoch != 0 {
		return err
	}
	if w.master != nil {
		if w.prev, _, err = before(w.ctx, w.master, seq); err != nil {
			return fmt.Errorf("read the master's log: %w", err)
		}
	}
	if w.prev.Epoch == 0 {
		w.note("the link of block %d to the one before is not checked: that is not in the log any more", seq)
	}
	return nil
}

// block verifies a block that comes next in the log behind block after.
func (w *logWalk) block(b *commitlog.Block, after int64) error {
	if b.Seq != after+1 {
		oldest, err := commitlog.Oldest(w.ctx, w.conn)
		if err != nil {
			return err
		}
		switch first, last := after+1, b.Seq-1; {
		case oldest > first:
			w.note("blocks up to %d were trimmed meanwhile", last)
		case first == last:
			w.found(first, "it is missing")
		default:
			w.found(first, "it and all up to block %d are missing", last)
		}
		w.prev = change.Position{}
	}
	if w.prev.Epoch != 0 && b.Epoch != w.prev.Epoch {
		// A new epoch names the block it goes on from.
		prev, _, err := before(w.ctx, w.conn, b.Seq)
		if err != nil {
			return err
		}
		if prev.Epoch == b.Epoch {
			w.prev = prev
		}
	}
	if problem, err := w.content(b); err != nil {
		return err
	} else if problem != nil {
		var corrupt *commitlog.CorruptError
		if errors.As(problem, &corrupt) {
			w.found(b.Seq, "%s", corrupt.Reason)
		} else {
			w.found(b.Seq, "%v", problem)
		}
	}
	w.report.Blocks++
	w.report.Bytes += b.Bytes
	w.prev = b.Position()
	return w.modelOf(b)
}

// content verifies a block's parts and, if it is known what the block is chained to,
// its checksum. What is wrong with the block is the problem, not the error.
func (w *logWalk) content(b *commitlog.Block) (problem, err error) {
	verify := commitlog.NewVerifier(w.prev)
	var size int64
	for part := range b.Parts {
		stored := b.Payload
		if part > 0 {
			stored, err = commitlog.ReadPart(w.ctx, w.conn, b.Seq, part)
			var missing *commitlog.CorruptError
			if errors.As(err, &missing) {
				return err, nil
			}
			if err != nil {
				return nil, err
			}
		}
		if w.buf, err = verify.Part(w.buf[:0], b.Seq, stored); err != nil {
			return err, nil
		}
		size += int64(len(w.buf))
		if err := readable(w.buf); err != nil {
			return fmt.Errorf("part %d: %w", part, err), nil
		}
	}
	switch {
	case w.prev.Epoch != 0:
		return verify.Block(b), nil
	case b.Parts < 1:
		return fmt.Errorf("the header says that it has %d parts", b.Parts), nil
	case b.Bytes != size:
		return fmt.Errorf("it holds %d bytes, the header says %d", size, b.Bytes), nil
	}
	return nil, nil
}

// readable says why content can not be read as changes.
func readable(content []byte) error {
	reader := change.NewReader(content)
	var c change.Change
	for {
		if more, err := reader.Next(&c); err != nil || !more {
			return err
		}
	}
}

// modelOf checks that the log holds the block's model.
func (w *logWalk) modelOf(b *commitlog.Block) error {
	if w.models[b.Model] {
		return nil
	}
	w.models[b.Model] = true
	_, err := commitlog.LoadModel(w.ctx, w.conn, b.Model, nil)
	if err != nil && w.conn.IsClosed() {
		return err
	}
	if err != nil {
		w.found(b.Seq, "its model can not be read: %v", err)
	}
	return nil
}

// orphans finds parts that belong to no block.
func (w *logWalk) orphans() error {
	rows, err := w.conn.Query(w.ctx, `
		select distinct p.seq
		from bridge.commit_part p
		left join bridge.commit_block b on b.seq = p.seq
		where b.seq is null or p.part >= b.parts or p.part < 1
		order by p.seq`)
	if err != nil {
		return err
	}
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&seq}, func() error {
		w.found(seq, "there are parts that no header speaks of")
		return nil
	})
	return err
}

// position checks that a replica stands where its log ends.
func (w *logWalk) position() error {
	var at, head int64
	var sum, stored []byte
	err := w.conn.QueryRow(w.ctx, `
		select p.seq, p.checksum, b.checksum, (select coalesce(max(seq), 0) from bridge.commit_block)
		from bridge.position p
		left join bridge.commit_block b on b.seq = p.seq`).Scan(&at, &sum, &stored, &head)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case head > 0 && head != at:
		w.found(0, "the replica's position is block %d, its log ends at block %d", at, head)
	case stored != nil && string(stored) != string(sum):
		w.found(at, "the replica's position has another checksum")
	}
	return nil
}

// agreement compares a replica's log with the master's: by the chain, logs that agree
// at one block agree on all before.
func (w *logWalk) agreement() error {
	var oldest, head int64
	if err := w.master.QueryRow(w.ctx, `select coalesce(min(seq), 0), coalesce(max(seq), 0) from bridge.commit_block`).Scan(&oldest, &head); err != nil {
		return err
	}
	low, high := max(oldest, w.report.From), min(head, w.report.To)
	if w.report.To == 0 || head == 0 || low > high {
		w.note("not compared with the master's log: the two have no block in common")
		return nil
	}
	same, err := w.sameAt(high)
	if err != nil || same {
		return err
	}
	for last := high; low < last; {
		mid := low + (last-low)/2
		if same, err = w.sameAt(mid); err != nil {
			return err
		}
		if same {
			low = mid + 1
		} else {
			last = mid
		}
	}
	w.found(low, "it is not the master's: from here on the two logs differ")
	return nil
}

func (w *logWalk) sameAt(seq int64) (bool, error) {
	var sums [2][]byte
	for i, conn := range []*pgx.Conn{w.conn, w.master} {
		err := conn.QueryRow(w.ctx, `select checksum from bridge.commit_block where seq = $1`, seq).Scan(&sums[i])
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return false, err
		}
	}
	// A block that is missing, or was trimmed meanwhile, is not this check's matter.
	return sums[0] == nil || sums[1] == nil || string(sums[0]) == string(sums[1]), nil
}
