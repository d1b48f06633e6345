// Package dial opens connections to PostgreSQL that notice when the server is gone.
// A statement may take hours, but a server that says nothing for longer than the
// patience, and then does not answer a new connection either or knows nothing of a
// statement of ours, ends the connection with an error: nobody waits forever.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// DefaultPatience is for how long a server may be silent before it is looked after.
const DefaultPatience = 30 * time.Second

// connectTimeout bounds what it takes to connect, if the URL does not say.
const connectTimeout = 15 * time.Second

// Watch makes connections of this configuration notice a dead server. Patience 0
// stands for DefaultPatience; nobody may wait for a notification for longer than that
// without a pause.
func Watch(config *pgconn.Config, patience time.Duration) {
	if patience == 0 {
		patience = DefaultPatience
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = min(connectTimeout, patience)
	}
	// The server looks after us, too: what a lost connection holds on it (the slot, the
	// replica's lock) is free again before long.
	for name, d := range map[string]time.Duration{
		"tcp_keepalives_idle":     patience,
		"tcp_keepalives_interval": patience / 3,
	} {
		setDefault(config.RuntimeParams, name, strconv.Itoa(max(1, int(d.Seconds()))))
	}
	setDefault(config.RuntimeParams, "tcp_keepalives_count", "3")
	setDefault(config.RuntimeParams, "tcp_user_timeout", strconv.FormatInt((2*patience).Milliseconds(), 10))

	open := dialer(patience).DialContext
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newDirect(conn), nil
	}
	probe := config.Copy()
	config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		return &watched{Conn: conn, patience: patience, probe: probe}, nil
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if w, ok := conn.Conn().(*watched); ok {
			w.know(conn.PID())
		}
		return noTransactionTimeout(ctx, conn)
	}
}

// noTransactionTimeout takes away the timeout that PostgreSQL 17 and newer may have set for
// the role: a chunk or a large block takes as long as it takes. Older servers do not
// know it, so it can not be a parameter of the connection.
func noTransactionTimeout(ctx context.Context, conn *pgconn.PgConn) error {
	major, _, _ := strings.Cut(conn.ParameterStatus("server_version"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < 17 {
		return nil
	}
	if _, err := conn.Exec(ctx, "set transaction_timeout = 0").ReadAll(); err != nil {
		return fmt.Errorf("set transaction_timeout: %w", err)
	}
	return nil
}

// keepAlive opens connections that end when the other side's kernel is gone.
func keepAlive(patience time.Duration) *net.Dialer {
	return &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: patience, Interval: patience / 3, Count: 3}}
}

func setDefault(params map[string]string, name, value string) {
	if _, ok := params[name]; !ok {
		params[name] = value
	}
}

// watched is a connection whose reads and writes end when the server is gone. The
// deadlines that its user sets hold as ever.
type watched struct {
	net.Conn
	patience time.Duration
	probe    *pgconn.Config

	mu         sync.Mutex // guards what follows; held while the deadlines of Conn are set
	pid        uint32     // 0 while connecting, which has a timeout of its own
	readUntil  time.Time  // set by the user; zero: none
	writeUntil time.Time
}

// ErrSilent says that a server was given up.
var ErrSilent = errors.New("the server does not answer")

// silent gives the connection up. The error says the same each time, so that it is
// logged once; it is not a timeout, after which pgconn would go on.
func (w *watched) silent(cause string) error {
	w.Conn.Close()
	return &net.OpError{Op: "wait for", Net: "postgres", Addr: w.RemoteAddr(),
		Err: fmt.Errorf("%w for %s: %s", ErrSilent, w.patience, cause)}
}

func (w *watched) know(pid uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pid = pid
}

func (w *watched) Read(b []byte) (int, error) {
	suspicion := 0
	for {
		if err := w.slice(&w.readUntil, w.Conn.SetReadDeadline); err != nil {
			return 0, err
		}
		n, err := w.Conn.Read(b)
		if n > 0 || err == nil || !w.patienceEnds(err, &w.readUntil) {
			return n, err
		}
		if err := w.lookAfter(&suspicion); err != nil {
			return 0, err
		}
	}
}

func (w *watched) Write(b []byte) (int, error) {
	suspicion, written := 0, 0
	for {
		if err := w.slice(&w.writeUntil, w.Conn.SetWriteDeadline); err != nil {
			return written, err
		}
		n, err := w.Conn.Write(b[written:])
		if written += n; err == nil || !w.patienceEnds(err, &w.writeUntil) {
			return written, err
		}
		if n > 0 {
			suspicion = 0
			continue
		}
		if err := w.lookAfter(&suspicion); err != nil {
			return written, err
		}
	}
}

// slice lets an operation wait as long as the patience lasts, or the user's deadline.
func (w *watched) slice(until *time.Time, set func(time.Time) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	deadline := time.Now().Add(w.patience)
	if !until.IsZero() && until.Before(deadline) {
		deadline = *until
	}
	return set(deadline)
}

// patienceEnds says whether the error is the end of a slice and nothing else.
func (w *watched) patienceEnds(err error, until *time.Time) bool {
	var network net.Error
	if !errors.As(err, &network) || !network.Timeout() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pid != 0 && (until.IsZero() || time.Now().Before(*until))
}

// lookAfter asks the server, over a connection of its own, what became of ours. It
// returns an error when there is no use in waiting.
func (w *watched) lookAfter(suspicion *int) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.probe.ConnectTimeout)
	defer cancel()
	busy, err := w.busy(ctx)
	switch {
	case err != nil:
		return w.silent("a new connection gets no answer either")
	case busy:
		*suspicion = 0
	default:
		// An answer may just be on its way: only the second time counts.
		if *suspicion++; *suspicion > 1 {
			return w.silent("it does not work on what this connection asked for")
		}
	}
	return nil
}

// busy says whether the server works on what this connection asked for. A walsender
// that waits for something does not: it would have answered.
func (w *watched) busy(ctx context.Context) (bool, error) {
	config := w.probe.Copy()
	delete(config.RuntimeParams, "replication")
	config.RuntimeParams["application_name"] = "bridge probe"
	conn, err := pgconn.ConnectConfig(ctx, config)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return true, nil // whoever refuses is there
	}
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	w.mu.Lock()
	pid := w.pid
	w.mu.Unlock()
	results, err := conn.Exec(ctx, fmt.Sprintf(
		`select from pg_catalog.pg_stat_activity where pid = %d and coalesce(state, '') not like 'idle%%' and coalesce(wait_event, '') not like 'WalSender%%'`, pid)).ReadAll()
	if err != nil {
		return false, err
	}
	return len(results[0].Rows) > 0, nil
}

func (w *watched) SetDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readUntil, w.writeUntil = t, t
	return w.Conn.SetDeadline(t)
}

func (w *watched) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readUntil = t
	return w.Conn.SetReadDeadline(t)
}

func (w *watched) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeUntil = t
	return w.Conn.SetWriteDeadline(t)
}
