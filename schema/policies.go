package schema

type policyRow struct {
	OID        uint32 `json:",string"`
	Table      uint32 `json:"table_oid,string"`
	Name       string
	Definition string
}

var policySource = source{class: inPolicy, part: "policies", key: "p.oid", table: "p.polrelid", sql: `
select p.oid, p.polrelid as table_oid, p.polname as name,
	case when p.polpermissive then 'as permissive' else 'as restrictive' end
		|| case p.polcmd when 'r' then ' for select' when 'a' then ' for insert' when 'w' then ' for update' when 'd' then ' for delete' else ' for all' end
		|| ' to ' || (
			select string_agg(case when role.oid = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role.oid)) end, ', '
				order by role.oid <> 0, pg_catalog.pg_get_userbyid(role.oid))
			from unnest(p.polroles) as role(oid))
		|| coalesce(' using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
		|| coalesce(' with check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') as definition
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where ` + userSchema}

// addPolicies reads row security policies, with the names of their roles.
func (r *reader) addPolicies() {
	for _, p := range r.in.Policies {
		t := r.relations[p.Table]
		if t == nil {
			continue
		}
		address := Quote(p.Name) + " on " + t.quoted()
		o := &Object{Kind: KindPolicy, Name: p.Name, OID: p.OID, Phase: PostData, Definition: p.Definition,
			Create: []string{"create policy " + address + " " + p.Definition}}
		r.addPart(o, ref{inPolicy, p.OID}, "policy "+address, t)
	}
}
