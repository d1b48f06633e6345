package master

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
)

// CapturePending writes into the log what event triggers could not write when it happened,
// because somebody held a lock. It returns how many objects it were.
func CapturePending(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	// Not without looking: on an idle master nothing is to be written.
	if err := conn.QueryRow(ctx, `select count(*) from bridge.uncaptured`).Scan(&n); err != nil || n == 0 {
		return 0, wrapCapture(err)
	}
	err = conn.QueryRow(ctx, `select bridge.capture_pending()`).Scan(&n)
	return n, wrapCapture(err)
}

// Captured waits until all that is committed now of the schema is written into the log. It is bridge run that
// does so, for what could not be written at once; without our event triggers it is done here.
func Captured(ctx context.Context, conn *pgx.Conn) error {
	triggers, err := HasTriggers(ctx, conn)
	if err != nil {
		return err
	}
	if !triggers {
		_, err := CaptureMissed(ctx, conn)
		return err
	}
	for {
		var waits bool
		if err := conn.QueryRow(ctx, `select exists (select from bridge.uncaptured where pause = '0')`).Scan(&waits); err != nil || !waits {
			return wrapCapture(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// HasTriggers says whether our event triggers are there, by which changes of the schema are written into the log in the
// transaction that makes them.
func HasTriggers(ctx context.Context, conn *pgx.Conn) (there bool, err error) {
	if err := conn.QueryRow(ctx, `select exists (select from pg_catalog.pg_event_trigger where evtname = 'bridge_ddl' and evtenabled <> 'D')`).Scan(&there); err != nil {
		return false, fmt.Errorf("look for the event triggers: %w", err)
	}
	return there, nil
}

// CaptureMissed compares the schema of the master with the one that the log's head knows.
// If they differ, it writes the whole schema into the log, and returns a position
// behind that; before the log's head has come there, another call would do so again.
// They differ when the schema changed without our event triggers, and for a moment
// after every change. Zero: there is no difference.
func CaptureMissed(ctx context.Context, conn *pgx.Conn) (behind change.LSN, err error) {
	_, sum, err := commitlog.Head(ctx, conn)
	if err != nil {
		return 0, err
	}
	model, err := commitlog.LoadModel(ctx, conn, sum, nil)
	if err != nil {
		return 0, err
	}
	now, err := schema.ReadCatalog(ctx, conn)
	if err != nil {
		return 0, err
	}
	known := map[change.Address]string{}
	for _, e := range model.Entries() {
		known[e.Address] = e.Text
	}
	there := map[change.Address]string{}
	for address, e := range now {
		there[address] = e.Text
	}
	if maps.Equal(known, there) {
		return 0, nil
	}
	if _, err = conn.Exec(ctx, `select bridge.capture_all()`); err != nil {
		return 0, wrapCapture(err)
	}
	err = conn.QueryRow(ctx, `select pg_catalog.pg_current_wal_insert_lsn()::text`).Scan(&behind)
	return behind, wrapCapture(err)
}

func wrapCapture(err error) error {
	if err != nil {
		return fmt.Errorf("write the schema into the log: %w", err)
	}
	return nil
}
