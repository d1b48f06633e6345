package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
)

// Drift
//
// Evolving compares models, never what the replica has; so whether the replica has what
// its model says is looked at on its own: when the bridge starts, and now and then.
// What somebody changed by hand is kept in the replica's position for whoever asks. Where
// rows could go wrong in silence the replica stops, until it is made good.

const (
	lookEvery = 30 * time.Second // the server counts what is written to its catalogs: a glance
	signEvery = 5 * time.Minute  // the catalogs themselves: a session that stays idle may not have reported to the count
	restFor   = 20               // times as long as a look took, since the stream waits for it
)

// maxDrift bounds how many differences are kept and told.
const maxDrift = 20

// look is what was seen of the replica's schema, and of what.
type look struct {
	at     time.Time
	took   time.Duration
	signed time.Time
	writes string // count of writes to the catalogs
	with   string // what the schema was compared with
	seen   string // signature of the catalogs
	drift  []schema.Drift
	// assumed: it looks as it did when the bridge ran last, and nothing was wrong then. The next look is a close one.
	assumed bool
	told    []string // in the log
	failed  string   // why nothing was seen the last time
}

// what says what was seen, as it is kept from one start of the bridge to the next.
func (l *look) what() string { return l.with + " " + l.seen }

func (l *look) stops() bool {
	return slices.ContainsFunc(l.drift, func(d schema.Drift) bool { return d.Stops })
}

// findDrift looks at the replica's schema when that is due. An error that names the objects
// means that the replica has to stop.
func (t *Target) findDrift(ctx context.Context) error {
	l := &t.look
	if time.Since(l.at) < max(lookEvery, restFor*l.took) && !l.stops() {
		return nil
	}
	started := time.Now()
	err := t.lookAtSchema(ctx)
	l.took = time.Since(started)
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil: // no reason to stop: what can be applied is
		if l.failed != err.Error() {
			t.o.Log.Warn("the replica's schema can not be looked at", "replica", t.o.Name, "error", err)
		}
		l.at, l.failed = time.Now(), err.Error()
		return nil
	}
	l.at, l.failed = time.Now(), ""
	lines, looked := driftLines(l.drift), ""
	if len(lines) == 0 {
		looked = l.what()
	}
	if _, err := t.conn.Exec(ctx, `update bridge.position set drift = $1, looked = $2 where (drift, looked) is distinct from ($1, $2)`, lines, looked); err != nil {
		return t.wrap("note the drift", err)
	}
	if !slices.Equal(lines, l.told) {
		if l.told = lines; len(lines) == 0 {
			t.o.Log.Info("the replica's schema is what it should be again", "replica", t.o.Name)
		} else {
			t.o.Log.Warn("the replica's schema was changed by hand", "replica", t.o.Name, "drift", strings.Join(lines, "; "))
		}
	}
	if !l.stops() {
		return nil
	}
	lasting, err := t.lasting(ctx, l.drift)
	if err != nil {
		return err
	}
	lasting = slices.DeleteFunc(lasting, func(d schema.Drift) bool { return !d.Stops })
	if len(lasting) == 0 {
		return nil
	}
	t.mu.Lock()
	next := t.position.Seq + 1
	t.mu.Unlock()
	return &drifted{replica: t.o.Name, seq: next, drift: lasting}
}

// lasting leaves out differences in objects of which the end of the log says something else. A
// model can be what was no state of the master (see Looking ahead); the blocks that follow make that
// good, and a replica that stops would not come to them.
func (t *Target) lasting(ctx context.Context, drift []schema.Drift) ([]schema.Drift, error) {
	if len(drift) == 0 {
		return nil, nil
	}
	master, err := pgx.ConnectConfig(ctx, t.masterConfig())
	if err != nil {
		return nil, fmt.Errorf("connect to the master to look at its schema: %w", err)
	}
	defer master.Close(context.WithoutCancel(ctx))
	_, sum, err := commitlog.Head(ctx, master)
	if err != nil {
		return nil, err
	}
	model, err := t.models.Model(ctx, sum)
	if err != nil {
		return nil, err
	}
	end, err := t.renderedOnce(model)
	if err != nil {
		return nil, err
	}
	return schema.Lasting(drift, end.Model), nil
}

// driftLines are the differences as they are kept: those that stop the replica first.
func driftLines(drift []schema.Drift) []string {
	lines := []string{}
	for _, stops := range []bool{true, false} {
		for _, d := range drift {
			if d.Stops == stops {
				lines = append(lines, d.Explain())
			}
		}
	}
	if more := len(lines) - maxDrift; more > 0 {
		lines = append(lines[:maxDrift], fmt.Sprintf("and %d more", more))
	}
	return lines
}

// drifted is a replica whose schema was changed so that it is not safe to apply to it.
type drifted struct {
	replica string
	seq     int64 // of the block that would be next
	drift   []schema.Drift
}

