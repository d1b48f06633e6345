package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// statement is prepared on the applying connection.
type statement struct {
	name     string
	prepared bool
}

// maxStatements bounds what is prepared; a schema with more tables than this
// prepares again now and then.
const maxStatements = 4096

// flight sends statements without waiting for each other's answers. Send, then land.
// The first failure spoils what follows: the transaction has to be rolled back.
type flight struct {
	t        *Target
	ctx      context.Context
	pipeline *pgconn.Pipeline
	waiting  []answer
	unsent   int
	err      error
	busy     chan error // gets what came of it when the connection is not used otherwise any more; nil: it is not

	strict    bool // the server itself refuses wrong numbers of rows, as far as it can
	unchecked bool // it could not for something that has not landed yet
}

// errRows is a wrong number of rows that the server has refused. Which of the statements it was, and what number, it does not say.
var errRows = errors.New("a statement has not changed the rows that it should")

// answer is what is expected for something that was sent.
type answer struct {
	prepare *statement             // a prepared statement, or
	check   func(rows int64) error // the end of an execution; nil: whatever
	fail    func(err error) error  // wraps the server's error; may be nil
}

func (t *Target) takeOff(ctx context.Context) *flight {
	return &flight{t: t, ctx: ctx}
}

// exec sends a statement with text parameters; nil is null. The parameters are not
// kept. check, if there is one, sees the number of affected rows when the flight lands.
func (f *flight) exec(sql string, types []uint32, params [][]byte, check func(rows int64) error, fail func(error) error) {
	f.execIn(nil, sql, types, params, check, fail)
}

// execIn is exec with parameters of the given formats, one each or one for all: 0 text, 1 binary.
func (f *flight) execIn(formats []int16, sql string, types []uint32, params [][]byte, check func(rows int64) error, fail func(error) error) {
	if f.wait() != nil {
		return
	}
	if f.pipeline == nil {
		f.pipeline = f.t.conn.PgConn().StartPipeline(f.ctx)
	}
	s := f.t.statements[sql]
	if s == nil {
		f.t.parsed++
		s = &statement{name: fmt.Sprintf("bridge_%d", f.t.parsed)}
		f.t.statements[sql] = s
		f.pipeline.SendPrepare(s.name, sql, types)
		f.waiting = append(f.waiting, answer{prepare: s, fail: fail})
	}
	f.pipeline.SendQueryPrepared(s.name, params, formats, nil)
	f.waiting = append(f.waiting, answer{check: check, fail: fail})
	if f.unsent++; f.unsent >= 256 {
		f.send()
	}
}

// expect is exec of a statement that has to change so many rows; wrong makes the error for another number.
func (f *flight) expect(want int, sql string, types []uint32, params [][]byte, wrong func(rows int64) error, fail func(error) error) {
	f.expectIn(nil, want, sql, types, params, wrong, fail)
}

// expectIn is expect with parameters of the given formats, as execIn has them; no single one for all.
func (f *flight) expectIn(formats []int16, want int, sql string, types []uint32, params [][]byte, wrong func(rows int64) error, fail func(error) error) {
	if f.strict {
		if checked := f.t.checkedText(sql, len(params)+1); checked != "" {
			if formats != nil {
				formats = append(formats[:len(formats):len(formats)], pgx.TextFormatCode)
			}
			f.execIn(formats, checked, append(types[:len(types):len(types)], pgtype.Int8OID), append(params[:len(params):len(params)], strconv.AppendInt(nil, int64(want), 10)), nil, fail)
			return
		}
		f.unchecked = true
	}
	f.execIn(formats, sql, types, params, func(rows int64) error {
		if rows == int64(want) {
			return nil
		}
		return wrong(rows)
	}, fail)
}

// checkedText gives the statement that checks itself, and keeps it as long as what is prepared; empty: there is none.
func (t *Target) checkedText(sql string, last int) string {
	checked, ok := t.checked[sql]
	if !ok {
		checked, _ = checkedRows(sql, last)
		t.checked[sql] = checked
	}
	return checked
}

