package master

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/schema"
)

// candidate is a table that matches the patterns, or would if it could be replicated.
type candidate struct {
	Table
	Kind        string // pg_class.relkind: r or f
	Persistence string // pg_class.relpersistence
	Identity    string // pg_class.relreplident
	Bytes       int64
	Owned       bool // by the role, or by one that it is a member of
	Published   bool
	Key         bool // there is an index that identifies its rows, be it the replica identity or not
	Identified  bool // update and delete work when it is published
	Generated   bool // it has generated columns
}

func (c *candidate) ordinary() bool { return c.Kind == "r" && c.Persistence == "p" }

// candidates reads what bridge.table_state shows, and more, where that view is not installed yet.
func (d *doctor) candidates(ctx context.Context) ([]candidate, error) {
	if d.tables != nil {
		return d.tables, nil
	}
	rows, err := d.tx.Query(ctx, `
		with identifying as materialized (
			select i.indrelid, i.indisprimary, i.indisreplident
			from pg_index i
			where i.indisunique and i.indimmediate and i.indisvalid and i.indislive
				and i.indpred is null and i.indexprs is null
				and not exists (
					select
					from pg_attribute a
					where a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
						and (a.attgenerated <> '' or not a.attnotnull))
		), published as materialized (
			select r.prrelid
			from pg_publication_rel r
			join pg_publication p on p.oid = r.prpubid
			where p.pubname = $1
		)
		select c.oid, n.nspname, c.relname, c.relkind::text, c.relpersistence::text, c.relreplident::text,
			coalesce(pg_table_size(c.oid), 0),
			pg_has_role(c.relowner, 'usage'),
			c.oid in (select prrelid from published),
			exists (select from identifying i where i.indrelid = c.oid and i.indisprimary or i.indrelid = c.oid and i.indisreplident and c.relreplident = 'i'),
			case c.relreplident
				when 'd' then exists (select from identifying i where i.indrelid = c.oid and i.indisprimary)
				when 'i' then exists (select from identifying i where i.indrelid = c.oid and i.indisreplident)
				when 'f' then true
				else false
			end,
			exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> '')
		from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'f') and c.relpersistence in ('p', 'u') and c.oid >= 16384
		order by n.nspname, c.relname`, d.o.Publication)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		err = row.Scan(&c.OID, &c.Schema, &c.Name, &c.Kind, &c.Persistence, &c.Identity, &c.Bytes, &c.Owned, &c.Published,
			&c.Key, &c.Identified, &c.Generated)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	m := newMatcher(d.o)
	d.tables = slices.DeleteFunc(all, func(c candidate) bool { return !m.match(c.Schema, c.Name) })
	for i := range d.tables {
		if t := &d.tables[i]; t.Identity == "f" && d.noFull(t) {
			t.Identified = false
		}
	}
	return d.tables, nil
}

// noFull says that REPLICA IDENTITY FULL would make update and delete fail.
func (d *doctor) noFull(c *candidate) bool { return c.Generated && d.found.serverVersion >= 180000 }

// those lists tables for a detail, with sizes, largest first.
func those(tables []candidate) string {
	const shown = 10
	tables = slices.Clone(tables)
	slices.SortStableFunc(tables, func(a, b candidate) int { return int(max(min(b.Bytes-a.Bytes, 1), -1)) })
	var list []string
	for i, t := range tables {
		if i == shown {
			list = append(list, fmt.Sprintf("and %d more", len(tables)-shown))
			break
		}
		list = append(list, fmt.Sprintf("%s (%s)", t.Table, size(t.Bytes)))
	}
	return strings.Join(list, ", ")
}

func (d *doctor) pick(ctx context.Context, want func(*candidate) bool) ([]candidate, error) {
	all, err := d.candidates(ctx)
	if err != nil {
		return nil, err
	}
	var list []candidate
	for i := range all {
		if want(&all[i]) {
			list = append(list, all[i])
		}
	}
	return list, nil
}

func (d *doctor) checkOwnership(ctx context.Context) ([]Finding, error) {
	tables, err := d.pick(ctx, func(c *candidate) bool { return c.ordinary() && !c.Owned && !c.Published })
	if err != nil || d.super {
		return nil, err
	}
	if len(tables) > 0 {
		return tell(Error, "only its owner can publish a table; not owned are "+those(tables),
			"make the role a member of the owners: grant owner to role; or let a superuser run bridge init")
	}
	return fine("the role owns all tables that match")
}

