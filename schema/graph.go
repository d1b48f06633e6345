package schema

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// ref is how pg_depend names an object: the catalog it is in, and its OID there.
type ref struct{ class, oid uint32 }

// The OIDs of the catalogs; they are the same in all versions.
const (
	inType       = 1247
	inProc       = 1255
	inClass      = 1259
	inAttrdef    = 2604
	inCast       = 2605
	inConstraint = 2606
	inAmproc     = 2603
	inNamespace  = 2615
	inOpclass    = 2616
	inOperator   = 2617
	inRewrite    = 2618
	inTrigger    = 2620
	inOpfamily   = 2753
	inExtension  = 3079
	inDefaultACL = 826
	inPolicy     = 3256
	inStatistics = 3381
	inCollation  = 3456
	inTSDict     = 3600
	inTSParser   = 3601
	inTSConfig   = 3602
	inTSTemplate = 3764

	inServer       = 1417
	inWrapper      = 2328
	inAccessMethod = 2601
	inConversion   = 2607
	inLanguage     = 2612
	inTransform    = 3576

	inNowhere = 0 // for objects that have no row of their own
)

// node is an object on its way into the model.
type node struct {
	obj        *Object
	address    map[ref]string // where COMMENT ON finds the parts of the object that can have comments
	deps       map[*node]bool
	parent     *node // what it belongs to; excluded silently with it
	inside     *node // whose CREATE statement makes it; its dependencies are that node's
	privileges *node // its owner and who may do what with it
	// excluded says that the options do not want it, uncovered that it can not be rendered.
	excluded, uncovered bool
	dummy               []string // for views: a statement that makes an empty one of the same type
	circular            bool     // it needs the empty one for itself
}

func (n *node) needs(m *node) {
	if m != nil && m != n {
		n.deps[m] = true
	}
}

// graph is what has been read, and what depends on what.
type graph struct {
	nodes   []*node
	byRef   map[ref]*node
	members map[ref]ref   // of extensions
	owners  map[ref]ref   // internal dependencies: array type to type, index to constraint, select rule to view
	depends map[ref][]ref // all other dependencies
}

func newGraph() *graph {
	return &graph{byRef: map[ref]*node{}, members: map[ref]ref{}, owners: map[ref]ref{}, depends: map[ref][]ref{}}
}

func (g *graph) add(o *Object, id ref) *node {
	n := &node{obj: o, deps: map[*node]bool{}, address: map[ref]string{}}
	g.nodes = append(g.nodes, n)
	if id.class != inNowhere {
		g.byRef[id] = n
	}
	return n
}

// resolve returns the node that id is part of, or nil for what is built in or unknown.
func (g *graph) resolve(id ref) *node {
	for range len(g.members) + len(g.owners) + 1 { // and not around a circle for ever
		if n := g.byRef[id]; n != nil {
			return n
		}
		next, ok := g.members[id]
		if !ok {
			next, ok = g.owners[id]
		}
		if !ok {
			return nil
		}
		id = next
	}
	return nil
}

// fitsInside reports whether an object can stand in its table's CREATE TABLE: it needs no function of the user, which in
// turn may need anything, even that table; and nothing that is left out, for then the table would be, too.
func (g *graph) fitsInside(id ref) bool {
	for _, to := range g.depends[id] {
		n := g.resolve(to)
		switch {
		case n == nil:
		case n.obj.Kind == KindFunction, n.obj.Kind == KindOperator, n.excluded, n.uncovered, n.parent != nil && n.parent.excluded:
			return false
		}
	}
	return true
}

// dependRow is a row of pg_depend.
type dependRow struct {
	Class    uint32 `json:",string"`
	OID      uint32 `json:",string"`
	OnClass  uint32 `json:"on_class,string"`
	OnOID    uint32 `json:"on_oid,string"`
	Internal bool   // is made and dropped with what it depends on
	Member   bool   // of an extension
}

