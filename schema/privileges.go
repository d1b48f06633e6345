package schema

import (
	"slices"
	"strings"
)

// owned is what the catalogs say of whose an object is and who may do what with it.
type owned struct {
	Owner string
	ACL   []string // the items; nil for what is so by default
}

// privileges is the owner of an object and what has been granted on it, or what is granted by default on what a role will make.
type privileges struct {
	owner   string
	address string // as ALTER … OWNER TO wants it; empty where the owner is that of something else
	on      string // as GRANT wants it; empty for what nothing can be granted on
	begin   string // goes before GRANT and REVOKE
	byRole  bool   // the owner has to exist for them
	all     string // letters of all privileges that there are
	target  int
	// distorted says that an object does not come with the privileges by default: who makes it has set others.
	distorted bool

	byDefault []grant
	grants    []grant // in the order of the catalogs: one can rest on one before it
	columns   []columnGrants
	table     []*column // all columns that there are
}

type columnGrants struct {
	num    int16
	name   string
	grants []grant
}

// grant is an item of an access control list.
// https://www.postgresql.org/docs/current/ddl-priv.html
type grant struct {
	grantee, grantor string // grantee is empty for PUBLIC
	letters          string // the privileges
	options          string // those of them that can be granted on
}

func (g grant) sameRoles(h grant) bool { return g.grantee == h.grantee && g.grantor == h.grantor }

// roleStatement is a statement that needs roles to exist.
type roleStatement struct {
	sql   string
	roles []string
}

// The letters of privileges, and what they stand for.
const privilegeLetters = "arwdDxtmXUC"

var privilegeWords = map[rune]string{'a': "insert", 'r': "select", 'w': "update", 'd': "delete", 'D': "truncate", 'x': "references",
	't': "trigger", 'm': "maintain", 'X': "execute", 'U': "usage", 'C': "create"}

const columnLetters = "arwx"

// grantable says for a kind of object what can be granted, and what everybody has by default.
func grantable(kind string, version int) (all, public string) {
	switch kind {
	case "table":
		if version < 17 {
			return "arwdDxt", ""
		}
		return "arwdDxtm", ""
	case "sequence":
		return "rwU", ""
	case "routine":
		return "X", "X"
	case "type", "language":
		return "U", "U"
	case "foreign data wrapper", "foreign server":
		return "U", ""
	case "schema":
		return "UC", ""
	case "large object":
		return "rw", ""
	}
	return "", ""
}

// hasDefaults says for which kinds of objects ALTER DEFAULT PRIVILEGES can have set others.
var hasDefaults = map[string]bool{"table": true, "sequence": true, "routine": true, "type": true, "schema": true}

// newPrivileges makes privileges of a kind of objects, with those that are there by default.
func (r *reader) newPrivileges(kind, owner string) *privileges {
	all, public := grantable(kind, r.in.Server[0].Version/10000)
	p := &privileges{owner: owner, all: all, target: r.target}
	if public != "" {
		p.byDefault = append(p.byDefault, grant{"", owner, public, ""})
	}
	if all != "" {
		p.byDefault = append(p.byDefault, grant{owner, owner, all, ""})
	}
	return p
}

// own adds the owner and the privileges of an object that stands in the graph as id. Nothing can be granted on it where kind is empty.
// The owner is that of another object where that is given.
func (r *reader) own(n *node, id ref, of owned, kind, name string, columns []*column, follows *node) {
	if n == nil || of.Owner == "" || n.address[id] == "" {
		return
	}
	p := r.newPrivileges(kind, of.Owner)
	if follows == nil {
		p.address = n.address[id]
	}
	if kind != "" {
		p.on = kind + " " + name
	}
	p.grants = r.grants(of.ACL, p.byDefault)
	p.table, p.distorted = columns, r.opt.OwnDefaults && hasDefaults[kind]
	for _, c := range columns {
		if c.ACL != nil {
			p.columns = append(p.columns, columnGrants{c.Num, c.Name, r.grants(c.ACL, nil)})
		}
	}
	o := &Object{Kind: KindPrivileges, Schema: n.obj.Schema, Table: n.obj.Table, Name: n.address[id], Phase: PostData, privileges: p}
	if o.Table == "" && id.class == inClass && r.relations[id.oid] != nil {
		o.Table = n.obj.Name
	}
	o.Definition = p.String()
	o.setCreate(p.make())
	own := r.graph.add(o, ref{})
	own.parent = n
	own.needs(n)
	own.needs(follows)
	n.privileges = own
}

