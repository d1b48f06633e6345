package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Image is a Catalog whose entries have been parsed, or a part of one that can be rendered by itself. Immutable; not for concurrent
// use, since it finds out who depends on whom when that is asked for.
type Image struct {
	records []*record // in the order of their addresses
	at      map[ref]*record
	linked  *links
}

// links is what the entries of an image have to do with each other.
type links struct {
	entry map[ref]ref   // where the rows of an object stand that has no entry of its own
	users map[ref][]ref // the entries that need one, or belong to it
}

// Renderer renders models of a catalog again and again. It keeps what it has parsed of the last images, so that an entry
// whose text is the same is not parsed again. The zero value is ready; it is not for concurrent use.
type Renderer struct {
	records map[string]*record // by text
}

// Image parses the entries of a catalog.
func (d *Renderer) Image(c Catalog) (*Image, error) {
	if d.records == nil || len(d.records) > 2*len(c)+1000 {
		old := d.records
		d.records = make(map[string]*record, len(c))
		for _, e := range c {
			if r := old[e.Text]; r != nil {
				d.records[e.Text] = r
			}
		}
	}
	i := &Image{records: make([]*record, 0, len(c)), at: make(map[ref]*record, len(c))}
	for address, e := range c {
		r := d.records[e.Text]
		if r == nil {
			var err error
			if r, err = parseRecord(e.Text); err != nil {
				return nil, fmt.Errorf("%s %s: %w", address, e.Name, err)
			}
			r.link()
			d.records[e.Text] = r
		}
		if r.address() != address {
			return nil, fmt.Errorf("%s %s: the entry is that of %s", address, e.Name, r.address())
		}
		i.records = append(i.records, r)
		i.at[r.ref()] = r
	}
	slices.SortFunc(i.records, func(a, b *record) int { return cmp.Or(cmp.Compare(*a.Class, *b.Class), cmp.Compare(*a.OID, *b.OID)) })
	return i, nil
}

// Model is FromCatalog of the catalog that the image is of.
func (d *Renderer) Model(c Catalog, opt Options) (*Model, error) {
	i, err := d.Image(c)
	if err != nil {
		return nil, err
	}
	return i.Model(opt)
}

// Model renders the image.
func (i *Image) Model(opt Options) (*Model, error) {
	in := &rows{}
	for _, r := range i.records {
		in.add(&r.Rows)
	}
	if len(in.Server) != 1 {
		return nil, errors.New("the catalog has no entry of its server")
	}
	m, err := render(in, opt)
	if err != nil {
		return nil, fmt.Errorf("render schema: %w", err)
	}
	return m, nil
}

// Len is how many entries the image has.
func (i *Image) Len() int { return len(i.records) }

// Between returns the parts of two images of the same database that a plan between them needs: what has changed, all that depends
// on it, and what these need to be rendered. The plan from one part's model to the other's has the same statements as that
// between the whole ones. In a database of thousands of tables, of which one has changed, they are quickly rendered. The images
// themselves are returned where something has changed that shows everywhere, such as a schema's name. Also are relations, by their OIDs, that
// are to be in the parts even if they have not changed.
func Between(a, b *Image, also ...uint32) (x, y *Image) {
	near := map[ref]bool{}
	for _, oid := range also {
		near[ref{inClass, oid}] = true
	}
	for _, pair := range [][2]*Image{{a, b}, {b, a}} {
		for _, r := range pair[0].records {
			if other := pair[1].at[r.ref()]; other != nil && (other == r || other.text == r.text) {
				continue
			}
			if !isLocal(r.ref()) {
				return a, b
			}
			near[r.ref()] = true
		}
	}
	both := []*Image{a, b}
	spread(near, both, func(i *Image, at ref, r *record, reach func(ref)) {
		for _, user := range i.links().users[at] {
			reach(user)
		}
		for _, parent := range r.parents() { // what becomes of a partition concerns the whole tree
			reach(parent)
		}
	})
	surround(near, both)
	return a.only(near), b.only(near)
}

// Around returns the part of the image that is needed to render some relations, by their OIDs, with their indexes, constraints, triggers and the like.
func (i *Image) Around(relations ...uint32) *Image {
	near := map[ref]bool{}
	for _, oid := range relations {
		near[ref{inClass, oid}] = true
	}
	surround(near, []*Image{i})
	return i.only(near)
}