// depends returns the query for the dependencies of an object and of its parts.
// https://www.postgresql.org/docs/current/catalog-pg-depend.html
func (s source) depends() string {
	// Objects with smaller OIDs are built in. Dependencies of whole tables on whole relations are left to
	// renderTables (inheritance) and addSequences (owned by), who know what can be made in which order.
	return fmt.Sprintf(`
	select distinct d.*
	from (
		select %d::oid as class, h.oid as oid%s) p
	cross join lateral (
		select d.classid as class, d.objid as oid, d.refclassid as on_class, d.refobjid as on_oid,
			d.deptype = 'i' as internal, d.deptype = 'e' as member
		from pg_catalog.pg_depend d
		where d.classid = p.class
			and d.objid = p.oid
			and d.objid >= 16384
			and (d.refobjid >= 16384 or d.refclassid = 3079)
			and d.deptype in ('n', 'a', 'i', 'e')
			and (d.refclassid <> d.classid or d.refobjid <> d.objid)
			and not (d.classid = 1259 and d.refclassid = 1259 and d.deptype in ('n', 'a')
				and exists (select from pg_catalog.pg_class c where c.oid = d.objid and c.relkind in ('r', 'p', 'f', 'S')))
		offset 0) d
	order by 1, 2, 3, 4, 5, 6`, s.class, s.parts)
}

// addDependencies takes in the rows of pg_depend.
func (r *reader) addDependencies() {
	for _, d := range r.in.Depends {
		from, to := ref{d.Class, d.OID}, ref{d.OnClass, d.OnOID}
		switch {
		case d.Member:
			r.graph.members[from] = to
		case d.Internal:
			r.graph.owners[from] = to
		default:
			r.graph.depends[from] = append(r.graph.depends[from], to)
		}
	}
}

// connect turns the dependencies of the catalog into edges between nodes.
func (g *graph) connect() {
	for from, list := range g.depends {
		n := g.resolve(from)
		if n == nil {
			continue
		}
		for _, to := range list {
			n.needs(g.resolve(to))
		}
	}
	for from, to := range g.owners {
		if n := g.resolve(from); n != nil {
			n.needs(g.resolve(to))
		}
	}
	for _, n := range g.nodes {
		for dep := range n.deps {
			n.obj.needs = append(n.obj.needs, dep.obj)
		}
		slices.SortFunc(n.obj.needs, compareObjects)
	}
	for _, n := range g.nodes {
		if n.inside == nil {
			continue
		}
		for dep := range n.deps {
			n.inside.needs(dep)
		}
		n.deps = map[*node]bool{n.inside: true}
	}
}

// leaveOut removes what is excluded, and whatever needs it. It returns a line for each object that is missed for that.
func (g *graph) leaveOut() []string {
	out := map[*node]bool{}
	var missed []*node
	for again := true; again; {
		again = false
		for _, n := range g.nodes {
			if out[n] {
				continue
			}
			if n.excluded || n.uncovered || n.parent != nil && out[n.parent] {
				out[n], again = true, true
				continue
			}
			for dep := range n.deps {
				if out[dep] {
					out[n], again = true, true
					missed = append(missed, n)
					break
				}
			}
		}
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(n *node) bool { return out[n] })
	var lines []string
	for _, n := range missed {
		var first *node
		for dep := range n.deps {
			if out[dep] && (first == nil || compareNodes(dep, first) < 0) {
				first = dep
			}
		}
		if n.obj.Definition != "" && n.obj.Kind != KindComment && n.obj.Kind != KindPrivileges && n.obj.Kind != KindIndexPartition {
			lines = append(lines, n.obj.String()+" needs "+first.obj.String()+", which is not taken")
		}
	}
	slices.Sort(lines)
	return lines
}

// rank orders kinds among objects that do not depend on each other.
var rank = func() map[Kind]int {
	rank := map[Kind]int{}
	for i, kind := range []Kind{
		KindSchema, KindExtension, KindCollation, KindType, KindFunction, KindOperator, KindOperatorFamily, KindOperatorClass,
		KindAggregate, KindCast, KindLanguage, KindTransform, KindConversion, KindAccessMethod, KindForeignDataWrapper, KindServer, KindTSParser, KindTSTemplate, KindTSDictionary, KindTSConfig, KindSequence, KindTable,
		KindDefault, KindIdentity, KindSequenceOwner, KindCheck, KindInheritance, KindPartition, KindView, KindMaterializedView,
		KindConstraint, KindIndex, KindIndexPartition, KindReplicaIdentity, KindStatistics, KindNotNull, KindForeignKey, KindRule,
		KindTrigger, KindPolicy, KindRowSecurity, KindComment, KindPrivileges,
		KindDefaultPrivileges, KindRefresh,
	} {
		rank[kind] = i
	}
	return rank
}()

