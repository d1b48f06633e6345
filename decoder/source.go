package decoder

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/change"
)

// Options say what is tapped and from where.
type Options struct {
	Config      *pgconn.Config // the master; copied, not changed; should notice a dead server (package dial)
	Slot        string
	Publication string
	Start       change.LSN     // end of the last transaction that is stored
	Model       *change.Model  // in force there
	Changes     change.Changes // to its entries; copied
	TempDir     string         // for large transactions; empty: the system's

	// Streaming asks the server for large transactions before they commit. Run then ends
	// with ErrDoubt where the result can not be trusted; without it, it never does.
	Streaming bool

	// Certain says whether these relations of the model are what its schema says of their tables, so that there is no
	// doubt in them; nil: one can not know.
	Certain func(m *change.Model, relations []*change.Relation) bool

	// Relabels says whether a label of an enum has another name behind a change of its type; nil: none ever has. A row that was
	// written before, in a transaction that ends behind it, comes with the old name: then its table is to be copied.
	Relabels func(before, after *change.Entry) bool

	// Early, if there is one, is told of the inserts that a streamed transaction begins with as they come. It may return nil.
	Early func(xid uint32) Early

	// Oldest tells from where on, at the earliest, transactions begin that are not decoded yet: the slot's
	// restart_lsn, as of some time ago.
	Oldest func() change.LSN

	// Durable tells up to where what was emitted is on disk; it is called from
	// another goroutine. Only that much is acknowledged to the slot.
	Durable func() change.LSN
}

// Timing of the conversation with the walsender.
const (
	feedbackEvery = time.Second      // when there is news
	helloEvery    = 10 * time.Second // when there is none; the server answers, so that its end is noticed
)

// pins are the settings that fix the text form of values (change/FORMAT.md) and
// those of the server, role or database that could end the connection: a consumer that
// is held up says hello more often than wal_sender_timeout strikes.
var pins = map[string]string{
	"client_encoding":       "UTF8",
	"DateStyle":             "ISO",
	"IntervalStyle":         "postgres",
	"TimeZone":              "UTC",
	"extra_float_digits":    "3",
	"bytea_output":          "hex",
	"lc_monetary":           "C",
	"quote_all_identifiers": "off",
	"search_path":           "",
	"statement_timeout":     "0",
	"lock_timeout":          "0",
	"wal_sender_timeout":    "60s",
	"application_name":      "bridge tap",
}

// ErrDoubt says that a transaction has to be decoded by a new session without streaming,
// behind what was emitted.
//
// A server that streams a transaction reads the catalog while parts of it may have
// been rolled back, and can send rows in columns that a rolled-back command gave the
// table, even where nothing of that part is in the stream; it depends on when it
// looks. Without streaming it knows what was rolled back. So a session that was
// sent anything before its commit is not believed that a table has changed, unless it says of it what
// the master's schema says. Nor is it believed what the master's own messages say in a
// streamed transaction of which a part was rolled back: the server does not tell
// which part they stand in. And the first rows of a table behind a change of its schema are believed
// only if they are in the columns that the schema says: the server can have missed the change.
var ErrDoubt = errors.New("a table has changed in a session that streams: it is decoded again without streaming")

// confirm wraps the transaction so that a change of the model in it ends in ErrDoubt, unless all that changes behind
// before is relations that are certain.
func confirm(before *change.Model, tx *Tx, certain func(*change.Model, []*change.Relation) bool) error {
	if tx.Model != nil {
		if doubtful(before, tx, certain) {
			return ErrDoubt
		}
		return nil
	}
	parts := tx.parts
	tx.parts = func(f func([]byte) error) error {
		if err := parts(f); err != nil {
			return err
		}
		if doubtful(before, tx, certain) {
			return ErrDoubt
		}
		return nil
	}
	return nil
}

func doubtful(before *change.Model, tx *Tx, certain func(*change.Model, []*change.Relation) bool) bool {
	if tx.doubt || len(tx.unsure) > 0 && (certain == nil || !certain(tx.Model, tx.unsure)) {
		return true
	}
	for _, m := range tx.Models {
		if certain == nil || !m.SameSchema(before) {
			return true
		}
		var changed []*change.Relation
		for _, r := range m.Relations() {
			if before.Relation(r.OID) != r {
				changed = append(changed, r)
			}
		}
		if !certain(m, changed) {
			return true
		}
		before = m
	}
	return false
}

