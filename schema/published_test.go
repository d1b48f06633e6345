package schema_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

// relationOf is what pgoutput says of a table, taken from the catalogs as it takes it.
func relationOf(t *testing.T, conn *pgx.Conn, name string) *change.Relation {
	t.Helper()
	r := &change.Relation{Schema: "public", Name: name}
	if err := conn.QueryRow(t.Context(), `select oid, relreplident::text from pg_class where oid = $1::text::regclass`, name).Scan(&r.OID, &r.Identity); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `
		select a.attname, a.atttypid, a.atttypmod,
			c.relreplident = 'f' or exists (
				select from pg_index i
				where i.indrelid = c.oid and a.attnum = any (i.indkey) and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end)
		from pg_attribute a join pg_class c on c.oid = a.attrelid
		where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
		order by a.attnum`, r.OID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change.Column, err error) {
		return c, row.Scan(&c.Name, &c.Type, &c.Typmod, &c.Key)
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPublished(t *testing.T) {
	conn := connect(t, pgtest.DB(t))
	run(t, conn, `
		create type mood as enum ('ok');
		create table known (id int primary key, a varchar(5), b char(3), c char, d varchar, e numeric(10, 2), f numeric(12), g numeric, h text[], i varchar[], j mood, k timestamptz, l "char", gone int, twice int generated always as (id) stored, m xml);
		alter table known drop column gone;
		create table whole (id int, v varchar(1)); alter table whole replica identity full;
		create table nothing (id int); alter table nothing replica identity nothing;
		create table by_index (a int not null, b int not null, c int); create unique index on by_index (b, a); alter table by_index replica identity using index by_index_b_a_idx;
		create table none ();
		create table unknown_1 (at timestamp(3)); create table unknown_2 (at time); create table unknown_3 (list varchar(3)[]); create table unknown_4 (b bit(3))`)
	m := read(t, conn, schema.Options{})
	tables := map[string]*schema.Table{}
	for _, tbl := range m.Tables() {
		tables[tbl.Name] = tbl
	}
	for _, name := range []string{"known", "whole", "nothing", "by_index", "none", "unknown_2"} {
		r := relationOf(t, conn, name)
		if !tables[name].Published(r) {
			t.Errorf("%s: not published as %s", name, r.Definition())
		}
		others := map[string]func(*change.Relation){
			"schema": func(r *change.Relation) { r.Schema = "other" },
			"name":   func(r *change.Relation) { r.Name += "x" },
			"OID":    func(r *change.Relation) { r.OID++ },
			"identity": func(r *change.Relation) {
				r.Identity = map[string]string{"f": "d", "d": "f", "i": "d", "n": "d"}[r.Identity]
			},
			"column": func(r *change.Relation) {
				r.Columns = append(r.Columns, change.Column{Name: "more", Type: 23, Typmod: -1})
			},
		}
		for i := range r.Columns {
			column := r.Columns[i].Name
			others[column+" is gone"] = func(r *change.Relation) { r.Columns = slices.Delete(r.Columns, i, i+1) }
			others[column+"'s name"] = func(r *change.Relation) { r.Columns[i].Name += "x" }
			others[column+"'s type"] = func(r *change.Relation) { r.Columns[i].Type++ }
			others[column+"'s modifier"] = func(r *change.Relation) { r.Columns[i].Typmod++ }
			others[column+"'s part in the key"] = func(r *change.Relation) { r.Columns[i].Key = !r.Columns[i].Key }
			if i > 0 {
				others[column+"'s place"] = func(r *change.Relation) { r.Columns[i-1], r.Columns[i] = r.Columns[i], r.Columns[i-1] }
			}
		}
		for what, alter := range others {
			other := *r
			other.Columns = slices.Clone(r.Columns)
			if alter(&other); tables[name].Published(&other) {
				t.Errorf("%s: published with another %s: %s", name, what, other.Definition())
			}
		}
	}
	for _, name := range []string{"unknown_1", "unknown_3", "unknown_4"} {
		if r := relationOf(t, conn, name); tables[name].Published(r) {
			t.Errorf("%s is said to be published as %s, which the name of the type does not say", name, r.Definition())
		}
	}
}
