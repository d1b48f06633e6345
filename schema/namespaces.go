package schema

import "context"

func (r *reader) readSchemas(ctx context.Context) error {
	rows, err := query[struct {
		OID  uint32
		Name string
	}](ctx, r, `
select n.oid, n.nspname as name
from pg_catalog.pg_namespace n
where `+userSchema)
	if err != nil {
		return err
	}
	for _, s := range rows {
		o := &Object{Kind: KindSchema, Name: s.Name, OID: s.OID, Definition: "schema", Create: []string{"create schema " + Quote(s.Name)}}
		if s.Name == "public" {
			o.Create[0] = "create schema if not exists public"
		}
		if n := r.add(o, ref{inNamespace, s.OID}, "schema "+Quote(s.Name)); n != nil {
			n.excluded = !r.wantSchema(s.Name)
		}
	}
	return nil
}

// readExtensions takes extensions as a whole: the versions, and with them the members, are those that the target offers.
func (r *reader) readExtensions(ctx context.Context) error {
	rows, err := query[struct {
		OID    uint32
		Name   string
		Schema string
	}](ctx, r, `
select e.oid, e.extname as name, n.nspname as schema
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace`)
	if err != nil {
		return err
	}
	for _, e := range rows {
		o := &Object{Kind: KindExtension, Name: e.Name, OID: e.OID, Definition: "schema " + Quote(e.Schema),
			Create: []string{"create extension if not exists " + Quote(e.Name) + " with schema " + Quote(e.Schema)}}
		r.add(o, ref{inExtension, e.OID}, "")
	}
	return nil
}

func (r *reader) readCollations(ctx context.Context) error {
	rows, err := query[struct {
		OID           uint32
		Schema, Name  string
		Provider      string
		Deterministic bool
		Locale        string // of providers that have one setting
		Collate       string
		Ctype         string
		Rules         string
	}](ctx, r, `
select c.oid, n.nspname as schema, c.collname as name, c.collprovider::text as provider, c.collisdeterministic as deterministic,
	coalesce(`+r.since(17, "c.colllocale", r.since(15, "c.colliculocale", "null::text"))+`, '') as locale,
	coalesce(c.collcollate, '')::text as collate, coalesce(c.collctype, '')::text as ctype,
	coalesce(`+r.since(16, "c.collicurules", "null::text")+`, '') as rules
from pg_catalog.pg_collation c
join pg_catalog.pg_namespace n on n.oid = c.collnamespace
where `+userSchema)
	if err != nil {
		return err
	}
	providers := map[string]string{"b": "builtin", "c": "libc", "i": "icu", "d": "default"}
	for _, c := range rows {
		d := "provider = " + providers[c.Provider]
		if !c.Deterministic {
			d += ", deterministic = false"
		}
		if c.Locale == "" && c.Provider != "c" {
			c.Locale = c.Collate // where PostgreSQL 14 keeps it
		}
		switch {
		case c.Locale != "":
			d += ", locale = " + literal(c.Locale)
		case c.Collate == c.Ctype:
			d += ", locale = " + literal(c.Collate)
		default:
			d += ", lc_collate = " + literal(c.Collate) + ", lc_ctype = " + literal(c.Ctype)
		}
		if c.Rules != "" {
			d += ", rules = " + literal(c.Rules)
		}
		name := Quote(c.Schema, c.Name)
		o := &Object{Kind: KindCollation, Schema: c.Schema, Name: c.Name, OID: c.OID, Definition: d,
			Create: []string{"create collation " + name + " (" + d + ")"}}
		r.add(o, ref{inCollation, c.OID}, "collation "+name)
	}
	return nil
}
