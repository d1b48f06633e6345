package pgbridge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// BlockInfo is a block of a log without its content.
type BlockInfo struct {
	Seq         int64           `json:"seq"`
	Epoch       int32           `json:"epoch"`
	XID         uint32          `json:"xid"`
	LSN         change.LSN      `json:"commit_lsn"`
	CommitTime  time.Time       `json:"commit_time"`
	Model       change.Checksum `json:"model"`
	Checksum    change.Checksum `json:"checksum"`
	Parts       int32           `json:"parts"`
	Bytes       int64           `json:"bytes"`        // of the content
	StoredBytes int64           `json:"stored_bytes"` // of the payload, packed
}

// LogList returns at most limit blocks of the master's log, or of a replica's copy of
// it: from block from on, or the newest ones, newest first, if from is 0.
func (b *Bridge) LogList(ctx context.Context, replica string, from int64, limit int) ([]BlockInfo, error) {
	conn, err := b.Connect(ctx, replica)
	if err != nil {
		return nil, err
	}
	defer closeSoon(conn)
	blocks, err := listBlocks(ctx, conn, from, limit)
	if err != nil {
		return nil, logError(replica, err)
	}
	return blocks, nil
}

func listBlocks(ctx context.Context, conn commitlog.Conn, from int64, limit int) ([]BlockInfo, error) {
	order := "order by seq"
	if from <= 0 {
		order = "order by seq desc"
	}
	rows, err := conn.Query(ctx, `
		select seq, epoch, xid, commit_lsn::text, commit_time, model, checksum, parts, bytes,
			octet_length(payload) + (select coalesce(sum(octet_length(p.payload)), 0) from bridge.commit_part p where p.seq = b.seq and b.parts > 1)
		from (select * from bridge.commit_block where seq >= $1 `+order+` limit $2) b
		`+order, from, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (i BlockInfo, err error) {
		var xid int64
		var model, sum []byte
		err = row.Scan(&i.Seq, &i.Epoch, &xid, &i.LSN, &i.CommitTime, &model, &sum, &i.Parts, &i.Bytes, &i.StoredBytes)
		i.XID = uint32(xid)
		copy(i.Model[:], model)
		copy(i.Checksum[:], sum)
		return i, err
	})
}

func logError(replica string, err error) error {
	if errors.Is(err, commitlog.ErrNotInitialized) || isUndefined(err) {
		if replica != "" {
			return fmt.Errorf("replica %s has no log yet: bridge run copies it first", replica)
		}
		return commitlog.ErrNotInitialized
	}
	if replica != "" {
		return fmt.Errorf("read the log of replica %s: %w", replica, err)
	}
	return fmt.Errorf("read the log: %w", err)
}

