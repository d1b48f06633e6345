package schema

import (
	"context"
	"strings"
)

// readTextSearch reads parsers, templates, dictionaries and configurations of full text search.
func (r *reader) readTextSearch(ctx context.Context) error {
	rows, err := query[struct {
		Class        uint32
		OID          uint32
		Schema, Name string
		Definition   string
		Mappings     []string
	}](ctx, r, `
select 3601::oid as class, p.oid, n.nspname as schema, p.prsname as name,
	'start = ' || p.prsstart::text || ', gettoken = ' || p.prstoken::text || ', end = ' || p.prsend::text
		|| case when p.prsheadline <> 0 then ', headline = ' || p.prsheadline::text else '' end
		|| ', lextypes = ' || p.prslextype::text as definition, null::text[] as mappings
from pg_catalog.pg_ts_parser p
join pg_catalog.pg_namespace n on n.oid = p.prsnamespace
where `+userSchema+`
union all
select 3764, t.oid, n.nspname, t.tmplname,
	case when t.tmplinit <> 0 then 'init = ' || t.tmplinit::text || ', ' else '' end || 'lexize = ' || t.tmpllexize::text, null
from pg_catalog.pg_ts_template t
join pg_catalog.pg_namespace n on n.oid = t.tmplnamespace
where `+userSchema+`
union all
select 3600, d.oid, n.nspname, d.dictname,
	'template = ' || pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.tmplname) || coalesce(', ' || d.dictinitoption, ''), null
from pg_catalog.pg_ts_dict d
join pg_catalog.pg_namespace n on n.oid = d.dictnamespace
join pg_catalog.pg_ts_template t on t.oid = d.dicttemplate
join pg_catalog.pg_namespace tn on tn.oid = t.tmplnamespace
where `+userSchema+`
union all
select 3602, c.oid, n.nspname, c.cfgname,
	'parser = ' || pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.prsname),
	(select array_agg(m.alias || ' with ' || m.dictionaries order by m.alias)
	from (
		select pg_catalog.quote_ident(tt.alias) as alias, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
		from pg_catalog.pg_ts_config_map m
		join lateral pg_catalog.ts_token_type(c.cfgparser) tt on tt.tokid = m.maptokentype
		where m.mapcfg = c.oid
		group by tt.alias
	) m)
from pg_catalog.pg_ts_config c
join pg_catalog.pg_namespace n on n.oid = c.cfgnamespace
join pg_catalog.pg_ts_parser p on p.oid = c.cfgparser
join pg_catalog.pg_namespace pn on pn.oid = p.prsnamespace
where `+userSchema)
	if err != nil {
		return err
	}
	kinds := map[uint32]Kind{inTSParser: KindTSParser, inTSTemplate: KindTSTemplate, inTSDict: KindTSDictionary, inTSConfig: KindTSConfig}
	for _, t := range rows {
		thing := string(kinds[t.Class]) + " " + Quote(t.Schema, t.Name)
		o := &Object{Kind: kinds[t.Class], Schema: t.Schema, Name: t.Name, OID: t.OID,
			Definition: strings.Join(append([]string{t.Definition}, t.Mappings...), "\n"),
			Create:     append([]string{"create " + thing + " (" + t.Definition + ")"}, prefixed("alter "+thing+" add mapping for ", t.Mappings)...)}
		r.add(o, ref{t.Class, t.OID}, thing)
	}
	return nil
}