func (d *doctor) checkKeys(ctx context.Context) ([]Finding, error) {
	keyless, err := d.pick(ctx, func(c *candidate) bool {
		return c.ordinary() && (c.Identity == "f" || !c.Identified) && !d.noFull(c)
	})
	if err != nil {
		return nil, err
	}
	unfit, err := d.pick(ctx, func(c *candidate) bool { return c.ordinary() && !c.Identified && !c.Key && d.noFull(c) })
	if err != nil {
		return nil, err
	}
	var list []Finding
	if len(unfit) > 0 {
		list = append(list, Finding{Severity: Error,
			Detail: "generated columns and no key: PostgreSQL 18 can not identify the rows, they are not replicated: " + those(unfit),
			Remedy: "give them a primary key of columns that are not generated, or exclude them"})
	}
	if len(keyless) > 0 {
		list = append(list, Finding{Severity: Warning,
			Detail: "without a usable primary key, so with REPLICA IDENTITY FULL, which writes whole old rows to the WAL and makes replicas search for them: " + those(keyless),
			Remedy: "give them a primary key that is not deferrable"})
	}
	if len(list) > 0 {
		return list, nil
	}
	return fine("every table that matches has a key")
}

func (d *doctor) checkPublication(ctx context.Context) ([]Finding, error) {
	if d.found.version == 0 {
		return nil, nil
	}
	broken, err := d.pick(ctx, func(c *candidate) bool { return c.Published && c.ordinary() && !c.Identified })
	if err != nil {
		return nil, err
	}
	missing, err := d.pick(ctx, func(c *candidate) bool { return !c.Published && c.ordinary() && (c.Key || !d.noFull(c)) })
	if err != nil {
		return nil, err
	}
	var list []Finding
	if len(broken) > 0 {
		list = append(list, Finding{Severity: Error, Detail: "update and delete fail for want of a replica identity on " + those(broken), Remedy: "run bridge init at once"})
	}
	if len(missing) > 0 {
		list = append(list, Finding{Severity: Error, Detail: "match and are not published: " + those(missing), Remedy: "run bridge init"})
	}
	if len(list) > 0 {
		return list, nil
	}
	published, err := d.pick(ctx, func(c *candidate) bool { return c.Published })
	if err != nil {
		return nil, err
	}
	return fine("%d tables", len(published))
}

// checkNotReplicated tells what a replica will not have, or will have in another way.
func (d *doctor) checkNotReplicated(ctx context.Context) ([]Finding, error) {
	var list []Finding
	for _, kind := range []struct {
		what string
		want func(*candidate) bool
	}{
		{"rows of unlogged tables: ", func(c *candidate) bool { return c.Persistence == "u" }},
		{"rows of foreign tables: ", func(c *candidate) bool { return c.Kind == "f" }},
	} {
		tables, err := d.pick(ctx, kind.want)
		if err != nil {
			return nil, err
		}
		if len(tables) > 0 {
			list = append(list, Finding{Severity: OK, Detail: kind.what + those(tables)})
		}
	}
	var sequences int64
	err := d.tx.QueryRow(ctx, `
		select count(*) from pg_class where relkind = 'S' and relpersistence <> 't' and oid >= 16384 and relnamespace is distinct from to_regnamespace('bridge')`).Scan(&sequences)
	if err != nil {
		return nil, err
	}
	if sequences > 0 {
		list = append(list, Finding{Severity: OK, Detail: fmt.Sprintf("values of %d sequences", sequences)})
	}
	m := newMatcher(d.o)
	model, err := schema.Read(ctx, d.conn, schema.Options{Table: m.match})
	if err != nil {
		return nil, err
	}
	for _, objects := range byKind(model.NotCovered) {
		f := Finding{Severity: Warning, Detail: enumerated(objects), Remedy: "make them on the replicas by hand where they are needed"}
		if strings.HasSuffix(f.Detail, " large objects") {
			f.Remedy = "keep them in bytea columns"
		}
		list = append(list, f)
	}
	if len(model.LeftOut) > 0 {
		list = append(list, Finding{Severity: Warning, Detail: enumerated(model.LeftOut), Remedy: "include what they need, or make them on the replicas by hand"})
	}
	return list, nil
}

// byKind puts objects together whose names begin alike: "foreign table a", "foreign table b". They are sorted.
func byKind(objects []string) [][]string {
	kind := func(s string) string {
		s, _, _ = strings.Cut(s, " for ") // of a transform or user mapping
		return s[:max(strings.LastIndexByte(s, ' '), 0)]
	}
	var list [][]string
	for i, o := range objects {
		if i > 0 && kind(o) == kind(objects[i-1]) {
			list[len(list)-1] = append(list[len(list)-1], o)
		} else {
			list = append(list, []string{o})
		}
	}
	return list
}

// enumerated names some objects, and counts the others.
func enumerated(objects []string) string {
	const shown = 10
	if more := len(objects) - shown; more > 0 {
		return strings.Join(objects[:shown], ", ") + fmt.Sprintf(", and %d more", more)
	}
	return strings.Join(objects, ", ")
}

// size writes bytes as PostgreSQL's settings do.
func size(n int64) string {
	const units = "kMGT"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 1<<10 && unit < len(units)-1 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.4g %cB", value, units[unit])
}

// listed says whether a comma separated list has a name.
func listed(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) == name {
			return true
		}
	}
	return false
}
