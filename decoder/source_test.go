package decoder

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
)

func TestStandbyStatusIsGolden(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 34, 56, 789_012_345, time.UTC)
	gold.Bytes(t, "standby_status", standbyStatus(0x16b374d848, now, false))
	gold.Bytes(t, "standby_status_reply", standbyStatus(0, now, true))
}

func TestAcknowledgeable(t *testing.T) {
	for _, c := range []struct {
		name                string
		durable, emitted    change.LSN
		serverEnd, expected change.LSN
	}{
		{"nothing is known yet", 0, 100, 0, 0},
		{"nothing is durable yet, the server is ahead", 0, 100, 500, 0},
		{"all is durable", 100, 100, 0, 100},
		{"all is durable, and what the server sent since holds nothing", 100, 100, 500, 500},
		{"something is on its way, the server's end is before it", 100, 200, 150, 100},
		{"something is on its way, the server's end is behind it", 100, 200, 500, 100},
		{"the server's end is older than what is durable", 300, 300, 200, 300},
	} {
		s := &source{durable: func() change.LSN { return c.durable }}
		s.emitted.Store(uint64(c.emitted))
		s.serverEnd.Store(uint64(c.serverEnd))
		if got := s.acknowledgeable(); got != c.expected {
			t.Errorf("%s: %s, want %s", c.name, got, c.expected)
		}
	}
}

// server is the other end of a replication connection.
type server struct {
	t    *testing.T
	conn net.Conn
}

func (s *server) send(m pgproto3.BackendMessage) {
	s.t.Helper()
	b, err := m.Encode(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(b)
}

func (s *server) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

// wal sends pgoutput messages.
func (s *server) wal(messages ...[]byte) {
	s.t.Helper()
	for _, m := range messages {
		s.send(&pgproto3.CopyData{Data: append(append([]byte{'w'}, make([]byte, 24)...), m...)})
	}
}

func (s *server) keepalive(end change.LSN, reply bool) {
	s.t.Helper()
	b := binary.BigEndian.AppendUint64([]byte{'k'}, uint64(end))
	b = append(b, make([]byte, 8)...)
	if reply {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	s.send(&pgproto3.CopyData{Data: b})
}

type status struct {
	lsn   change.LSN
	reply bool
}

// status reads the next status update.
func (s *server) status() status {
	s.t.Helper()
	b := make([]byte, 39)
	if _, err := io.ReadFull(s.conn, b); err != nil {
		s.t.Fatal(err)
	}
	written, flushed, applied := binary.BigEndian.Uint64(b[6:]), binary.BigEndian.Uint64(b[14:]), binary.BigEndian.Uint64(b[22:])
	if b[0] != 'd' || b[5] != 'r' || written != flushed || written != applied {
		s.t.Fatalf("%x is not a status update that says one position", b)
	}
	return status{change.LSN(flushed), b[38] == 1}
}

// converse runs both goroutines of a source against a server, in a bubble. It returns
// what they returned, once the server is done.
func converse(t *testing.T, durable func() change.LSN, emit func(*Tx) error, serve func(*server)) (received, fed error) {
	t.Helper()
	ours, theirs := net.Pipe()
	s := &source{conn: ours, frontend: pgproto3.NewFrontend(ours, ours), durable: durable, nudge: make(chan struct{}, 1)}
	s.emitted.Store(10) // what is stored when it starts
	a := newAssembler(change.NewModel(), nil, 10, t.TempDir(), func(tx *Tx) error {
		s.emitted.Store(uint64(tx.LSN))
		return emit(tx)
	})
	defer a.close()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan struct{}, 2)
	go func() { received = s.receive(a); done <- struct{}{} }()
	go func() { fed = s.feedback(ctx); done <- struct{}{} }()
	serve(&server{t, theirs})
	theirs.Close()
	cancel(errDone)
	<-done
	<-done
	return received, fed
}

var errDone = errors.New("the test is done")

func transaction(xid uint32, end change.LSN) [][]byte {
	rel := &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1, Key: true}}}
	return [][]byte{
		build{}.begin(xid), build{}.relation(rel), build{}.insert(1, change.Tuple{{Kind: change.Text, Data: []byte("a")}}), build{}.commit(end),
	}
}

func none() change.LSN { return 0 }
func ignore(*Tx) error { return nil }
func expect(t *testing.T, what string, got, want status) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s (reply %v), want %s (reply %v)", what, got.lsn, got.reply, want.lsn, want.reply)
	}
}

func TestWhoIsAskedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		converse(t, none, ignore, func(s *server) {
			expect(t, "first word", s.status(), status{0, true})
			time.Sleep(feedbackEvery / 2)
			asked := time.Now()
			s.keepalive(500, true)
			expect(t, "answer", s.status(), status{0, false})
			if d := time.Since(asked); d != 0 {
				t.Errorf("the answer took %s", d)
			}
		})
	})
}

// Nothing that is not durable is acknowledged, and what is durable is within a tick.
func TestOnlyWhatIsDurableIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var durable atomic.Uint64
		received, _ := converse(t, func() change.LSN { return change.LSN(durable.Load()) }, ignore, func(s *server) {
			expect(t, "first word", s.status(), status{0, true})
			s.wal(transaction(700, 100)...)
			s.keepalive(150, true)
			expect(t, "nothing is durable", s.status(), status{0, false})
			s.wal(transaction(701, 200)...)
			s.keepalive(250, false)
			durable.Store(100)
			expect(t, "one of two", s.status(), status{100, false})
			durable.Store(200)
			expect(t, "both, and what is behind them", s.status(), status{250, false})
			s.keepalive(900, false)
			expect(t, "what holds nothing for us", s.status(), status{900, false})
			// Within a transaction the server's end may be that of the transaction.
			s.wal(transaction(702, 1000)[:3]...)
			s.keepalive(1000, true)
			expect(t, "in a transaction", s.status(), status{900, false})
			s.wal(transaction(702, 1000)[3])
			s.keepalive(1000, true)
			expect(t, "behind it", s.status(), status{900, false})
			durable.Store(1000)
			expect(t, "when it is durable", s.status(), status{1000, false})
		})
		if !errors.Is(received, io.ErrUnexpectedEOF) && !errors.Is(received, io.EOF) {
			t.Errorf("receive: %v", received)
		}
	})
}