// surround adds to some entries what is needed to render them.
func surround(near map[ref]bool, images []*Image) {
	for _, i := range images {
		for _, r := range i.records {
			if !isLocal(r.ref()) || r.temporary {
				near[r.ref()] = true
			}
		}
	}
	spread(near, images, func(i *Image, at ref, r *record, reach func(ref)) {
		for _, need := range r.needs {
			reach(i.links().resolve(need, i))
		}
		for _, user := range i.links().users[at] {
			if i.at[user].belongs == at {
				reach(user)
			}
		}
	})
}

// spread adds to a set of entries all that step reaches from them, in any of the images.
func spread(set map[ref]bool, images []*Image, step func(i *Image, at ref, r *record, reach func(ref))) {
	queue := make([]ref, 0, len(set))
	for at := range set {
		queue = append(queue, at)
	}
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range images {
			if r := i.at[at]; r != nil {
				step(i, at, r, func(next ref) {
					if i.at[next] != nil && !set[next] {
						set[next] = true
						queue = append(queue, next)
					}
				})
			}
		}
	}
}

func (i *Image) only(set map[ref]bool) *Image {
	part := &Image{at: make(map[ref]*record, len(set))}
	for _, r := range i.records {
		if set[r.ref()] {
			part.records = append(part.records, r)
			part.at[r.ref()] = r
		}
	}
	return part
}

// isLocal says of which catalogs there can be thousands of entries. Those of the others are few, and part of every part of an image:
// some show in everything, some are only called by their names.
func isLocal(at ref) bool {
	switch at.class {
	case inClass, inType, inProc, inConstraint, inTrigger, inRewrite, inPolicy, inStatistics:
		return true
	}
	return false
}

func (i *Image) links() *links {
	if i.linked != nil {
		return i.linked
	}
	l := &links{entry: make(map[ref]ref, 2*len(i.records)), users: make(map[ref][]ref, len(i.records))}
	for _, r := range i.records {
		for _, part := range r.parts {
			l.entry[part] = r.ref()
		}
	}
	for _, r := range i.records {
		for _, need := range r.needs {
			if to := l.resolve(need, i); i.at[to] != nil && to != r.ref() {
				l.users[to] = append(l.users[to], r.ref())
			}
		}
	}
	i.linked = l
	return l
}

// resolve returns the entry in which an object stands.
func (l *links) resolve(at ref, i *Image) ref {
	if i.at[at] == nil {
		if entry, ok := l.entry[at]; ok {
			return entry
		}
	}
	return at
}

func (r *record) ref() ref { return ref{*r.Class, *r.OID} }

// parents are the tables that a table inherits from or is a partition of.
func (r *record) parents() (list []ref) {
	for _, t := range r.Rows.Relations {
		for _, oid := range t.Parents {
			list = append(list, ref{inClass, oid})
		}
	}
	return list
}

// link notes what the entry's rows say of other objects.
func (r *record) link() {
	need := func(to ref) {
		if to.oid != 0 && to != r.ref() && !slices.Contains(r.needs, to) {
			r.needs = append(r.needs, to)
		}
	}
	belong := func(table uint32) {
		r.belongs = ref{inClass, table}
		need(r.belongs)
	}
	r.temporary = strings.Contains(r.text, `"`+temporaryPrefix)
	in := &r.Rows
	for _, d := range in.Depends {
		if from := (ref{d.Class, d.OID}); from != r.ref() && !slices.Contains(r.parts, from) {
			r.parts = append(r.parts, from)
		}
		need(ref{d.OnClass, d.OnOID})
	}
	for _, parent := range r.parents() {
		need(parent)
	}
	for _, s := range in.Sequences {
		belong(s.OwnerTable)
	}
	for _, c := range in.Constraints {
		belong(c.Table)
		need(ref{inClass, c.Index})
	}
	for _, x := range in.Indexes {
		belong(x.Table)
		need(ref{inClass, x.Parent})
	}
	for _, w := range in.Rules {
		belong(w.Table)
	}
	for _, p := range in.Policies {
		belong(p.Table)
	}
	for _, s := range in.Statistics {
		belong(s.Table)
	}
	for _, g := range in.Triggers {
		if len(in.Relations) > 0 { // a partition's copy of its parent's
			need(ref{inTrigger, g.Parent})
			continue
		}
		belong(g.Table)
	}
}