func (e *drifted) Error() string {
	var repairs []string
	for _, d := range e.drift {
		table := d.Table
		if d.Kind == schema.KindTable {
			table = d.Name
		}
		repair := fmt.Sprintf("bridge repair --replica %s --table %s.%s", e.replica, d.Schema, table)
		if table != "" && !slices.Contains(repairs, repair) && len(repairs) < maxDrift {
			repairs = append(repairs, repair)
		}
	}
	s := fmt.Sprintf("replica %s stops before block %d, its schema was changed by hand: %s; make it by hand as it is on the master (bridge schema show prints that, "+
		"bridge schema diff --replica %s what differs)", e.replica, e.seq, strings.Join(driftLines(e.drift), "; "), e.replica)
	if len(repairs) > 0 {
		s += ", then, where rows were lost, copy the table again with " + strings.Join(repairs, ", ")
	}
	return s
}

// lookAtSchema compares the replica's schema with the model that it is at, unless nothing
// has changed since the last look. It has a connection of its own, whose planner is not tuned for
// rows. Nothing is applied meanwhile.
func (t *Target) lookAtSchema(ctx context.Context) error {
	config := t.o.Config.Copy()
	config.RuntimeParams["application_name"] = "bridge look"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	at := t.modelSum
	if !t.ahead.IsZero() {
		at = t.ahead
	}
	l := &t.look
	with := fmt.Sprint(at, t.reduced, len(t.copies) > 0)
	writes, err := catalogWrites(ctx, conn)
	if err != nil {
		return err
	}
	if writes != "" && writes == l.writes && with == l.with && time.Since(l.signed) < signEvery && !l.stops() {
		return nil
	}
	for range 5 {
		signature, err := catalogSignature(ctx, conn)
		if err != nil {
			return err
		}
		if l.at.IsZero() {
			// The stream waits for this. What was looked at before the bridge started is not read again yet.
			var looked string
			if err := conn.QueryRow(ctx, `select coalesce((select looked from bridge.position), '')`).Scan(&looked); err != nil {
				return err
			}
			if looked == (&look{with: with, seen: signature}).what() {
				l.with, l.seen, l.assumed = with, signature, true
				return nil
			}
		}
		if signature != l.seen || with != l.with || l.assumed {
			drift, err := t.compare(ctx, conn, at)
			if err != nil {
				return err
			}
			again, err := catalogSignature(ctx, conn)
			if err != nil {
				return err
			}
			if again != signature {
				continue
			}
			if l.drift, err = t.lasting(ctx, drift); err != nil {
				return err
			}
		}
		l.signed, l.writes, l.with, l.seen, l.assumed = time.Now(), writes, with, signature, false
		return nil
	}
	return errors.New("it changes all the time")
}

func (t *Target) compare(ctx context.Context, conn *pgx.Conn, at change.Checksum) ([]schema.Drift, error) {
	model, err := t.models.Model(ctx, at)
	if err != nil {
		return nil, err
	}
	want, err := t.renderedOnce(model)
	if err != nil {
		return nil, err
	}
	return FindDrift(ctx, conn, want.Model, t.reduced, len(t.copies) > 0)
}

// FindDrift compares the schema of the replica that conn is connected to with the model that it
// is at. early says that what a new replica gets last is not made yet, incomplete that tables are
// still copied (see Target.validate).
func FindDrift(ctx context.Context, conn *pgx.Conn, want *schema.Model, early, incomplete bool) ([]schema.Drift, error) {
	pending, err := PendingIndexes(ctx, conn) // before the schema: it may be there any moment
	if err != nil {
		return nil, err
	}
	there, err := schema.Read(ctx, conn, schema.Options{})
	if err != nil {
		return nil, err
	}
	if early {
		want = reduced(want)
	}
	want = WithoutPending(want, pending)
	return slices.DeleteFunc(schema.FindDrift(want, there), func(d schema.Drift) bool {
		return incomplete && d.Kind == schema.KindForeignKey && d.What == schema.Differs && strings.TrimSuffix(d.B, " NOT VALID") == d.A
	}), nil
}

// catalogWrites counts what is written to the catalogs, temporary tables and all. It is empty where
// the server does not count.
func catalogWrites(ctx context.Context, conn *pgx.Conn) (count string, err error) {
	err = conn.QueryRow(ctx, `
		select case when pg_catalog.current_setting('track_counts')::boolean then coalesce(pg_catalog.sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::text, '') else '' end
		from pg_catalog.pg_stat_sys_tables s
		where s.schemaname = 'pg_catalog' and s.relname not in ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject', 'pg_largeobject_metadata')`).Scan(&count)
	return count, err
}