func compareNodes(a, b *node) int { return compareObjects(a.obj, b.obj) }

func compareObjects(a, b *Object) int {
	return cmp.Or(
		cmp.Compare(rank[a.Kind], rank[b.Kind]),
		strings.Compare(a.Schema, b.Schema),
		strings.Compare(a.Table, b.Table),
		strings.Compare(a.Name, b.Name),
	)
}

// nodeHeap is a priority queue of nodes whose dependencies are all made.
type nodeHeap []*node

func (h nodeHeap) Len() int           { return len(h) }
func (h nodeHeap) Less(i, j int) bool { return compareNodes(h[i], h[j]) < 0 }
func (h nodeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nodeHeap) Push(x any)        { *h = append(*h, x.(*node)) }
func (h *nodeHeap) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	*h = (*h)[:last]
	return n
}

// sort returns the objects so that each comes after what it needs, the same order every time, and sets their phases:
// an object that needs something of a later phase is made in that phase.
func (g *graph) sort() []*Object {
	waiting := map[*node]int{}
	users := map[*node][]*node{}
	ready := &nodeHeap{}
	for _, n := range g.nodes {
		waiting[n] = len(n.deps)
		for dep := range n.deps {
			users[dep] = append(users[dep], n)
		}
		if len(n.deps) == 0 {
			*ready = append(*ready, n)
		}
	}
	heap.Init(ready)
	var list []*Object
	// made tells the users of n, which has just been listed, that they need not wait for it any longer.
	made := func(n *node) {
		for _, user := range users[n] {
			delete(user.deps, n)
			user.obj.Phase = max(user.obj.Phase, n.obj.Phase)
			if left, ok := waiting[user]; ok {
				waiting[user] = left - 1
				if left == 1 {
					heap.Push(ready, user)
				}
			}
		}
		users[n] = nil
	}
	// empty lists an empty view of the same type; it is replaced when all the view needs is there.
	empty := func(n *node) {
		list = append(list, &Object{Kind: n.obj.Kind, Schema: n.obj.Schema, Name: n.obj.Name, Create: n.dummy})
		n.obj.Create[0] = strings.Replace(n.obj.Create[0], "create view", "create or replace view", 1)
		n.dummy = nil
	}
	for len(waiting) > 0 {
		var n *node
		if ready.Len() > 0 {
			n = heap.Pop(ready).(*node)
		} else {
			n = weakest(waiting)
			if n.dummy != nil {
				empty(n)
				made(n)
				continue
			}
		}
		if n.circular && n.dummy != nil {
			empty(n)
		}
		delete(waiting, n)
		list = append(list, n.obj)
		made(n)
	}
	slices.SortStableFunc(list, func(a, b *Object) int { return cmp.Compare(a.Phase, b.Phase) })
	return list
}

// weakest returns the node of a circle with which to begin: a view if there is one. It is called when every node waits.
func weakest(waiting map[*node]int) *node {
	var n *node
	for candidate := range waiting {
		if n == nil || compareNodes(candidate, n) < 0 {
			n = candidate
		}
	}
	// Following what is waited for leads into a circle, and then around it.
	next := func(n *node) *node {
		var first *node
		for dep := range n.deps {
			if _, left := waiting[dep]; left && (first == nil || compareNodes(dep, first) < 0) {
				first = dep
			}
		}
		return first
	}
	seen := map[*node]bool{}
	for !seen[n] {
		seen[n] = true
		n = next(n)
	}
	best := n
	for m := next(n); m != n; m = next(m) {
		if m.dummy != nil && best.dummy == nil || (m.dummy != nil) == (best.dummy != nil) && compareNodes(m, best) < 0 {
			best = m
		}
	}
	return best
}
