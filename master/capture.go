package master

import (
	"context"
	"fmt"
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

// Missed is what the log has of an object and what the catalogs have, where that is not the same; empty: nothing.
type Missed struct{ Log, Catalogs string }

// Compare compares the schema of the master with the one that the log's head knows. They differ for a moment after
// every change, so a difference tells something only when it is the same some time later. All says that the log
// does not know the schema at all.
func Compare(ctx context.Context, conn *pgx.Conn) (missed map[change.Address]Missed, all bool, err error) {
	_, sum, err := commitlog.Head(ctx, conn)
	if err != nil {
		return nil, false, err
	}
	model, err := commitlog.LoadModel(ctx, conn, sum, nil)
	if err != nil {
		return nil, false, err
	}
	now, err := schema.ReadCatalog(ctx, conn)
	if err != nil {
		return nil, false, err
	}
	missed = map[change.Address]Missed{}
	for _, e := range model.Entries() {
		if text := now[e.Address].Text; text != e.Text {
			missed[e.Address] = Missed{e.Text, text}
		}
	}
	for address, e := range now {
		if model.Entry(address) == nil {
			missed[address] = Missed{"", e.Text}
		}
	}
	return missed, model.Entry(change.Address{}) == nil, nil
}

// Recapture has objects written into the log with the next CapturePending.
func Recapture(ctx context.Context, conn *pgx.Conn, addresses []change.Address) error {
	var classes, oids []uint32
	for _, a := range addresses {
		classes, oids = append(classes, a.Class), append(oids, a.OID)
	}
	_, err := conn.Exec(ctx, `insert into bridge.uncaptured (class, oid) select * from unnest($1::oid[], $2::oid[])`, classes, oids)
	return wrapCapture(err)
}

// CaptureMissed writes the whole schema into the log when it is not the one that the log's head knows, and returns a
// position behind that; before the log's head has come there, another call would do so again.
// They differ when the schema changed without our event triggers, and for a moment
// after every change. Zero: there is no difference.
func CaptureMissed(ctx context.Context, conn *pgx.Conn) (behind change.LSN, err error) {
	if missed, _, err := Compare(ctx, conn); err != nil || len(missed) == 0 {
		return 0, err
	}
	if _, err = conn.Exec(ctx, `select bridge.capture_all()`); err != nil {
		return 0, wrapCapture(err)
	}
	err = conn.QueryRow(ctx, `select pg_catalog.pg_current_wal_insert_lsn()::text`).Scan(&behind)
	return behind, wrapCapture(err)
}

// Owners tells which roles own something in the database or may do something there, by their names. When that
// changes, the schema may have changed without an event trigger: REASSIGN OWNED and ALTER ROLE RENAME fire none.
func Owners(ctx context.Context, conn *pgx.Conn) (owners string, err error) {
	err = conn.QueryRow(ctx, `
		select string_agg(distinct s.deptype::text || ' ' || r.rolname, ', ')
		from (
			select refobjid, deptype
			from pg_catalog.pg_shdepend
			where dbid = (select oid from pg_catalog.pg_database where datname = current_database()) and refclassid = 1260
			union
			select 10, 'o' -- to whom all belongs that has no such row
		) s
		join pg_catalog.pg_roles r on r.oid = s.refobjid`).Scan(&owners)
	if err != nil {
		return "", fmt.Errorf("look up the owners of objects: %w", err)
	}
	return owners, nil
}

func wrapCapture(err error) error {
	if err != nil {
		return fmt.Errorf("write the schema into the log: %w", err)
	}
	return nil
}