// ownBuiltIn adds the privileges on an object that every database has, where they are not those by default. Whose it is does not matter:
// a superuser's, whatever the name is.
func (r *reader) ownBuiltIn(of owned, thing string) {
	kind, _, _ := strings.Cut(thing, " ")
	p := r.newPrivileges(kind, of.Owner)
	p.on = thing
	if p.grants = r.grants(of.ACL, p.byDefault); slices.Equal(p.grants, p.byDefault) {
		return
	}
	o := &Object{Kind: KindPrivileges, Name: thing, Phase: PostData, privileges: p, Definition: p.String()}
	o.setCreate(p.make())
	r.graph.add(o, ref{})
}

func (o *Object) setCreate(list []roleStatement) {
	for _, s := range list {
		o.Create = append(o.Create, s.sql)
		o.roles = append(o.roles, s.roles)
	}
}

// grants parses a list; byDefault is what null stands for, and whatever order the same has.
func (r *reader) grants(acl []string, byDefault []grant) []grant {
	if acl == nil {
		return byDefault
	}
	list := make([]grant, 0, len(acl))
	for _, item := range acl {
		g, ok := parseGrant(item)
		if !ok {
			r.refuse("%q is no item of an access control list", item)
			return nil
		}
		list = append(list, g)
	}
	if len(list) == len(byDefault) && !slices.ContainsFunc(list, func(g grant) bool { return !slices.Contains(byDefault, g) }) {
		return byDefault
	}
	return list
}

// parseGrant parses grantee=letters/grantor, where a star makes an option of the letter before it, and names can have quotes.
func parseGrant(item string) (g grant, ok bool) {
	name := func(end byte) string {
		if !strings.HasPrefix(item, `"`) {
			i := strings.IndexByte(item, end)
			if i < 0 {
				i = len(item)
			}
			s := item[:i]
			item = item[i:]
			return s
		}
		i := quoteEnd(item, 0)
		s := strings.ReplaceAll(item[1:max(1, i-1)], `""`, `"`)
		item = item[i:]
		return s
	}
	g.grantee = name('=')
	letters, rest, found := strings.Cut(strings.TrimPrefix(item, "="), "/")
	if !found || !strings.HasPrefix(item, "=") {
		return g, false
	}
	item = rest
	g.grantor = name(0)
	for _, c := range privilegeLetters {
		if i := strings.IndexRune(letters, c); i >= 0 {
			g.letters += string(c)
			if strings.HasPrefix(letters[i+1:], "*") {
				g.options += string(c)
			}
		}
	}
	return g, g.grantor != ""
}

// String tells the privileges, or nothing but the owner where they are those by default.
func (p *privileges) String() string {
	lines := []string{"owner " + Quote(p.owner)}
	tell := func(g grant, all, column string) {
		by := ""
		if g.grantor != p.owner {
			by = " by " + Quote(g.grantor)
		}
		if plain := without(g.letters, g.options); plain != "" {
			lines = append(lines, p.words(plain, all, column, false)+" to "+role(g.grantee)+by)
		}
		if g.options != "" {
			lines = append(lines, p.words(g.options, all, column, false)+" to "+role(g.grantee)+" with grant option"+by)
		}
	}
	if !slices.Equal(p.grants, p.byDefault) {
		for _, g := range p.grants {
			tell(g, p.all, "")
		}
		if len(p.grants) == 0 {
			lines = append(lines, "nothing to anybody")
		}
	}
	for _, c := range p.columns {
		for _, g := range c.grants {
			tell(g, columnLetters, c.name)
		}
	}
	return strings.Join(lines, "\n")
}

// role returns a grantee as statements call it.
func role(name string) string {
	if name == "" {
		return "public"
	}
	if name == "public" {
		return `"public"`
	}
	return Quote(name)
}

// words lists privileges. Those that the target does not know are left out of statements.
func (p *privileges) words(letters, all, column string, statement bool) string {
	if column != "" {
		column = " (" + Quote(column) + ")"
	}
	if letters == all {
		return "all" + column
	}
	var list []string
	for _, c := range letters {
		if c != 'm' || p.target >= 17 || !statement {
			list = append(list, privilegeWords[c]+column)
		}
	}
	return strings.Join(list, ", ")
}

// without returns the letters that others has not.
func without(letters, others string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(others, c) {
			return -1
		}
		return c
	}, letters)
}

// same reports whether nothing is to be done to turn p into q.
func (p *privileges) same(q *privileges) bool {
	return p.owner == q.owner && slices.Equal(p.grants, q.grants) &&
		slices.EqualFunc(p.columns, q.columns, func(c, d columnGrants) bool { return c.num == d.num && slices.Equal(c.grants, d.grants) })
}
