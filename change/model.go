package change

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Entry is what the master's catalogs say of one object of the schema, as the master
// wrote it into the log. Package schema understands the text; here it is opaque but
// for what says which object it is.
type Entry struct {
	Address Address
	Kind    string
	Name    string // for people
	Text    string // JSON; equal entries have equal text
}

// ParseEntry reads an entry.
func ParseEntry(text string) (*Entry, error) {
	var head struct {
		Address
		Kind, Name string
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return nil, fmt.Errorf("parse schema entry: %w", err)
	}
	if head.Kind == "" || head.Kind == relationKind {
		return nil, fmt.Errorf("parse schema entry %s: its kind is %q", head.Address, head.Kind)
	}
	return &Entry{head.Address, head.Kind, head.Name, text}, nil
}

// relationKind is the kind of a relation's Object.
const relationKind = "relation"

// Model is what is known of the schema at one point of the log: the relations that the
// changes are written under, and the entries of the whole schema. It is addressed by the
// checksum of its content. Immutable: With and Evolve make a new one, which shares the objects.
type Model struct {
	relations map[uint32]*Object // by OID
	entries   map[Address]*Object

	once sync.Once
	list []*Object
	sum  Checksum
}

// NewModel is a model of the given relations.
func NewModel(relations ...*Relation) *Model {
	m := &Model{relations: map[uint32]*Object{}, entries: map[Address]*Object{}}
	for _, r := range relations {
		m.put(relationObject(r))
	}
	return m
}

// ModelOf is the model of the objects.
func ModelOf(objects []*Object) *Model {
	m := &Model{relations: map[uint32]*Object{}, entries: make(map[Address]*Object, len(objects))}
	for _, o := range objects {
		m.put(o)
	}
	return m
}

func (m *Model) put(o *Object) {
	if o.relation != nil {
		m.relations[o.relation.OID] = o
		return
	}
	m.entries[o.entry.Address] = o
}

// Len is how many objects the model has.
func (m *Model) Len() int { return len(m.relations) + len(m.entries) }

// Relation gives the relation with this OID, nil when the model has none.
func (m *Model) Relation(oid uint32) *Relation {
	if o := m.relations[oid]; o != nil {
		return o.relation
	}
	return nil
}

// Relations gives all relations in the order of their OIDs.
func (m *Model) Relations() []*Relation {
	list := make([]*Relation, 0, len(m.relations))
	for _, oid := range slices.Sorted(maps.Keys(m.relations)) {
		list = append(list, m.relations[oid].relation)
	}
	return list
}

// Entry gives the entry of an object, nil when the model has none. Address{} is that of the
// server: every model that knows the schema has it.
func (m *Model) Entry(a Address) *Entry {
	if o := m.entries[a]; o != nil {
		return o.entry
	}
	return nil
}

// Entries gives the entries of the schema in the order of their addresses.
func (m *Model) Entries() []*Entry {
	list := make([]*Entry, 0, len(m.entries))
	for _, o := range m.entries {
		list = append(list, o.entry)
	}
	slices.SortFunc(list, func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(a.Address.Class, b.Address.Class), cmp.Compare(a.Address.OID, b.Address.OID))
	})
	return list
}

// SameSchema says whether the entries of both models are the same, whatever their relations.
func (m *Model) SameSchema(n *Model) bool {
	return m == n || maps.EqualFunc(m.entries, n.entries, func(a, b *Object) bool { return a == b || a.Checksum == b.Checksum })
}

func (m *Model) clone() *Model {
	return &Model{relations: maps.Clone(m.relations), entries: maps.Clone(m.entries)}
}

// With is the model in which r takes the place of the relation with its OID;
// m itself when it holds r already. A relation of the same name under another
// OID was dropped on the master and is left out.
func (m *Model) With(r *Relation) *Model {
	o := relationObject(r)
	if old := m.relations[r.OID]; old != nil && old.Checksum == o.Checksum {
		return m
	}
	n := m.clone()
	for oid, old := range n.relations {
		if oid != r.OID && old.relation.Schema == r.Schema && old.relation.Name == r.Name {
			delete(n.relations, oid)
		}
	}
	n.put(o)
	return n
}

// inClass is the OID of pg_class, the same in every database.
const inClass = 1259

// Evolution is a change of the schema, as one transaction saw it.
//
// What the transaction itself made, changed or dropped is certain: it holds the objects' locks. What
// it says of others, whose definitions name its own, is what it saw at the moment At: they may be changed
// by transactions at the same time, which saw its own objects as they were before.
type Evolution struct {
	Reset bool // Set is the whole schema
	Set   []Said
	Drop  []Said // without Entry
}

// Said is what a message says of one object.
type Said struct {
	Address Address
	Entry   *Entry // new or changed; nil where it is gone
	At      LSN    // when it was seen; 0: it is certain
}

// Changes tells when objects of a model got what it has of them: the end of the transaction that changed
// them, or when they were seen so; 0 stands for the transaction that is being read. Changes from before the
// oldest transaction that is still open need not be in it.
type Changes map[Address]LSN

// End completes what a transaction made, which ends at lsn. If it changed anything itself, then also what it saw is as of its end:
// who looked before that has not seen its changes, wherever they show.
func (c Changes) End(lsn LSN) {
	certain := false
	for _, at := range c {
		certain = certain || at == 0
	}
	if !certain {
		return
	}
	for address := range c {
		c[address] = lsn
	}
}

