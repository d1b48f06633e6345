package master

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
)

// slot is a replication slot as pg_replication_slots shows it.
type slot struct {
	plugin    string // empty for a physical one
	database  string
	here      bool // in our database
	pid       int32
	walStatus string
	confirmed change.LSN
}

func findSlot(ctx context.Context, conn *pgx.Conn, name string) (*slot, error) {
	var s slot
	err := conn.QueryRow(ctx, `
		select coalesce(plugin, ''), coalesce(database, ''), coalesce(database = current_database(), false),
			coalesce(active_pid, 0), coalesce(wal_status, ''), confirmed_flush_lsn::text
		from pg_replication_slots
		where slot_name = $1`, name).Scan(&s.plugin, &s.database, &s.here, &s.pid, &s.walStatus, &s.confirmed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for replication slot %q: %w", name, err)
	}
	return &s, nil
}

func (s *slot) lost() bool { return s.walStatus == "lost" || s.confirmed.IsZero() }

// refuseSlot says why the slot that is there, or is not, does not do.
func (f *found) refuseSlot(o Options) error {
	s := f.slot
	switch {
	case s == nil && f.anchored && f.used:
		return fmt.Errorf("replication slot %q is gone, and with it the changes since: %w", o.Slot, ErrLogEnded)
	case s == nil:
		return nil
	case s.plugin == "":
		return fmt.Errorf("replication slot %q exists and is a physical one: set master.slot to another name", o.Slot)
	case !s.here:
		return fmt.Errorf("replication slot %q exists in database %q (slots are the whole server's): set master.slot to another name", o.Slot, s.database)
	case s.plugin != "pgoutput":
		return fmt.Errorf("replication slot %q exists with plugin %s: set master.slot to another name", o.Slot, s.plugin)
	case s.lost() && f.anchored && f.used:
		return fmt.Errorf("replication slot %q has lost the write-ahead log that it needs (max_slot_wal_keep_size): %w", o.Slot, ErrLogEnded)
	case !f.anchored && s.pid != 0:
		return fmt.Errorf("replication slot %q is in use by process %d, which is not ours: set master.slot to another name", o.Slot, s.pid)
	}
	return nil
}

// ensureSlot returns the position at which the slot starts, of a slot that it makes if need be.
// A log that nobody has used yet gets a new beginning when its slot is gone.
func ensureSlot(ctx context.Context, conn *pgx.Conn, o Options, f *found) (change.LSN, error) {
	if s := f.slot; s != nil && s.lost() {
		if _, err := conn.Exec(ctx, `select pg_drop_replication_slot($1)`, o.Slot); err != nil {
			return 0, fmt.Errorf("drop the lost replication slot %q: %w", o.Slot, err)
		}
		f.slot = nil
	}
	if f.slot == nil {
		f.anchored = false
		if err := createSlot(ctx, conn, o); err != nil {
			return 0, err
		}
		s, err := findSlot(ctx, conn, o.Slot)
		if err != nil {
			return 0, err
		}
		if s == nil {
			return 0, fmt.Errorf("replication slot %q was dropped by someone else as soon as it was made", o.Slot)
		}
		f.slot = s
	}
	return f.slot.confirmed, nil
}

// createSlot makes the slot. PostgreSQL lets it wait for every transaction that was running when it
// began; when that takes longer than our patience, nothing is left of it.
func createSlot(ctx context.Context, conn *pgx.Conn, o Options) error {
	if _, err := conn.Exec(ctx, fmt.Sprintf(`set statement_timeout = %d`, max(o.Patience.Milliseconds(), 1))); err != nil {
		return fmt.Errorf("create replication slot %q: %w", o.Slot, err)
	}
	_, err := conn.Exec(ctx, `select pg_create_logical_replication_slot($1, 'pgoutput')`, o.Slot)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, resetErr := conn.Exec(ctx, `set statement_timeout = 0`); resetErr != nil {
		return errors.Join(err, fmt.Errorf("create replication slot %q: %w", o.Slot, resetErr))
	}
	switch {
	case hasCode(err, codeQueryCanceled, codeLockNotAvailable):
		blockers, listErr := writers(ctx, conn)
		return errors.Join(&SlotError{Slot: o.Slot, Blockers: blockers, Err: err}, listErr)
	case hasCode(err, codeInsufficientResources):
		return fmt.Errorf("create replication slot %q: %w; raise max_replication_slots and restart the master, or drop a slot that nobody needs", o.Slot, err)
	case hasCode(err, codeInsufficientPrivilege):
		return fmt.Errorf("create replication slot %q: %w; a superuser can give the right: alter role … replication", o.Slot, err)
	case err != nil:
		return fmt.Errorf("create replication slot %q: %w", o.Slot, err)
	}
	return nil
}

// SlotError says that transactions of other sessions went on for too long while a slot was made.
type SlotError struct {
	Slot     string
	Blockers []Blocker
	Err      error
}

func (e *SlotError) Error() string {
	if len(e.Blockers) == 0 {
		return fmt.Sprintf("create replication slot %q: transactions that were open took too long to end: %v; run it again", e.Slot, e.Err)
	}
	return fmt.Sprintf("create replication slot %q: it has to wait for older transactions to end: %s; wait for them, or end them with pg_terminate_backend(pid) or rollback prepared, and run it again",
		e.Slot, describe(e.Blockers))
}

func (e *SlotError) Unwrap() error { return e.Err }