// A server that hears nothing for wal_sender_timeout ends the connection, however
// long the consumer takes.
func TestABlockedConsumerDoesNotSilenceUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unblock := make(chan struct{})
		emit := func(*Tx) error { <-unblock; return nil }
		converse(t, none, emit, func(s *server) {
			defer close(unblock)
			s.status()
			s.keepalive(50, true) // read before what blocks
			s.wal(transaction(700, 100)...)
			heard := time.Now()
			for until := time.Now().Add(time.Hour); time.Now().Before(until); heard = time.Now() {
				if got := s.status(); got.lsn != 0 {
					t.Fatalf("%s is acknowledged", got.lsn)
				}
				if d := time.Since(heard); d > 15*time.Second {
					t.Fatalf("nothing was heard for %s", d)
				}
			}
		})
	})
}

// On an idle system little is said, and the server is asked whether it is there.
func TestIdleIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		converse(t, none, ignore, func(s *server) {
			began, n := time.Now(), 0
			for time.Since(began) < 10*time.Minute {
				if got := s.status(); !got.reply {
					t.Fatal("no reply is asked for")
				}
				n++
			}
			if n > 61 {
				t.Errorf("%d words in ten minutes", n)
			}
		})
	})
}

func TestWhatEndsReceiving(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(*server)
		want  string
	}{
		{"the server has an error", func(s *server) {
			s.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command"})
		}, "57P01"},
		{"the server ends the copy", func(s *server) { s.send(&pgproto3.CopyDone{}) }, "the server ended the stream"},
		{"the server ends the command", func(s *server) { s.send(&pgproto3.CommandComplete{CommandTag: []byte("COPY 0")}) }, "the server ended the stream"},
		{"the server is gone", func(s *server) {}, "EOF"},
		{"the server is gone inside a message", func(s *server) { s.write([]byte{'d', 0, 0}) }, "EOF"},
		{"a message of an unknown type", func(s *server) { s.write([]byte{'!', 0, 0, 0, 4}) }, "unknown message type"},
		{"a message of negative length", func(s *server) { s.write([]byte{'d', 0, 0, 0, 3}) }, "invalid message length"},
		{"an empty message", func(s *server) { s.send(&pgproto3.CopyData{}) }, "replication: empty message"},
		{"a message of an unknown kind", func(s *server) { s.send(&pgproto3.CopyData{Data: []byte("x")}) }, "replication: unknown message 'x'"},
		{"a WAL message that is cut", func(s *server) { s.send(&pgproto3.CopyData{Data: append([]byte("w"), make([]byte, 23)...)}) }, "replication: "},
		{"a keepalive that is cut", func(s *server) { s.send(&pgproto3.CopyData{Data: append([]byte("k"), make([]byte, 16)...)}) }, "replication: "},
		{"a keepalive that is too long", func(s *server) { s.send(&pgproto3.CopyData{Data: append([]byte("k"), make([]byte, 18)...)}) }, "replication: "},
		{"WAL without a message", func(s *server) { s.wal(nil) }, "decode at 0/0: empty pgoutput message"},
		{"WAL that is not understood", func(s *server) { s.wal([]byte("?")) }, "decode at 0/0: unknown pgoutput message"},
		{"the consumer fails", func(s *server) { s.wal(transaction(700, 100)...) }, "the consumer fails"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fails := func(*Tx) error { return errors.New("the consumer fails") }
				received, _ := converse(t, none, fails, func(s *server) {
					c.serve(s)
					synctest.Wait()
				})
				if received == nil || !strings.Contains(received.Error(), c.want) {
					t.Errorf("got %v, want %s", received, c.want)
				}
			})
		})
	}
}

func TestServerErrorKeepsItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		received, _ := converse(t, none, ignore, func(s *server) {
			s.send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "55006", Message: "replication slot is active"})
		})
		var pg *pgconn.PgError
		if !errors.As(received, &pg) || pg.Code != "55006" {
			t.Errorf("got %v", received)
		}
	})
}

// Notices and settings come at any time and mean nothing here.
func TestNoticesArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		emitted := 0
		converse(t, none, func(*Tx) error { emitted++; return nil }, func(s *server) {
			s.send(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: "hello"})
			s.send(&pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"})
			s.wal(transaction(700, 100)...)
			synctest.Wait()
		})
		if emitted != 1 {
			t.Errorf("%d transactions, want 1", emitted)
		}
	})
}

func TestFeedbackEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, fed := converse(t, none, ignore, func(s *server) {
			s.conn.Close()
			time.Sleep(2 * feedbackEvery)
		})
		if fed == nil || !strings.Contains(fed.Error(), "acknowledge") {
			t.Errorf("the connection is gone: %v", fed)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, fed := converse(t, none, ignore, func(s *server) { s.status() })
		if !errors.Is(fed, errDone) {
			t.Errorf("the context has ended: %v", fed)
		}
	})
}

func TestQuote(t *testing.T) {
	if got, want := quote(`a"b`), `"a""b"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
