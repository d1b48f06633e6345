package master

import (
	"context"
	"fmt"
	"maps"

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
	_, err = conn.Exec(ctx, `select bridge.capture_pending()`)
	return n, wrapCapture(err)
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
