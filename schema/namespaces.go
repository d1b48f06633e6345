package schema

type schemaRow struct {
	OID  uint32 `json:",string"`
	Name string
	owned
}

var schemaSource = source{class: inNamespace, part: "schemas", key: "n.oid", sql: `
select n.oid, n.nspname as name, pg_catalog.pg_get_userbyid(n.nspowner) as owner, n.nspacl::text[] as acl
from pg_catalog.pg_namespace n
where ` + userSchema}

func (r *reader) addSchemas() {
	for _, s := range r.in.Schemas {
		o := &Object{Kind: KindSchema, Name: s.Name, OID: s.OID, Definition: "schema", Create: []string{"create schema " + Quote(s.Name)}}
		if s.Name == "public" {
			o.Create[0] = "create schema if not exists public"
		}
		if n := r.add(o, ref{inNamespace, s.OID}, "schema "+Quote(s.Name)); n != nil {
			n.excluded = !r.wantSchema(s.Name)
			r.own(n, ref{inNamespace, s.OID}, s.owned, "schema", Quote(s.Name), nil, nil)
		}
	}
}

type extensionRow struct {
	OID     uint32 `json:",string"`
	Name    string
	Schema  string
	Version string
}

// The entry of an extension has the dependencies of its members too: whatever needs a member needs the extension.
var extensionSource = source{class: inExtension, part: "extensions", key: "e.oid", sql: `
select e.oid, e.extname as name, n.nspname as schema, e.extversion as version
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
where true`, parts: `
		union all
		(
			with recursive part(class, oid) as (
				select d.classid, d.objid
				from pg_catalog.pg_depend d
				where d.refclassid = 3079
					and d.refobjid = h.oid
					and d.deptype = 'e'
					and d.objid >= 16384
				union
				select d.classid, d.objid
				from part p
				join pg_catalog.pg_depend d on d.refclassid = p.class and d.refobjid = p.oid
				where d.deptype = 'i'
					or d.classid in (2602, 2603) and d.refclassid in (2616, 2753)
					or d.classid = 2604 and d.refclassid = 1259 and d.deptype = 'a'
			)
			select class, oid from part
		)`}

// addExtensions takes extensions as a whole: the versions, and with them the members, are those that the target offers.
func (r *reader) addExtensions() {
	for _, e := range r.in.Extensions {
		o := &Object{Kind: KindExtension, Name: e.Name, OID: e.OID, Definition: "schema " + Quote(e.Schema),
			Create: []string{"create extension if not exists " + Quote(e.Name) + " with schema " + Quote(e.Schema)}}
		r.add(o, ref{inExtension, e.OID}, "")
	}
}

type collationRow struct {
	OID           uint32 `json:",string"`
	Schema        string
	Name          string
	Provider      string
	Deterministic bool
	Locale        string // of providers that have one setting
	Collate       string
	Ctype         string
	Rules         string
	owned
}

// What a collation has besides its libc locale is called otherwise in each version, if it is there.
var collationSource = source{class: inCollation, part: "collations", key: "c.oid", sql: `
select c.oid, n.nspname as schema, c.collname as name, c.collprovider::text as provider, c.collisdeterministic as deterministic,
	coalesce(j.row ->> 'colllocale', j.row ->> 'colliculocale') as locale, c.collcollate as collate, c.collctype as ctype,
	j.row ->> 'collicurules' as rules, pg_catalog.pg_get_userbyid(c.collowner) as owner
from pg_catalog.pg_collation c
join pg_catalog.pg_namespace n on n.oid = c.collnamespace
cross join lateral (select row_to_json(c)) j (row)
where ` + userSchema}

func (r *reader) addCollations() {
	providers := map[string]string{"b": "builtin", "c": "libc", "i": "icu", "d": "default"}
	for _, c := range r.in.Collations {
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
		id := ref{inCollation, c.OID}
		r.own(r.add(o, id, "collation "+name), id, c.owned, "", "", nil, nil)
	}
}
