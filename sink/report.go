package sink

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// reportEvery is how often the master is told how far the replica is, when it moved.
const reportEvery = time.Second

// trimEvery is how often the replica's own log is cut where the master's is.
const trimEvery = 10 * time.Second

// report tells the master how far the replica is durably, so that the log can be
// trimmed, until ctx ends. On an idle system it writes nothing.
func (a *Applier) report(ctx context.Context, models *modelCache) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var told change.Position
	var toldState string
	var trimmed time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(trimmed) >= trimEvery {
			trimmed = time.Now()
			var oldest int64
			err := models.use(ctx, func(master *pgx.Conn) (err error) {
				oldest, err = commitlog.Oldest(ctx, master)
				return err
			})
			if err == nil {
				err = a.Target.Trim(ctx, oldest)
			}
			if err != nil && ctx.Err() == nil {
				a.Log.Debug("the replica's log is not trimmed", "replica", a.Name, "error", err)
			}
		}
		durable, err := a.Target.Durable(ctx)
		if err != nil {
			continue // the applier's own connection fails with the same, and says so
		}
		a.mu.Lock()
		state := a.state
		a.mu.Unlock()
		if durable == told && state == toldState {
			continue
		}
		if err := models.use(ctx, func(master *pgx.Conn) error { return a.tell(ctx, master, durable, true) }); err == nil {
			told, toldState = durable, state
		}
	}
}

// tell writes the replica's row on the master. Without a position worth telling
// (moved false) only state and error are changed.
func (a *Applier) tell(ctx context.Context, conn *pgx.Conn, p change.Position, moved bool) error {
	a.mu.Lock()
	state, problem := a.state, a.problem
	a.mu.Unlock()
	var err error
	if moved && p.Epoch > 0 {
		_, err = conn.Exec(ctx, `
			insert into bridge.replica (name, kind, epoch, seq, commit_lsn, checksum, state, error, registered_at, updated_at)
			values ($1, $2, $3, $4, $5::text::pg_lsn, $6, $7, $8, now(), now())
			on conflict (name) do update
			set kind = excluded.kind, epoch = excluded.epoch, seq = excluded.seq, commit_lsn = excluded.commit_lsn,
				checksum = excluded.checksum, state = excluded.state, error = excluded.error, updated_at = excluded.updated_at`,
			a.Name, a.Kind, p.Epoch, p.Seq, p.LSN.String(), p.Checksum[:], state, problem)
	} else {
		_, err = conn.Exec(ctx, `
			update bridge.replica
			set state = $2, error = $3, updated_at = now()
			where name = $1 and (state, error) is distinct from ($2, $3)`, a.Name, state, problem)
	}
	return err
}
