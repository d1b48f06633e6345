package pgbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/master"
)

// keeper keeps the master in order beside the tap. The sync table stays within bounds:
// blocks go once every replica has applied them, and at the latest when they are
// too old or too many. Tables that could not be published when they were made are.
type keeper struct {
	config   *config.Config
	log      *slog.Logger
	patience time.Duration
}

const (
	keepEvery    = 10 * time.Second
	captureEvery = time.Second      // replicas may wait for it; also for tables that are to be published
	lookEvery    = time.Hour        // for what changes without event triggers
	restFor      = 20               // times as long as a look took
	noteEvery    = 10 * time.Minute // for what is not replicated and no model tells of
)

func (k *keeper) run(ctx context.Context) error {
	return retry(ctx, k.log, "keeping the master in order", k.once)
}

func (k *keeper) once(ctx context.Context) error {
	settings, err := connConfig(k.config.Master.URL, "bridge keeper", k.patience)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("connect to the master: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := commitlog.Anchor(ctx, conn); err != nil {
		return err
	}
	triggers, err := master.HasTriggers(ctx, conn)
	if err != nil {
		return err
	}
	watch := schemaWatch{log: k.log, slot: k.config.Master.Slot, triggers: triggers}
	// What was committed while nothing read the slot can have changed the schema: the catalogs tell it before the log does.
	if _, watch.behind, err = commitlog.Ends(ctx, conn); err != nil {
		return err
	}
	var notes notes
	for second := 0; ; second++ {
		due := second%int(keepEvery/captureEvery) == 0
		if due || watch.behind != 0 {
			if err := watch.look(ctx, conn); err != nil && conn.IsClosed() {
				return err
			} else if err != nil {
				k.log.Debug("the schema can not be compared with the log now", "reason", err) // it is being changed
			}
		}
		if due {
			if err := k.tidy(ctx, conn, &notes); err != nil {
				return err
			}
		}
		if n, err := master.CapturePending(ctx, conn); err != nil && conn.IsClosed() {
			return err
		} else if err != nil {
			k.log.Debug("changes of the schema can not be captured now", "reason", err)
		} else if n > 0 {
			watch.compared = change.Checksum{}
		}
		if tables, err := master.PublishPending(ctx, conn); err != nil {
			return err
		} else if len(tables) > 0 {
			k.log.Info("tables are published", "tables", tables)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(captureEvery):
		}
	}
}

// tidy notes what is not replicated, and trims the log.
func (k *keeper) tidy(ctx context.Context, conn *pgx.Conn, notes *notes) error {
	if err := k.note(ctx, conn, notes); err != nil && conn.IsClosed() {
		return err
	} else if err != nil {
		k.log.Debug("what is not replicated can not be noted now", "reason", err)
	}
	keep, err := k.keep(ctx, conn)
	if err != nil {
		return err
	}
	if err := commitlog.Trim(ctx, conn, keep); err != nil && !lockTimeout(err) {
		return err
	}
	return nil
}

// schemaWatch finds what the log does not know of the schema: what changed without event triggers, and what
// sessions that change it at the same time have not seen of each other.
type schemaWatch struct {
	log      *slog.Logger
	slot     string
	triggers bool

	ended    time.Time     // of the last look
	took     time.Duration // which costs: it reads the whole catalog
	compared change.Checksum
	owners   string                           // by then: REASSIGN OWNED and ALTER ROLE RENAME fire no event trigger
	suspects map[change.Address]master.Missed // that differed in the last look
	behind   change.LSN                       // the log has to come here before the next one; zero: it has, or need not
}

// look compares the schema with the log after changes, and now and then.
func (w *schemaWatch) look(ctx context.Context, conn *pgx.Conn) (err error) {
	var confirmed change.LSN
	if w.behind != 0 {
		if confirmed, _, err = slotConfirmed(ctx, conn, w.slot); err != nil {
			return err
		}
	}
	head, model, err := commitlog.Head(ctx, conn)
	if err != nil || max(head.LSN, confirmed) < w.behind {
		return err
	}
	w.behind = 0
	owners, err := master.Owners(ctx, conn)
	if err != nil {
		return err
	}
	since := time.Since(w.ended)
	switch {
	case since < restFor*w.took:
		return nil
	case model == w.compared && owners == w.owners && len(w.suspects) == 0 && w.triggers && since < lookEvery:
		return nil
	}
	started := time.Now()
	defer func() { w.ended, w.took = time.Now(), time.Since(started) }()
	missed, all, err := master.Compare(ctx, conn)
	if err != nil {
		return err
	}
	w.compared, w.owners = model, owners
	if len(missed) > 0 && (all || !w.triggers) {
		w.behind, err = master.CaptureMissed(ctx, conn)
		return err
	}
	var missing []change.Address
	for address, is := range missed {
		if w.suspects[address] == is {
			missing = append(missing, address)
		}
	}
	w.suspects = missed
	if len(missing) == 0 {
		return nil
	}
	w.log.Info("the log does not know what became of some objects: they are captured", "objects", len(missing))
	return master.Recapture(ctx, conn, missing)
}

// notes is of when and of which model it was noted what is not replicated.
type notes struct {
	at    time.Time
	model change.Checksum
}

// note sees to it that bridge status can say what is not replicated.
func (k *keeper) note(ctx context.Context, conn *pgx.Conn, last *notes) error {
	_, sum, err := commitlog.Head(ctx, conn)
	if err != nil {
		return err
	}
	if sum == last.model && time.Since(last.at) < noteEvery {
		return nil
	}
	model, err := commitlog.LoadModel(ctx, conn, sum, nil)
	if err != nil {
		return err
	}
	if err := master.NoteNotReplicated(ctx, conn, model, k.config.Master.Tables.Match); err != nil {
		return err
	}
	last.at, last.model = time.Now(), sum
	return nil
}

// keep is the first block that is still wanted. Replicas that are configured but have
// not been seen yet are copied anyway and need no blocks.
func (k *keeper) keep(ctx context.Context, conn *pgx.Conn) (int64, error) {
	var applied, young, fits int64
	err := conn.QueryRow(ctx, `
		select
			coalesce((select min(seq) + 1 from bridge.replica), 0),
			coalesce((select min(lower_seq) from bridge.log_partition p
				where exists (select from bridge.commit_block b where b.seq >= p.lower_seq and b.seq < p.upper_seq and b.commit_time > now() - $1::interval)), 9223372036854775807),
			coalesce((select min(lower_seq) from (
				select lower_seq, sum(pg_catalog.pg_total_relation_size(('bridge.' || name)::regclass)
					+ pg_catalog.pg_total_relation_size(('bridge.' || replace(name, 'commit_block_', 'commit_part_'))::regclass)) over (order by lower_seq desc) as total
				from bridge.log_partition) s where total <= $2), 9223372036854775807)`,
		k.config.Log.RetainFor, k.config.Log.RetainBytes).Scan(&applied, &young, &fits)
	if err != nil {
		return 0, fmt.Errorf("find what can be trimmed: %w", err)
	}
	return max(applied, young, fits), nil
}

// lockTimeout says whether somebody else held what was wanted.
func lockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}
