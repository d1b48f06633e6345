package schema

import (
	"slices"
	"strings"
)

// make returns what makes of an object that has just been made, with its default privileges, what p is.
func (p *privileges) make() []roleStatement {
	var list []roleStatement
	if p.address != "" {
		list = p.setOwner()
	}
	// Schema public is there already, in a state that depends on the version.
	from, anew := p.byDefault, p.on == "schema public"
	switch {
	case anew:
		from = []grant{{"", p.owner, p.all, ""}, {p.owner, p.owner, p.all, ""}}
	case p.distorted && p.on != "":
		list = append(list, p.undistort())
		from = []grant{{p.owner, p.owner, p.all, ""}}
	}
	list = append(list, p.change(from, p.grants, "", anew)...)
	for _, c := range p.columns {
		list = append(list, p.change(nil, c.grants, c.name, false)...)
	}
	return list
}

// undistort leaves all to the owner, whoever that is, and nothing to others.
func (p *privileges) undistort() roleStatement {
	kind, name, _ := strings.Cut(p.on, " ")
	of := map[string][4]string{"table": {"pg_class", "rel", "regclass", "r"}, "sequence": {"pg_class", "rel", "regclass", "s"},
		"routine": {"pg_proc", "pro", "regprocedure", "f"}, "type": {"pg_type", "typ", "regtype", "T"}, "schema": {"pg_namespace", "nsp", "regnamespace", "n"}}[kind]
	on := strings.ReplaceAll(p.on, "'", "''")
	return roleStatement{sql: "do $bridge$ declare r record; begin for r in select o." + of[1] + "owner::regrole as owner, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role " +
		"from pg_catalog." + of[0] + " o cross join lateral pg_catalog.aclexplode(coalesce(o." + of[1] + "acl, pg_catalog.acldefault('" + of[3] + "', o." + of[1] + "owner))) a where o.oid = " + literal(name) + "::" + of[2] + " " +
		"loop execute case when r.role = r.owner::text then 'grant' else 'revoke' end || ' all on " + on + " ' || case when r.role = r.owner::text then 'to ' else 'from ' end || r.role; end loop; end $bridge$"}
}

func (p *privileges) setOwner() []roleStatement {
	return []roleStatement{{"alter " + p.address + " owner to " + Quote(p.owner), []string{p.owner}}}
}

// drop returns what makes the privileges those by default.
func (p *privileges) drop() []roleStatement { return p.change(p.grants, p.byDefault, "", false) }

// alterTo returns what turns p into q, which is the same object's.
func (p *privileges) alterTo(q *privileges) []roleStatement {
	var list []roleStatement
	before := p.ownedBy(p.grants, q.owner)
	if p.owner != q.owner && q.address != "" {
		list = q.setOwner()
	}
	list = append(list, q.change(before, q.grants, "", false)...)
	// What is revoked from a table is revoked from its columns.
	revoked := func(g grant) string {
		for _, h := range before {
			if h.sameRoles(g) {
				for _, i := range q.grants {
					if i.sameRoles(g) {
						return without(h.letters, i.letters)
					}
				}
				return h.letters
			}
		}
		return ""
	}
	columnsBefore := map[int16][]grant{}
	for _, c := range p.columns {
		for _, g := range p.ownedBy(c.grants, q.owner) {
			gone := revoked(g)
			g.letters, g.options = without(g.letters, gone), without(g.options, gone)
			if g.letters != "" {
				columnsBefore[c.num] = append(columnsBefore[c.num], g)
			}
		}
	}
	for _, c := range q.table {
		var after []grant
		if i := slices.IndexFunc(q.columns, func(d columnGrants) bool { return d.num == c.Num }); i >= 0 {
			after = q.columns[i].grants
		}
		list = append(list, q.change(columnsBefore[c.Num], after, c.Name, false)...)
	}
	return list
}

// ownedBy returns what becomes of grants when the owner changes.
func (p *privileges) ownedBy(list []grant, owner string) []grant {
	if owner == p.owner {
		return list
	}
	var changed []grant
	for _, g := range list {
		if g.grantee == p.owner {
			g.grantee = owner
		}
		if g.grantor == p.owner {
			g.grantor = owner
		}
		if i := slices.IndexFunc(changed, g.sameRoles); i >= 0 {
			changed[i].letters, changed[i].options = union(changed[i].letters, g.letters), union(changed[i].options, g.options)
			continue
		}
		changed = append(changed, g)
	}
	return changed
}

func union(a, b string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(a+b, c) {
			return c
		}
		return -1
	}, privilegeLetters)
}

// change returns what turns one list of grants into another. The server changes an item where it stands, and appends new ones; all of
// them are made anew where that would not give the order, or when it is not known what is there.
func (p *privileges) change(from, to []grant, column string, anew bool) []roleStatement {
	var list []roleStatement
	if !anew && !p.byRole {
		var order []grant
		for _, g := range from {
			if slices.ContainsFunc(to, g.sameRoles) {
				order = append(order, g)
			}
		}
		for _, g := range to {
			if !slices.ContainsFunc(from, g.sameRoles) {
				order = append(order, g)
			}
		}
		anew = !slices.EqualFunc(order, to, grant.sameRoles)
	}
	none := func(g grant) grant { return grant{g.grantee, g.grantor, "", ""} }
	find := func(list []grant, g grant) grant {
		if i := slices.IndexFunc(list, g.sameRoles); i >= 0 && !anew {
			return list[i]
		}
		return none(g)
	}
	for _, g := range slices.Backward(from) { // what rests on others goes first
		h := find(to, g)
		cascade := ""
		if g.options != "" {
			cascade = " cascade"
		}
		gone := without(g.letters, h.letters)
		list = append(list, p.statement(g, "revoke", without(gone, p.lostBy(g.grantor, to)), column, " from "+role(g.grantee)+cascade)...)
		list = append(list, p.statement(g, "revoke grant option for", without(without(g.options, h.options), gone), column, " from "+role(g.grantee)+" cascade")...)
	}
	for _, g := range to {
		h := find(from, g)
		option := without(g.options, h.options)
		list = append(list, p.statement(g, "grant", without(without(g.letters, h.letters), option), column, " to "+role(g.grantee))...)
		list = append(list, p.statement(g, "grant", option, column, " to "+role(g.grantee)+" with grant option")...)
	}
	return list
}

// lostBy returns the privileges that a role other than the owner can not grant: what it has granted of them goes by CASCADE with
// its own.
func (p *privileges) lostBy(role string, to []grant) string {
	if role == p.owner {
		return ""
	}
	lost := privilegeLetters
	for _, g := range to {
		if g.grantee == role {
			lost = without(lost, g.options)
		}
	}
	return lost
}

// statement grants or revokes privileges as g's grantor.
func (p *privileges) statement(g grant, verb, letters, column, end string) []roleStatement {
	all := p.all
	if column != "" {
		all = columnLetters
	}
	words := p.words(letters, all, column, true)
	if words == "" || p.on == "" {
		return nil
	}
	s := roleStatement{sql: p.begin + verb + " " + words + " on " + p.on + end}
	need := func(name string) {
		if name != "" && !slices.Contains(s.roles, name) {
			s.roles = append(s.roles, name)
		}
	}
	if p.byRole {
		need(p.owner)
	}
	need(g.grantee)
	if g.grantor != p.owner {
		// A superuser grants as the owner.
		need(g.grantor)
		s.sql = "set local role " + Quote(g.grantor) + "; " + s.sql + "; reset role"
	}
	return []roleStatement{s}
}