// Evolve is the model behind the change; m itself when it changes nothing. What was seen before the
// object got what m has of it, as known says, does not count. The changes that it makes are added to made. Relations
// go with their tables.
func (m *Model) Evolve(e *Evolution, known, made Changes) *Model {
	n := m.clone()
	changed := false
	overtaken := func(s Said) bool { return s.At != 0 && known[s.Address] > s.At }
	note := func(s Said) {
		changed = true
		if at, there := made[s.Address]; !there || at != 0 {
			made[s.Address] = s.At
		}
	}
	drop := func(s Said) {
		if n.entries[s.Address] == nil || overtaken(s) {
			return
		}
		delete(n.entries, s.Address)
		note(s)
	}
	if e.Reset {
		there := map[Address]bool{}
		var at LSN
		for _, s := range e.Set {
			there[s.Address], at = true, s.At
		}
		for address := range m.entries {
			if !there[address] {
				drop(Said{Address: address, At: at})
			}
		}
	}
	for _, s := range e.Set {
		o := entryObject(s.Entry)
		if old := n.entries[s.Address]; old != nil && old.Checksum == o.Checksum || overtaken(s) {
			continue
		}
		n.entries[s.Address] = o
		note(s)
	}
	for _, s := range e.Drop {
		drop(s)
	}
	for oid := range n.relations {
		// Without any entries the schema is not known, and nothing follows for relations.
		if len(n.entries) > 0 && n.entries[Address{inClass, oid}] == nil {
			delete(n.relations, oid)
			changed = true
		}
	}
	if !changed {
		return m
	}
	return n
}

// Object is one definition of a model, as it is stored. Immutable.
type Object struct {
	Checksum   Checksum
	Kind, Name string
	Definition string

	relation *Relation // or
	entry    *Entry
}

func relationObject(r *Relation) *Object {
	o := &Object{Kind: relationKind, Name: r.String(), Definition: r.Definition(), relation: r}
	o.Checksum = sha256.Sum256([]byte(o.Definition))
	return o
}

func entryObject(e *Entry) *Object {
	return &Object{sha256.Sum256([]byte(e.Text)), e.Kind, e.Name, e.Text, nil, e}
}

// ParseObject reads an object from its definition.
func ParseObject(definition string) (*Object, error) {
	// Entries begin with the class; relations have none.
	if strings.HasPrefix(definition, `{"oid":`) {
		r, err := ParseRelation(definition)
		if err != nil {
			return nil, err
		}
		return &Object{sha256.Sum256([]byte(definition)), relationKind, r.String(), definition, r, nil}, nil
	}
	e, err := ParseEntry(definition)
	if err != nil {
		return nil, err
	}
	return entryObject(e), nil
}

// Objects lists the model's objects in the order of their checksums. The list is the
// model's own.
func (m *Model) Objects() []*Object {
	m.once.Do(func() {
		list := slices.AppendSeq(make([]*Object, 0, m.Len()), maps.Values(m.relations))
		list = slices.AppendSeq(list, maps.Values(m.entries))
		slices.SortFunc(list, func(a, b *Object) int { return bytes.Compare(a.Checksum[:], b.Checksum[:]) })
		h := sha256.New()
		for _, o := range list {
			h.Write(o.Checksum[:])
		}
		h.Sum(m.sum[:0])
		m.list = list
	})
	return m.list
}

// Checksum is the SHA-256 of the objects' checksums in their order.
func (m *Model) Checksum() Checksum {
	m.Objects()
	return m.sum
}

// evolutionMessage is how the master writes an Evolution into the log.
type evolutionMessage struct {
	Reset bool              `json:"reset"`
	Seen  LSN               `json:"seen"`
	More  bool              `json:"more"`
	Set   []json.RawMessage `json:"set"`
	Drop  []Address         `json:"drop"`
}

// Add adds what a message of the log says to the evolution; more says that it goes on
// in the next message.
func (e *Evolution) Add(message []byte) (more bool, err error) {
	var m evolutionMessage
	if err := json.Unmarshal(message, &m); err != nil {
		return false, fmt.Errorf("parse a change of the schema: %w", err)
	}
	if m.Reset {
		*e = Evolution{Reset: true}
	}
	for _, text := range m.Set {
		entry, err := ParseEntry(string(text))
		if err != nil {
			return false, err
		}
		e.Set = append(e.Set, Said{entry.Address, entry, m.Seen})
	}
	for _, address := range m.Drop {
		e.Drop = append(e.Drop, Said{Address: address, At: m.Seen})
	}
	return m.More, nil
}

// Reason says why rows of a table changed without being in the log. The values are the
// bytes of the encoding.
type Reason byte

const (
	Rewritten Reason = 'w' // the table was rewritten
	Published Reason = 'p' // it had rows when it was published
	Refreshed Reason = 'f' // a materialized view was refreshed
)

var reasons = map[string]Reason{"rewritten": Rewritten, "published": Published, "refreshed": Refreshed}

func (r Reason) String() string {
	for name, reason := range reasons {
		if reason == r {
			return name
		}
	}
	return fmt.Sprintf("Reason(%d)", byte(r))
}

func (r Reason) known() bool { return r == Rewritten || r == Published || r == Refreshed }

// ParseRows reads the message by which the master says that rows changed.
func ParseRows(message []byte) (oid uint32, why Reason, err error) {
	var m struct {
		OID uint32 `json:"oid"`
		Why string `json:"why"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return 0, 0, fmt.Errorf("parse a change of rows: %w", err)
	}
	if why = reasons[m.Why]; why == 0 || m.OID == 0 {
		return 0, 0, errors.New("parse a change of rows: unknown table or reason")
	}
	return m.OID, why, nil
}