// catalogSignature is a number that changes with the user's schema. It costs a look at every row of
// the catalogs, and much less than reading the schema; it does not change when rows do, when a table is analyzed or emptied, or by
// what the bridge does in its own schema.
func catalogSignature(ctx context.Context, conn *pgx.Conn) (signature string, err error) {
	err = conn.QueryRow(ctx, `
		with namespace as materialized (
			select n.oid, n.xmin
			from pg_catalog.pg_namespace n
			where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'bridge')
		), class as materialized (
			select c.oid,
				pg_catalog.concat_ws(' ', c.oid, c.relname, c.relnamespace, c.reloftype, c.relowner, c.relam, c.relkind, c.relpersistence, c.relreplident,
					c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.reloptions, c.relacl) as what
			from pg_catalog.pg_class c
			where c.relnamespace in (select n.oid from namespace n)
		)
		select pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(s.what, 0)))
		from (
			select 'class ' || c.what from class c
			union all
			select pg_catalog.concat_ws(' ', q.catalog, q.oid, q.part, q.xmin)
			from (
				select 'namespace', n.oid, 0, n.xmin from namespace n
				union all
				select 'attribute', a.attrelid, a.attnum, a.xmin from pg_catalog.pg_attribute a where a.attrelid in (select c.oid from class c)
				union all
				select 'attrdef', d.oid, 0, d.xmin from pg_catalog.pg_attrdef d where d.adrelid in (select c.oid from class c)
				union all
				select 'index', i.indexrelid, 0, i.xmin from pg_catalog.pg_index i where i.indexrelid in (select c.oid from class c)
				union all
				select 'inherits', i.inhrelid, i.inhseqno, i.xmin from pg_catalog.pg_inherits i where i.inhrelid in (select c.oid from class c)
				union all
				select 'trigger', t.oid, 0, t.xmin from pg_catalog.pg_trigger t where t.tgrelid in (select c.oid from class c)
				union all
				select 'rewrite', w.oid, 0, w.xmin from pg_catalog.pg_rewrite w where w.ev_class in (select c.oid from class c)
				union all
				select 'policy', p.oid, 0, p.xmin from pg_catalog.pg_policy p where p.polrelid in (select c.oid from class c)
				union all
				select 'sequence', s.seqrelid, 0, s.xmin from pg_catalog.pg_sequence s where s.seqrelid in (select c.oid from class c)
				union all
				select 'owned', d.objid, d.refobjsubid, d.xmin from pg_catalog.pg_depend d
				where d.classid = 1259 and d.deptype in ('a', 'i') and d.objid in (select s.seqrelid from pg_catalog.pg_sequence s) and d.objid in (select c.oid from class c)
				union all
				select 'constraint', k.oid, 0, k.xmin from pg_catalog.pg_constraint k where k.connamespace in (select n.oid from namespace n)
				union all
				select 'type', t.oid, 0, t.xmin from pg_catalog.pg_type t where t.typnamespace in (select n.oid from namespace n)
				union all
				select 'enum', e.oid, 0, e.xmin from pg_catalog.pg_enum e
				union all
				select 'proc', p.oid, 0, p.xmin from pg_catalog.pg_proc p where p.pronamespace in (select n.oid from namespace n)
				union all
				select 'collation', c.oid, 0, c.xmin from pg_catalog.pg_collation c where c.collnamespace in (select n.oid from namespace n)
				union all
				select 'operator', o.oid, 0, o.xmin from pg_catalog.pg_operator o where o.oid >= 16384
				union all
				select 'opfamily', f.oid, 0, f.xmin from pg_catalog.pg_opfamily f where f.oid >= 16384
				union all
				select 'opclass', c.oid, 0, c.xmin from pg_catalog.pg_opclass c where c.oid >= 16384
				union all
				select 'amop', o.oid, 0, o.xmin from pg_catalog.pg_amop o where o.oid >= 16384
				union all
				select 'amproc', p.oid, 0, p.xmin from pg_catalog.pg_amproc p where p.oid >= 16384
				union all
				select 'cast', c.oid, 0, c.xmin from pg_catalog.pg_cast c where c.oid >= 16384
				union all
				select 'statistics', s.oid, 0, s.xmin from pg_catalog.pg_statistic_ext s where s.stxnamespace in (select n.oid from namespace n)
				union all
				select 'extension', e.oid, 0, e.xmin from pg_catalog.pg_extension e
				union all
				select 'parser', p.oid, 0, p.xmin from pg_catalog.pg_ts_parser p where p.oid >= 16384
				union all
				select 'template', t.oid, 0, t.xmin from pg_catalog.pg_ts_template t where t.oid >= 16384
				union all
				select 'dictionary', d.oid, 0, d.xmin from pg_catalog.pg_ts_dict d where d.oid >= 16384
				union all
				select 'configuration', c.oid, 0, c.xmin from pg_catalog.pg_ts_config c where c.oid >= 16384
				union all
				select 'mapping', m.mapcfg, m.maptokentype * 100 + m.mapseqno, m.xmin from pg_catalog.pg_ts_config_map m where m.mapcfg >= 16384
				union all
				select 'description', d.objoid, d.objsubid, d.xmin from pg_catalog.pg_description d where d.objoid >= 16384 or d.classoid = 2615
			) q (catalog, oid, part, xmin)
		) s (what)`).Scan(&signature)
	return signature, err
}
