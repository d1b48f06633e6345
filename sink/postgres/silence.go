package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/schema"
)

// Triggers and rules that fire here
//
// With session_replication_role = replica nothing fires but what is ENABLE ALWAYS or
// ENABLE REPLICA. What such a trigger or rule of the master did there comes in the blocks,
// so it is switched off in the transaction that touches its table, and on again before that
// ends: nobody else ever sees it off. Those that only the replica has are meant to fire.

// loud is a trigger or rule that would fire.
type loud struct {
	off, on string // statements
}

// listen finds what would fire when rows of a table change, of what the model has. Nearly always it is nothing.
func (t *Target) listen(ctx context.Context, conn *pgx.Conn, name string, now *rendered) ([]loud, error) {
	rows, err := conn.Query(ctx, `
		with recursive origin (oid, parent) as (
			select g.oid, g.oid -- of a partition: it can be as its parent's, or switched by itself
			from pg_catalog.pg_trigger g
			where g.tgrelid = pg_catalog.to_regclass($1) and g.tgenabled in ('A', 'R')
			union
			select o.oid, g.tgparentid
			from origin o
			join pg_catalog.pg_trigger g on g.oid = o.parent
			where g.tgparentid <> 0
		)
		select 'trigger', g.tgname::text, g.tgenabled::text, n.nspname::text, c.relname::text, p.tgname::text
		from origin o
		join pg_catalog.pg_trigger g on g.oid = o.oid
		join pg_catalog.pg_trigger p on p.oid = o.parent
		join pg_catalog.pg_class c on c.oid = p.tgrelid
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		union all
		select 'rule', w.rulename::text, w.ev_enabled::text, n.nspname::text, c.relname::text, w.rulename::text
		from pg_catalog.pg_rewrite w
		join pg_catalog.pg_class c on c.oid = w.ev_class
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where w.ev_class = pg_catalog.to_regclass($1) and w.ev_enabled in ('A', 'R')`, name)
	if err != nil {
		return nil, t.wrap("look up the triggers of table "+name, err)
	}
	type row struct{ Kind, Name, State, Schema, Table, Origin string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, t.wrap("look up the triggers of table "+name, err)
	}
	var list []loud
	for _, f := range found {
		what := f.Kind + " " + schema.Quote(f.Name)
		word := map[string]string{"A": "always", "R": "replica"}[f.State]
		l := loud{fmt.Sprintf("alter table only %s disable %s", name, what), fmt.Sprintf("alter table only %s enable %s %s", name, word, what)}
		if now.firing[firing{schema.Kind(f.Kind), f.Schema, f.Table, f.Origin}] && !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list, nil
}

// firing names a trigger or rule of the model.
type firing struct {
	kind                schema.Kind
	schema, table, name string
}

// silence switches off, within the open transaction, what would fire on a table. Calling
// wake switches it on again.
func (t *Target) silence(ctx context.Context, conn *pgx.Conn, name string, now *rendered) (wake func() error, err error) {
	list, err := t.listen(ctx, conn, name, now)
	if err != nil {
		return nil, err
	}
	exec := func(sql string) error {
		_, err := conn.Exec(ctx, sql)
		return t.wrap(sql, err)
	}
	for _, l := range list {
		if err := exec(l.off); err != nil {
			return nil, err
		}
	}
	return func() error {
		if len(list) > 0 {
			if err := exec(settle); err != nil {
				return err
			}
		}
		for _, l := range list {
			if err := exec(l.on); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// settle fires what waits for the transaction's end: the replica's own, before which no trigger can be switched.
const settle = "set constraints all immediate"

// silence switches off what would fire on a table, once, before the first statement on it.
func (r *run) silence(tbl *table) {
	if len(tbl.loud) == 0 || r.silent[tbl] {
		return
	}
	if r.silent == nil {
		r.silent = map[*table]bool{}
	}
	r.silent[tbl] = true
	for _, l := range tbl.loud {
		r.flight.exec(l.off, nil, nil, nil, r.stale)
	}
}

// wake switches on again what was switched off.
func (r *run) wake() {
	if len(r.silent) > 0 {
		r.flight.exec(settle, nil, nil, nil, nil)
	}
	for tbl := range r.silent {
		for _, l := range tbl.loud {
			r.flight.exec(l.on, nil, nil, nil, r.stale)
		}
	}
	if len(r.silent) > 0 && r.inOrder {
		r.flight.exec("set constraints all deferred", nil, nil, nil, nil)
	}
	clear(r.silent)
}

// stale is for a trigger that was changed on the replica since it was looked up: the next attempt looks again.
func (r *run) stale(err error) error {
	clear(r.t.tables)
	return r.t.wrap("switch triggers", err)
}