// Run reads the slot until ctx ends or something fails, and calls emit with every
// transaction in commit order, from one goroutine. Emit may block: the server is
// kept content meanwhile. A transaction can come again after a restart if it was
// not durable; it is then the same, byte for byte.
func Run(ctx context.Context, o Options, emit func(*Tx) error) error {
	config := o.Config.Copy()
	config.RuntimeParams["replication"] = "database"
	for name, value := range pins {
		config.RuntimeParams[name] = value
	}
	var pace *paced
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		pace = newPaced(conn)
		return pace, nil
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to the master for replication: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := pglogrepl.StartReplication(ctx, conn, quote(o.Slot), pglogrepl.LSN(o.Start), pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication,
		PluginArgs: []string{
			"proto_version '2'",
			"publication_names '" + strings.ReplaceAll(quote(o.Publication), "'", "''") + "'",
			"streaming '" + onOff(o.Streaming) + "'",
			"messages 'true'",
		},
	}); err != nil {
		return fmt.Errorf("start replication from slot %q at %s: %w", o.Slot, o.Start, err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return fmt.Errorf("take over the replication connection: %w", err)
	}
	s := &source{pace: pace, conn: hijacked.Conn, frontend: hijacked.Frontend, durable: o.Durable, nudge: make(chan struct{}, 1)}
	s.emitted.Store(uint64(o.Start))
	defer s.conn.Close()

	last := o.Model
	var assembler *assembler
	assembler = newAssembler(o.Model, o.Changes, o.Start, o.TempDir, func(tx *Tx) error {
		if assembler.hasStreamed {
			if err := confirm(last, tx, o.Certain); err != nil {
				return err
			}
		}
		s.pause = pauseBehind(tx.Behind)
		s.emitted.Store(uint64(tx.LSN))
		if err := emit(tx); err != nil {
			return err
		}
		last = tx.Model
		return nil
	})
	assembler.oldest, assembler.early, assembler.relabels = o.Oldest, o.Early, o.Relabels
	defer assembler.close()

	group, ctx := errgroup.WithContext(ctx)
	// Closing the connection is what ends a blocked read or write.
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	group.Go(func() error { return s.receive(assembler) })
	group.Go(func() error { return s.feedback(ctx) })
	err = group.Wait()
	if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
		return context.Cause(ctx)
	}
	return err
}

// source is one replication connection. The receiving goroutine reads it, the
// feedback goroutine writes it.
type source struct {
	conn     net.Conn
	pace     *paced
	pause    time.Duration // behind the last transaction
	frontend *pgproto3.Frontend
	durable  func() change.LSN

	emitted   atomic.Uint64 // LSN of the last transaction given to emit
	serverEnd atomic.Uint64 // LSN up to where the server has sent everything that there was
	nudge     chan struct{} // the server wants a reply
}

func (s *source) receive(a *assembler) error {
	for {
		received, err := s.frontend.Receive()
		if err != nil {
			return fmt.Errorf("read from the replication connection: %w", err)
		}
		switch m := received.(type) {
		case *pgproto3.CopyData:
			if err := s.copyData(a, m.Data); err != nil {
				return err
			}
		case *pgproto3.ErrorResponse:
			return fmt.Errorf("replication: %w", pgconn.ErrorResponseToPgError(m))
		case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
			return errors.New("replication: the server ended the stream")
		}
	}
}

func (s *source) copyData(a *assembler, data []byte) error {
	if len(data) == 0 {
		return errors.New("replication: empty message")
	}
	switch data[0] {
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return fmt.Errorf("replication: %w", err)
		}
		a.at, a.sent = change.LSN(x.WALStart), x.ServerTime
		if err := a.handle(x.WALData); err != nil {
			return fmt.Errorf("decode at %s: %w", x.WALStart, err)
		}
		if s.pace != nil {
			pause := s.pause
			if a.stream != 0 {
				pause = pacePause // what is streamed before its commit can wait
			}
			s.pace.pause.Store(int64(pause))
		}
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return fmt.Errorf("replication: %w", err)
		}
		if !a.open {
			s.serverEnd.Store(uint64(k.ServerWALEnd))
		}
		if k.ReplyRequested {
			select {
			case s.nudge <- struct{}{}:
			default:
			}
		}
	default:
		return fmt.Errorf("replication: unknown message %q", data[0])
	}
	return nil
}

// feedback tells the server what is durable. It goes on while receive is held up
// by its consumer, so that wal_sender_timeout does not strike.
func (s *source) feedback(ctx context.Context) error {
	tick := time.NewTicker(feedbackEvery)
	defer tick.Stop()
	var sent change.LSN
	var sentAt time.Time
	for {
		asked := false
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.nudge:
			asked = true
		case <-tick.C:
		}
		lsn := s.acknowledgeable()
		hello := time.Since(sentAt) >= helloEvery
		if lsn <= sent && !asked && !hello {
			continue
		}
		lsn = max(lsn, sent)
		if _, err := s.conn.Write(standbyStatus(lsn, time.Now(), hello)); err != nil {
			return fmt.Errorf("acknowledge %s: %w", lsn, err)
		}
		sent, sentAt = lsn, time.Now()
	}
}

// acknowledgeable is the position that may be forgotten by the server: all that is
// durable, and behind it what holds nothing for us, when nothing is on its way.
func (s *source) acknowledgeable() change.LSN {
	// The order matters: whatever ended before serverEnd was emitted before it was stored.
	end := change.LSN(s.serverEnd.Load())
	emitted := change.LSN(s.emitted.Load())
	durable := s.durable()
	if durable >= emitted {
		return max(durable, end)
	}
	return durable
}

// standbyStatus is a standby status update that says written = flushed = applied.
// See https://www.postgresql.org/docs/current/protocol-replication.html
func standbyStatus(lsn change.LSN, now time.Time, reply bool) []byte {
	b := make([]byte, 0, 39)
	b = append(b, 'd', 0, 0, 0, 38, 'r')
	for range 3 {
		b = binary.BigEndian.AppendUint64(b, uint64(lsn))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(change.Timestamp(now)))
	if reply {
		return append(b, 1)
	}
	return append(b, 0)
}

func quote(identifier string) string { return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"` }

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
