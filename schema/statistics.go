package schema

import (
	"fmt"
)

type statisticsRow struct {
	OID        uint32 `json:",string"`
	Table      uint32 `json:"table_oid,string"`
	Schema     string
	Name       string
	Definition string
	Target     int
	owned
}

var statisticsSource = source{class: inStatistics, part: "statistics", key: "s.oid", table: "s.stxrelid", sql: `
select s.oid, s.stxrelid as table_oid, n.nspname as schema, s.stxname as name, pg_catalog.pg_get_statisticsobjdef(s.oid) as definition,
	coalesce(s.stxstattarget, -1)::int as target, pg_catalog.pg_get_userbyid(s.stxowner) as owner
from pg_catalog.pg_statistic_ext s
join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
where ` + userSchema}

// addStatistics reads extended statistics.
func (r *reader) addStatistics() {
	for _, s := range r.in.Statistics {
		t := r.relations[s.Table]
		if t == nil {
			continue
		}
		name := Quote(s.Schema, s.Name)
		o := &Object{Kind: KindStatistics, Schema: s.Schema, Name: s.Name, OID: s.OID, Phase: PostData, Definition: s.Definition,
			Create: []string{s.Definition}}
		if s.Target >= 0 {
			alter := fmt.Sprintf("set statistics %d", s.Target)
			o.Definition += "\n" + alter
			o.Create = append(o.Create, "alter statistics "+name+" "+alter)
		}
		if n := r.add(o, ref{inStatistics, s.OID}, "statistics "+name); n != nil {
			n.parent = t.node
			n.needs(t.node)
			r.own(n, ref{inStatistics, s.OID}, s.owned, "", "", nil, nil)
		}
	}
}
