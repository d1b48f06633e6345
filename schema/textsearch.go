package schema

import (
	"strings"
)

type textSearchRow struct {
	Class      uint32 `json:",string"`
	OID        uint32 `json:",string"`
	Schema     string
	Name       string
	Definition string
	Mappings   []string
	owned
}

var textSearchSources = []source{
	{class: inTSParser, part: "text_search", key: "p.oid", sql: `
select 3601::oid as class, p.oid, n.nspname as schema, p.prsname as name,
	'start = ' || p.prsstart::text || ', gettoken = ' || p.prstoken::text || ', end = ' || p.prsend::text
		|| case when p.prsheadline <> 0 then ', headline = ' || p.prsheadline::text else '' end
		|| ', lextypes = ' || p.prslextype::text as definition
from pg_catalog.pg_ts_parser p
join pg_catalog.pg_namespace n on n.oid = p.prsnamespace
where ` + userSchema},
	{class: inTSTemplate, part: "text_search", key: "t.oid", sql: `
select 3764::oid as class, t.oid, n.nspname as schema, t.tmplname as name,
	case when t.tmplinit <> 0 then 'init = ' || t.tmplinit::text || ', ' else '' end || 'lexize = ' || t.tmpllexize::text as definition
from pg_catalog.pg_ts_template t
join pg_catalog.pg_namespace n on n.oid = t.tmplnamespace
where ` + userSchema},
	{class: inTSDict, part: "text_search", key: "d.oid", sql: `
select 3600::oid as class, d.oid, n.nspname as schema, d.dictname as name,
	'template = ' || pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.tmplname) || coalesce(', ' || d.dictinitoption, '') as definition,
	pg_catalog.pg_get_userbyid(d.dictowner) as owner
from pg_catalog.pg_ts_dict d
join pg_catalog.pg_namespace n on n.oid = d.dictnamespace
join pg_catalog.pg_ts_template t on t.oid = d.dicttemplate
join pg_catalog.pg_namespace tn on tn.oid = t.tmplnamespace
where ` + userSchema},
	{class: inTSConfig, part: "text_search", key: "c.oid", sql: `
select 3602::oid as class, c.oid, n.nspname as schema, c.cfgname as name,
	'parser = ' || pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.prsname) as definition,
	(select array_agg(m.alias || ' with ' || m.dictionaries order by m.alias)
	from (
		select pg_catalog.quote_ident(tt.alias) as alias, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
		from pg_catalog.pg_ts_config_map m
		join lateral pg_catalog.ts_token_type(c.cfgparser) tt on tt.tokid = m.maptokentype
		where m.mapcfg = c.oid
		group by tt.alias
	) m) as mappings, pg_catalog.pg_get_userbyid(c.cfgowner) as owner
from pg_catalog.pg_ts_config c
join pg_catalog.pg_namespace n on n.oid = c.cfgnamespace
join pg_catalog.pg_ts_parser p on p.oid = c.cfgparser
join pg_catalog.pg_namespace pn on pn.oid = p.prsnamespace
where ` + userSchema},
}

// addTextSearch reads parsers, templates, dictionaries and configurations of full text search.
func (r *reader) addTextSearch() {
	kinds := map[uint32]Kind{inTSParser: KindTSParser, inTSTemplate: KindTSTemplate, inTSDict: KindTSDictionary, inTSConfig: KindTSConfig}
	for _, t := range r.in.TextSearch {
		thing := string(kinds[t.Class]) + " " + Quote(t.Schema, t.Name)
		o := &Object{Kind: kinds[t.Class], Schema: t.Schema, Name: t.Name, OID: t.OID,
			Definition: strings.Join(append([]string{t.Definition}, t.Mappings...), "\n"),
			Create:     append([]string{"create " + thing + " (" + t.Definition + ")"}, prefixed("alter "+thing+" add mapping for ", t.Mappings)...)}
		id := ref{t.Class, t.OID}
		r.own(r.add(o, id, thing), id, t.owned, "", "", nil, nil)
	}
}
