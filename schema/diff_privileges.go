package schema

import (
	"maps"
	"slices"
	"strings"
)

// differs reports whether privileges differ, on two servers, as far as they are those of roles that exist on both. The order is none.
func (p *privileges) differs(q *privileges, exists func(role string) bool) bool {
	sameOwner := p.owner == q.owner
	if !sameOwner && exists(p.owner) && exists(q.owner) {
		return true
	}
	comparable := func(letters, all string) string {
		if letters == all {
			return "all"
		}
		if !strings.Contains(p.all, "m") || !strings.Contains(q.all, "m") {
			return without(letters, "m") // which came with version 17
		}
		return letters
	}
	told := func(p *privileges) map[string]string {
		told := map[string]string{}
		tell := func(list []grant, all, column string) {
			for _, g := range list {
				by := g.grantor
				if by == p.owner {
					by = ""
				}
				if g.grantee != "" && !exists(g.grantee) || by != "" && !exists(by) || g.grantee == p.owner && !sameOwner {
					continue
				}
				told[column+"\x00"+g.grantee+"\x00"+by] = comparable(g.letters, all) + "\x00" + comparable(g.options, all)
			}
		}
		tell(p.grants, p.all, "")
		for _, c := range p.columns {
			tell(c.grants, columnLetters, c.name)
		}
		return told
	}
	return !maps.Equal(told(p), told(q))
}

// missing reports whether privileges that another model lacks as an object mean something there. Those on an object are only
// missing with it.
func (p *privileges) missing(other *Object, exists func(role string) bool) bool {
	if other != nil || !p.byRole || !exists(p.owner) {
		return false
	}
	nothing := *p
	nothing.grants = p.byDefault
	return p.differs(&nothing, exists)
}

// roles yields the roles that are named.
func (p *privileges) roles(yield func(string) bool) {
	all := slices.Clone(p.grants)
	for _, c := range p.columns {
		all = append(all, c.grants...)
	}
	names := []string{p.owner}
	for _, g := range all {
		names = append(names, g.grantee, g.grantor)
	}
	for _, name := range names {
		if name != "" && !yield(name) {
			return
		}
	}
}

// MissingRoles names the roles that own something in a, or may do something there, and that do not exist where b was read.
func MissingRoles(a, b *Model) []string {
	missing := map[string]bool{}
	for _, o := range a.Objects {
		if o.privileges == nil {
			continue
		}
		for name := range o.privileges.roles {
			if !b.hasRole(name) {
				missing[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// hasRole reports whether a role is known to exist: of a model that was not read from a server, when it is named there.
func (m *Model) hasRole(name string) bool {
	if m.roles == nil {
		m.roles = map[string]bool{}
		for _, o := range m.Objects {
			if o.privileges != nil {
				for name := range o.privileges.roles {
					m.roles[name] = true
				}
			}
		}
	}
	return m.roles[name]
}
