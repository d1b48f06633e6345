package postgres

import (
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
)

// A large transaction is mostly one that inserts very many rows. There is nothing to merge in a run of inserts
// into one table: the rows go into one COPY as they are read, and the server loads them while the next ones are read.

// copyIn is a COPY into a table that goes on from row to row. The connection is its until it has ended.
type copyIn struct {
	tbl  *table
	seq  int64
	rows int
	buf  []byte      // rows that are gathered
	data chan []byte // closed at the end
	cur  []byte      // of Read
	cut  bool        // set before data is closed: it is to fail
	done chan struct{}
	tag  pgconn.CommandTag // behind done
	err  error
}

const (
	copyInFrom  = 1000     // inserts into one table in a row
	copyInBytes = 64 << 10 // are sent at a time
)

var errCut = errors.New("the transaction is rolled back")

// Read gives the rows to the connection.
func (c *copyIn) Read(p []byte) (int, error) {
	for len(c.cur) == 0 {
		var more bool
		if c.cur, more = <-c.data; !more {
			if c.cut {
				return 0, errCut
			}
			return 0, io.EOF
		}
	}
	n := copy(p, c.cur)
	c.cur = c.cur[n:]
	return n, nil
}

func (c *copyIn) add(row change.Tuple) {
	c.rows++
	if c.buf = appendCopyRow(c.buf, row); len(c.buf) >= copyInBytes {
		c.send()
	}
}

// send gives what is gathered to the connection; what failed shows at the end.
func (c *copyIn) send() {
	select {
	case c.data <- c.buf:
	case <-c.done:
	}
	c.buf = make([]byte, 0, copyInBytes+copyInBytes/8)
}

// pour adds an insert of a large block to the COPY into its table; not if there is none, and none begins with it.
func (r *run) pour(tbl *table, seq int64, row change.Tuple) (bool, error) {
	if r.pouring == nil {
		if r.inserts.tbl != tbl {
			r.inserts.tbl, r.inserts.row = tbl, 0
		}
		if r.inserts.row++; r.inserts.row < copyInFrom || len(tbl.columns) == 0 || r.t.copies[tbl.rel.OID] != nil || !r.t.ahead.IsZero() {
			return false, nil
		}
		// What is gathered comes before.
		if err := r.flush(); err != nil {
			return false, err
		}
		if err := r.flight.land(); err != nil {
			return false, err
		}
		r.pourInto(tbl, seq)
	}
	r.pouring.add(row)
	return true, nil
}

// pourInto begins a COPY.
func (r *run) pourInto(tbl *table, seq int64) {
	c := &copyIn{tbl: tbl, seq: seq, data: make(chan []byte, 4), done: make(chan struct{})}
	r.pouring = c
	go func() { // waited for by poured
		defer close(c.done)
		c.tag, c.err = r.t.conn.PgConn().CopyFrom(r.ctx, c, tbl.sqlCopy())
	}()
}

// poured ends the COPY, if there is one, and says what came of it.
func (r *run) poured() error {
	r.inserts.tbl = nil
	c := r.pouring
	if c == nil {
		return nil
	}
	if len(c.buf) > 0 {
		c.send()
	}
	r.endCopy()
	return r.copied(&batch{tbl: c.tbl, first: c.seq, last: c.seq}, c.rows, c.tag, c.err)
}

// cut ends the COPY of a transaction that is to be rolled back. Its error is returned if it failed before.
func (r *run) cut() error {
	c := r.pouring
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return r.poured()
	default:
	}
	c.cut = true
	r.endCopy()
	return nil
}

func (r *run) endCopy() {
	close(r.pouring.data)
	<-r.pouring.done
	r.pouring = nil
}