// checkedRows makes a statement fail by a division by zero unless it changes, or finds, as many rows as its last parameter says.
func checkedRows(sql string, last int) (string, bool) {
	switch {
	case strings.HasPrefix(sql, "with "):
		return "", false // one that changes rows can not stand within another
	case !strings.HasPrefix(sql, "select "):
		sql += " returning 1"
	}
	return fmt.Sprintf("with changed as (%s) select 1 operator(pg_catalog./) (pg_catalog.count(*) operator(pg_catalog.=) $%d)::pg_catalog.int4 from changed", sql, last), true
}

const divisionByZero = "22012"

// send has the server begin with what is there, which it would do at the landing.
func (f *flight) send() error {
	if f.err == nil && f.unsent > 0 {
		f.unsent = 0
		if err := f.pipeline.Flush(); err != nil {
			f.err = f.t.wrap("send", err)
		}
	}
	return f.err
}

// beside has do use the connection while what is to be sent next is made; it is waited for before that is sent.
func (f *flight) beside(do func() error) {
	if f.land() != nil {
		return
	}
	f.busy = make(chan error, 1)
	go func() { f.busy <- do() }()
}

// free says whether nothing uses the connection beside, or does no more.
func (f *flight) free() bool {
	select {
	case err := <-f.busy: // never, if there is nothing
		f.ended(err)
	default:
	}
	return f.busy == nil
}

// wait waits for what uses the connection beside.
func (f *flight) wait() error {
	if f.busy != nil {
		f.ended(<-f.busy)
	}
	return f.err
}

// ended notes what came of what used the connection beside.
func (f *flight) ended(err error) {
	f.busy = nil
	if f.err == nil {
		f.err = err
	}
}

// land waits for all answers and returns the first error. The flight can be used
// again afterwards.
func (f *flight) land() error {
	f.wait()
	if f.pipeline == nil {
		return f.err
	}
	p := f.pipeline
	f.pipeline, f.unsent = nil, 0
	if err := p.Sync(); err != nil && f.err == nil {
		f.err = f.t.wrap("send", err)
	}
	if f.err == nil {
		f.err = f.answers(p)
	}
	if err := p.Close(); err != nil && f.err == nil {
		f.err = f.t.wrap("receive", err)
	}
	if f.err != nil {
		for _, a := range f.waiting {
			if a.prepare != nil && !a.prepare.prepared {
				f.t.forget(a.prepare)
			}
		}
	}
	f.waiting, f.unchecked = f.waiting[:0], false
	if f.err == nil && max(len(f.t.statements), len(f.t.checked)) > maxStatements {
		f.err = f.t.forgetAll(f.ctx)
	}
	return f.err
}

func (f *flight) answers(p *pgconn.Pipeline) error {
	for _, a := range f.waiting {
		result, err := p.GetResults()
		if err == nil && result == nil {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return f.failed(a, err)
		}
		switch result := result.(type) {
		case *pgconn.StatementDescription:
			a.prepare.prepared = true
		case *pgconn.ResultReader:
			tag, err := result.Close()
			if err != nil {
				return f.failed(a, err)
			}
			if a.check != nil {
				if err := a.check(tag.RowsAffected()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *flight) failed(a answer, err error) error {
	var pg *pgconn.PgError
	if f.strict && errors.As(err, &pg) && pg.Code == divisionByZero {
		return errRows
	}
	if a.fail != nil && !lost(err) {
		return a.fail(err)
	}
	return f.t.wrap("apply", err)
}

// forget removes a statement that was not prepared after all.
func (t *Target) forget(s *statement) {
	for sql, known := range t.statements {
		if known == s {
			delete(t.statements, sql)
		}
	}
}

func (t *Target) forgetAll(ctx context.Context) error {
	clear(t.statements)
	clear(t.checked)
	return t.wrap("deallocate statements", t.conn.DeallocateAll(ctx))
}

// connectionBroken says whether the error is that of a connection that is gone.
func connectionBroken(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}
