package schema

import "strings"

// otherRow is an object that is made by one statement, and made again where it changes.
type otherRow struct {
	Class      uint32 `json:",string"`
	OID        uint32 `json:",string"`
	Schema     string
	Name       string
	Begin      string // between "create" and the kind
	Definition string // what comes behind the name; empty: it is built in, and this is of its privileges
	owned
}

var otherKinds = map[uint32]Kind{
	inLanguage: KindLanguage, inTransform: KindTransform, inConversion: KindConversion, inAccessMethod: KindAccessMethod,
	inWrapper: KindForeignDataWrapper, inServer: KindServer,
}

// grantedAs is what GRANT calls them, where something can be granted on them.
var grantedAs = map[Kind]string{KindLanguage: "language", KindForeignDataWrapper: "foreign data wrapper", KindServer: "foreign server"}

// optionsClause returns an expression for the OPTIONS of an object.
func optionsClause(options string) string {
	return `coalesce((
		select ' options (' || string_agg(pg_catalog.quote_ident(o.option_name) || ' ' || pg_catalog.quote_literal(o.option_value), ', ') || ')'
		from pg_catalog.pg_options_to_table(` + options + `) o), '')`
}

var otherSources = []source{
	{class: inLanguage, part: "others", key: "l.oid", sql: `
select 2612::oid as class, l.oid, l.lanname as name, case when l.lanpltrusted then ' trusted' end as begin,
	' handler ' || l.lanplcallfoid::regproc::text
		|| case when l.laninline <> 0 then ' inline ' || l.laninline::regproc::text else '' end
		|| case when l.lanvalidator <> 0 then ' validator ' || l.lanvalidator::regproc::text else '' end as definition,
	pg_catalog.pg_get_userbyid(l.lanowner) as owner, l.lanacl::text[] as acl
from pg_catalog.pg_language l
where l.oid >= 16384
	and l.lanplcallfoid <> 0`},
	{class: inLanguage, part: "others", key: "l.oid", builtIn: true, sql: `
select 2612::oid as class, l.oid, l.lanname as name, pg_catalog.pg_get_userbyid(l.lanowner) as owner, l.lanacl::text[] as acl
from pg_catalog.pg_language l
where l.oid < 16384
	and l.lanacl is not null`},
	{class: inTransform, part: "others", key: "f.oid", sql: `
select 3576::oid as class, f.oid, 'for ' || pg_catalog.format_type(f.trftype, null) || ' language ' || pg_catalog.quote_ident(l.lanname) as name,
	' (' || concat_ws(', ',
		'from sql with function ' || nullif(f.trffromsql, 0)::regprocedure::text,
		'to sql with function ' || nullif(f.trftosql, 0)::regprocedure::text) || ')' as definition
from pg_catalog.pg_transform f
join pg_catalog.pg_language l on l.oid = f.trflang
where f.oid >= 16384`},
	{class: inConversion, part: "others", key: "c.oid", sql: `
select 2607::oid as class, c.oid, n.nspname as schema, c.conname as name, case when c.condefault then ' default' end as begin,
	' for ' || pg_catalog.quote_literal(pg_catalog.pg_encoding_to_char(c.conforencoding))
		|| ' to ' || pg_catalog.quote_literal(pg_catalog.pg_encoding_to_char(c.contoencoding)) || ' from ' || c.conproc::text as definition,
	pg_catalog.pg_get_userbyid(c.conowner) as owner
from pg_catalog.pg_conversion c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
where ` + userSchema},
	{class: inAccessMethod, part: "others", key: "a.oid", sql: `
select 2601::oid as class, a.oid, a.amname as name,
	' type ' || case a.amtype when 't' then 'table' else 'index' end || ' handler ' || a.amhandler::text as definition
from pg_catalog.pg_am a
where a.oid >= 16384`},
	{class: inWrapper, part: "others", key: "w.oid", sql: `
select 2328::oid as class, w.oid, w.fdwname as name,
	case when w.fdwhandler <> 0 then ' handler ' || w.fdwhandler::regproc::text else '' end
		|| case when w.fdwvalidator <> 0 then ' validator ' || w.fdwvalidator::regproc::text else '' end
		|| ` + optionsClause("w.fdwoptions") + ` as definition,
	pg_catalog.pg_get_userbyid(w.fdwowner) as owner, w.fdwacl::text[] as acl
from pg_catalog.pg_foreign_data_wrapper w
where w.oid >= 16384`},
	{class: inServer, part: "others", key: "s.oid", sql: `
select 1417::oid as class, s.oid, s.srvname as name,
	coalesce(' type ' || pg_catalog.quote_literal(s.srvtype), '') || coalesce(' version ' || pg_catalog.quote_literal(s.srvversion), '')
		|| ' foreign data wrapper ' || pg_catalog.quote_ident(w.fdwname) || ` + optionsClause("s.srvoptions") + ` as definition,
	pg_catalog.pg_get_userbyid(s.srvowner) as owner, s.srvacl::text[] as acl
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
where s.oid >= 16384`},
}

// addOthers adds what is made by one statement.
func (r *reader) addOthers() {
	for _, x := range r.in.Others {
		kind := otherKinds[x.Class]
		if kind == "" {
			r.refuse("there is no kind for catalog %d", x.Class)
			return
		}
		name := qualified(kind, x.Schema, x.Name)
		if x.Definition == "" && kind == KindLanguage {
			r.ownBuiltIn(x.owned, string(kind)+" "+name)
			continue
		}
		o := &Object{Kind: kind, Schema: x.Schema, Name: x.Name, OID: x.OID, Definition: strings.TrimSpace(x.Begin + x.Definition),
			Create: []string{"create" + x.Begin + " " + string(kind) + " " + name + x.Definition}}
		if o.Definition == "" {
			o.Definition = string(kind)
		}
		id := ref{x.Class, x.OID}
		r.own(r.add(o, id, string(kind)+" "+name), id, x.owned, grantedAs[kind], name, nil, nil)
	}
}
