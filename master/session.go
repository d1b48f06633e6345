package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that decide what comes next.
// See https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	codeInsufficientPrivilege = "42501"
	codeLockNotAvailable      = "55P03"
	codeDeadlock              = "40P01"
	codeQueryCanceled         = "57014"
	codeInsufficientResources = "53400"
)

func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, code := range codes {
		if pg.Code == code {
			return true
		}
	}
	return false
}

// settings are what our statements need, whatever the role or the database has set. Waiting for a
// lock makes everyone queue behind us, so it is short, and tried again.
const settings = `
	set search_path = pg_catalog, pg_temp;
	set standard_conforming_strings = on;
	set statement_timeout = 0;
	set lock_timeout = '2s';
	set idle_in_transaction_session_timeout = 0;
	set default_transaction_read_only = off;
	set default_transaction_isolation = 'read committed';
	set client_min_messages = warning;
	set row_security = on;
	set synchronous_commit = on;`

const resets = `
	reset search_path; reset standard_conforming_strings; reset statement_timeout; reset lock_timeout;
	reset idle_in_transaction_session_timeout; reset default_transaction_read_only;
	reset default_transaction_isolation; reset client_min_messages; reset row_security; reset synchronous_commit;`

// ErrBusy says that another init or drop is at work in the same database.
var ErrBusy = errors.New("another bridge init or bridge drop is at work in this database: try again when it is done")

// lockKey is the advisory lock that init and drop hold; the number means nothing.
const lockKey = 7305804402183497

// session runs f with our settings while no other init or drop runs in the database.
func session(ctx context.Context, conn *pgx.Conn, f func() error) (err error) {
	if _, err := conn.Exec(ctx, settings); err != nil {
		return fmt.Errorf("prepare the session: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if conn.IsClosed() {
			return
		}
		if _, resetErr := conn.Exec(ctx, resets); resetErr != nil {
			err = errors.Join(err, fmt.Errorf("reset the session: %w", resetErr))
		}
	}()
	var locked bool
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(lockKey)).Scan(&locked); err != nil {
		return fmt.Errorf("lock out other inits: %w", err)
	}
	if !locked {
		return ErrBusy
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if conn.IsClosed() {
			return
		}
		if _, unlockErr := conn.Exec(ctx, `select pg_advisory_unlock($1)`, int64(lockKey)); unlockErr != nil {
			err = errors.Join(err, fmt.Errorf("let other inits in: %w", unlockErr))
		}
	}()
	return f()
}

// patiently does something to one table, and again for as long as someone holds a lock on it.
func patiently(ctx context.Context, conn *pgx.Conn, o Options, t Table, f func() error) error {
	deadline := time.Now().Add(o.Patience)
	for {
		err := f()
		if !hasCode(err, codeLockNotAvailable, codeDeadlock) {
			return err
		}
		blockers, listErr := holders(ctx, conn, t.OID)
		if time.Now().After(deadline) {
			return errors.Join(&TableError{Table: t, Blockers: blockers, Err: err}, listErr)
		}
		// Let those go first who queued up behind us.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
