package schema

import "context"

// readPolicies reads row security policies, with the names of their roles.
func (r *reader) readPolicies(ctx context.Context) error {
	rows, err := query[struct {
		OID        uint32
		Table      uint32 `db:"table_oid"`
		Name       string
		Definition string
	}](ctx, r, `
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
where `+userSchema)
	if err != nil {
		return err
	}
	for _, p := range rows {
		t := r.relations[p.Table]
		if t == nil {
			continue
		}
		address := Quote(p.Name) + " on " + t.quoted()
		o := &Object{Kind: KindPolicy, Name: p.Name, OID: p.OID, Phase: PostData, Definition: p.Definition,
			Create: []string{"create policy " + address + " " + p.Definition}}
		r.addPart(o, ref{inPolicy, p.OID}, "policy "+address, t)
	}
	return nil
}