// LogShow writes a block as JSON: its header, its changes with tables and columns by
// name, and at the end whether its checksum holds. Large blocks are written as they
// are read. Values are in PostgreSQL's text form; what is no text comes as
// {"base64": …}, and what an update left as it was as {"unchanged": true}.
func (b *Bridge) LogShow(ctx context.Context, replica string, seq int64, out io.Writer) error {
	conn, err := b.Connect(ctx, replica)
	if err != nil {
		return err
	}
	defer closeSoon(conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}) // or a part could be trimmed away
	if err != nil {
		return logError(replica, err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	blocks, err := commitlog.Read(ctx, tx, seq-1, 1, 0)
	if err != nil {
		return logError(replica, err)
	}
	if len(blocks) == 0 || blocks[0].Seq != seq {
		return missingBlock(ctx, tx, seq)
	}
	info, err := listBlocks(ctx, tx, seq, 1)
	if err != nil || len(info) == 0 {
		return logError(replica, err)
	}
	s := &blockWriter{ctx: ctx, conn: tx, block: &blocks[0], info: info[0], out: bufio.NewWriter(out)}
	if err := s.write(); err != nil {
		if _, corrupt := errors.AsType[*commitlog.CorruptError](err); corrupt {
			return err // which says the block
		}
		return fmt.Errorf("show block %d: %w", seq, err)
	}
	return s.out.Flush()
}

func missingBlock(ctx context.Context, conn commitlog.Conn, seq int64) error {
	var oldest, newest int64
	err := conn.QueryRow(ctx, `select coalesce(min(seq), 0), coalesce(max(seq), 0) from bridge.commit_block`).Scan(&oldest, &newest)
	switch {
	case err != nil:
		return fmt.Errorf("look for block %d: %w", seq, err)
	case newest == 0:
		return fmt.Errorf("there is no block %d: the log holds no blocks", seq)
	}
	return fmt.Errorf("there is no block %d: the log holds %d to %d", seq, oldest, newest)
}

// blockWriter writes one block as JSON, a change a line.
type blockWriter struct {
	ctx   context.Context
	conn  commitlog.Conn
	block *commitlog.Block
	info  BlockInfo
	out   *bufio.Writer

	model *change.Model // in force at the next change; nil when it is not known
	row   []byte
}

func (s *blockWriter) write() error {
	b := s.block
	prev, model, err := before(s.ctx, s.conn, b.Seq)
	if err != nil {
		return err
	}
	if model.IsZero() {
		model = b.Model // right unless it changes inside the block
	}
	s.load(model)
	head, err := json.MarshalIndent(s.info, "", "  ")
	if err != nil {
		return err
	}
	s.out.Write(head[:len(head)-2])
	s.out.WriteString(",\n  \"changes\": [")
	verify := commitlog.NewVerifier(prev)
	var content []byte
	n := 0
	for part := range b.Parts {
		stored := b.Payload
		if part > 0 {
			if stored, err = commitlog.ReadPart(s.ctx, s.conn, b.Seq, part); err != nil {
				return err
			}
		}
		if content, err = verify.Part(content[:0], b.Seq, stored); err != nil {
			return err
		}
		if err := s.changes(content, &n); err != nil {
			return err
		}
	}
	if n > 0 {
		s.out.WriteString("\n  ")
	}
	verified := "ok"
	if prev.Epoch == 0 {
		verified = "not checked: the block before is not in the log any more"
	} else if err := verify.Block(b); err != nil {
		verified = err.Error()
	}
	fmt.Fprintf(s.out, "],\n  \"verified\": %s\n}\n", jsonText(verified))
	return nil
}

// before is the position that a block is chained to, and the model in force there;
// zero when the log does not hold them.
func before(ctx context.Context, conn commitlog.Conn, seq int64) (p change.Position, m change.Checksum, err error) {
	var sum, model []byte
	err = conn.QueryRow(ctx, `
		select epoch, seq, commit_lsn::text, checksum, model from (
			select epoch, after_seq as seq, start_lsn as commit_lsn, checksum, model, 1 as rank from bridge.epoch where after_seq = $1
			union all
			select epoch, seq, commit_lsn, checksum, model, 2 from bridge.commit_block where seq = $1
		) p
		order by rank, epoch desc
		limit 1`, seq-1).Scan(&p.Epoch, &p.Seq, &p.LSN, &sum, &model)
	if errors.Is(err, pgx.ErrNoRows) {
		return change.Position{}, m, nil
	}
	if err != nil {
		return p, m, fmt.Errorf("look up block %d: %w", seq-1, err)
	}
	if p.Checksum, err = change.ParseChecksum(sum); err != nil {
		return change.Position{}, m, nil
	}
	copy(m[:], model)
	return p, m, nil
}

// load makes a model that in force; without it, values are shown by their place.
func (s *blockWriter) load(sum change.Checksum) {
	model, err := commitlog.LoadModel(s.ctx, s.conn, sum, s.model)
	if err != nil {
		model = change.NewModel()
	}
	s.model = model
}

func (s *blockWriter) changes(content []byte, n *int) error {
	reader := change.NewReader(content)
	var c change.Change
	for {
		more, err := reader.Next(&c)
		if err != nil || !more {
			return err
		}
		if *n > 0 {
			s.out.WriteString(",")
		}
		*n++
		s.row = s.change(append(s.row[:0], "\n    "...), &c)
		if _, err := s.out.Write(s.row); err != nil {
			return err
		}
	}
}

func (s *blockWriter) change(b []byte, c *change.Change) []byte {
	b = fmt.Appendf(b, `{"op": %q`, c.Op.String())
	switch c.Op {
	case change.Evolve:
		s.load(c.Model)
		return fmt.Appendf(b, `, "model": %q}`, c.Model)
	case change.Truncate:
		b = append(b, `, "tables": [`...)
		for i, oid := range c.Relations {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, jsonText(s.table(oid))...)
		}
		return fmt.Appendf(b, `], "cascade": %t, "restart_identity": %t}`, c.Cascade, c.RestartIdentity)
	}
	b = fmt.Appendf(b, `, "table": %s`, jsonText(s.table(c.Relation)))
	rel := s.model.Relation(c.Relation)
	switch c.OldKind {
	case change.OldKey:
		b = appendRow(append(b, `, "key": `...), rel, c.Old, true)
	case change.OldFull:
		b = appendRow(append(b, `, "old": `...), rel, c.Old, false)
	}
	if c.Op != change.Delete {
		b = appendRow(append(b, `, "new": `...), rel, c.New, false)
	}
	return append(b, '}')
}

func (s *blockWriter) table(oid uint32) string {
	if rel := s.model.Relation(oid); rel != nil {
		return rel.String()
	}
	return fmt.Sprintf("oid %d", oid)
}

// appendRow writes a row as an object, or as an array when its columns are not known.
func appendRow(b []byte, rel *change.Relation, row change.Tuple, keyOnly bool) []byte {
	if rel == nil || len(rel.Columns) != len(row) {
		b = append(b, '[')
		for i := range row {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendValue(b, row[i])
		}
		return append(b, ']')
	}
	b = append(b, '{')
	first := true
	for i := range row {
		if keyOnly && !rel.Columns[i].Key {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(append(b, jsonText(rel.Columns[i].Name)...), ": "...)
		b = appendValue(b, row[i])
	}
	return append(b, '}')
}

func appendValue(b []byte, v change.Value) []byte {
	switch {
	case v.Kind == change.Null:
		return append(b, "null"...)
	case v.Kind == change.Unchanged:
		return append(b, `{"unchanged": true}`...)
	case v.Kind == change.Text && utf8.Valid(v.Data):
		return append(b, jsonText(string(v.Data))...)
	}
	b = append(b, `{"base64": "`...)
	b = base64.StdEncoding.AppendEncode(b, v.Data)
	return append(b, `"}`...)
}

// jsonText is a JSON string. What a shell shows stays readable: < and > are not escaped.
func jsonText(s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("pgbridge: encode a string: " + err.Error()) // strings always can be
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
