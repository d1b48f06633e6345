package schema

import (
	"slices"
	"strings"
)

// defaultPrivilegesRow is a row of pg_default_acl.
type defaultPrivilegesRow struct {
	OID       uint32 `json:",string"`
	Role      string
	Namespace uint32 `json:",string"`
	Schema    string
	Type      string
	ACL       []string
}

var defaultPrivilegesSource = source{class: inDefaultACL, part: "default_privileges", key: "d.oid", sql: `
select d.oid, pg_catalog.pg_get_userbyid(d.defaclrole) as role, d.defaclnamespace as namespace, n.nspname as schema,
	d.defaclobjtype::text as type, d.defaclacl::text[] as acl
from pg_catalog.pg_default_acl d
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
where (d.defaclnamespace = 0 or ` + userSchema + `)`}

// addDefaultPrivileges adds what roles grant by default on what they will make.
func (r *reader) addDefaultPrivileges() {
	for _, d := range r.in.DefaultPrivileges {
		kind := map[string]string{"r": "table", "S": "sequence", "f": "routine", "T": "type", "n": "schema", "L": "large object"}[d.Type]
		p := r.newPrivileges(kind, d.Role)
		if d.Namespace != 0 {
			p.byDefault = nil // it adds to what is granted everywhere
		}
		p.on, p.byRole = kind+"s", true
		// The server sorts them by the OIDs of roles, which are its own.
		p.grants = slices.SortedFunc(slices.Values(r.grants(d.ACL, nil)), func(g, h grant) int { return strings.Compare(g.grantee, h.grantee) })
		name := "for role " + Quote(d.Role)
		if d.Schema != "" {
			name += " in schema " + Quote(d.Schema)
		}
		p.begin = "alter default privileges " + name + " "
		o := &Object{Kind: KindDefaultPrivileges, Name: name + " on " + p.on, OID: d.OID, Phase: PostData, privileges: p}
		_, o.Definition, _ = strings.Cut(p.String(), "\n")
		o.setCreate(p.make())
		n := r.add(o, ref{inDefaultACL, d.OID}, "")
		if n == nil {
			continue
		}
		if s := r.graph.byRef[ref{inNamespace, d.Namespace}]; s != nil {
			n.parent = s
			n.needs(s)
		}
		n.uncovered = kind == "" || kind == "large object" && r.target < 18
	}
}
