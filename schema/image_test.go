package schema_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/schema"
)

func imageOf(t *testing.T, conn *pgx.Conn) *schema.Image {
	t.Helper()
	c, err := schema.ReadCatalog(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	i, err := new(schema.Renderer).Image(c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func modelOf(t *testing.T, i *schema.Image, opt schema.Options) *schema.Model {
	t.Helper()
	m, err := i.Model(opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// outline is a plan as text, or why there is none.
func outline(steps schema.Steps, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, s := range steps.First {
		fmt.Fprintf(&b, "first %s: %s %q\n", s.Object, s.SQL, s.Roles)
	}
	for _, s := range steps.Then {
		fmt.Fprintf(&b, "%s: %s %q\n", s.Object, s.SQL, s.Roles)
	}
	return b.String()
}

// planOfParts is the plan from what has changed to what became of it.
func planOfParts(t *testing.T, a, b *schema.Image, opt schema.Options) string {
	t.Helper()
	x, y := schema.Between(a, b)
	t.Logf("%d of %d entries to %d of %d", x.Len(), a.Len(), y.Len(), b.Len())
	return outline(schema.Plan(modelOf(t, x, opt), modelOf(t, y, opt)))
}

// partsAreAsInTheWhole renders each relation by itself.
func partsAreAsInTheWhole(t *testing.T, whole *schema.Model, i *schema.Image, opt schema.Options) {
	t.Helper()
	for _, o := range whole.Objects {
		if o.Relation == nil {
			continue
		}
		part := modelOf(t, i.Around(o.OID), opt)
		got := map[string]*schema.Object{}
		for _, p := range part.Objects {
			got[p.String()] = p
		}
		for _, w := range whole.Objects {
			if w != o && (w.Schema != o.Schema || w.Table != o.Name) {
				continue
			}
			p := got[w.String()]
			if p == nil {
				t.Errorf("%s: not there around %s", w, o)
				continue
			}
			if w.Definition != p.Definition || w.Firing != p.Firing || !reflect.DeepEqual(w.Create, p.Create) || (w.Relation != nil) != (p.Relation != nil) ||
				w.Relation != nil && !reflect.DeepEqual(w.Relation.Columns, p.Relation.Columns) {
				t.Errorf("%s around %s:\n%+v\nin the whole:\n%+v", w, o, p, w)
			}
		}
	}
}
