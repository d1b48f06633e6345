package schema

import "strings"

// alterType changes an enum, a composite type, a domain or a range; its parts have been renamed before.
func (p *planner) alterType(x, y *Object) {
	switch {
	case y.domain != nil && x.domain != nil:
		p.alterDomain(x, y)
	case strings.HasPrefix(y.Definition, "enum") && strings.HasPrefix(x.Definition, "enum"):
		for _, c := range x.parts {
			if !hasPart(y, c.id) {
				p.fail(y, "label %s can not be dropped", literal(c.name))
			}
		}
	case strings.HasPrefix(y.Definition, "range") && strings.HasPrefix(x.Definition, "range"):
		if from, to := multirange(x), multirange(y); from != "" && from != to {
			p.renameMultirange(x, y, from, to)
		}
		if !p.sameText(x, y) {
			p.fail(y, "can not become %q", y.Definition)
		}
	case strings.HasPrefix(y.Definition, "(") && strings.HasPrefix(x.Definition, "("):
		p.alterComposite(x, y)
	default:
		p.fail(y, "can not become %q", y.Definition)
	}
}

func hasPart(o *Object, id uint32) bool { return o.part(id) != nil }

func (o *Object) part(id uint32) *component {
	for i := range o.parts {
		if o.parts[i].id == id {
			return &o.parts[i]
		}
	}
	return nil
}

func (p *planner) renameMultirange(x, y *Object, from, to string) {
	a, b := tokens(from), tokens(to)
	if len(a) < 3 || len(b) < 3 {
		return
	}
	schemaFrom, nameFrom, schemaTo, nameTo := a[0].text, a[2].text, b[0].text, b[2].text
	if s := p.a.schemas[schemaFrom]; s != nil {
		if t := p.to[s]; t != nil {
			schemaFrom = t.Name
		}
	}
	if x.Schema != y.Schema && schemaFrom != schemaTo || schemaFrom != schemaTo {
		p.do(y, "alter type "+Quote(schemaFrom, nameFrom)+" set schema "+Quote(schemaTo))
	}
	if nameFrom != nameTo {
		p.do(y, "alter type "+Quote(schemaTo, nameFrom)+" rename to "+Quote(nameTo))
	}
}

// alterComposite adds and changes the attributes of a composite type, and with them the columns of tables of that type.
func (p *planner) alterComposite(x, y *Object) {
	begin := "alter type " + Quote(y.Schema, y.Name)
	r := p.renames(x)
	for _, d := range y.parts {
		switch c := x.part(d.id); {
		case c == nil:
			p.do(y, begin+" add attribute "+Quote(d.name)+" "+d.text+" cascade")
		case !r.explain(c.text, d.text):
			p.do(y, begin+" alter attribute "+Quote(d.name)+" type "+d.text+" cascade")
		}
	}
}

func (p *planner) alterDomain(x, y *Object) {
	begin := "alter domain " + Quote(y.Schema, y.Name)
	r := p.renames(x)
	if !r.explain(x.domain.base, y.domain.base) {
		p.fail(y, "can not become a domain of %s", y.domain.base)
	}
	if !r.explain(x.domain.byDefault, y.domain.byDefault) || x.domain.byDefault != "" && p.lostNeeds(x) {
		if y.domain.byDefault == "" {
			p.do(y, begin+" drop default")
		} else {
			p.do(y, begin+" set default "+y.domain.byDefault)
		}
	}
	switch {
	case x.domain.notNull && !y.domain.notNull:
		p.do(y, begin+" drop not null")
	case y.domain.notNull && !x.domain.notNull:
		p.do(y, begin+" set not null")
	}
	for _, d := range y.parts {
		c := x.part(d.id)
		switch {
		case c == nil:
			p.do(y, begin+" add constraint "+Quote(d.name)+" "+d.text)
		case strings.HasSuffix(c.text, " NOT VALID") && !strings.HasSuffix(d.text, " NOT VALID"):
			p.do(y, begin+" validate constraint "+Quote(d.name))
		case !r.explain(c.text, d.text):
			p.fail(y, "constraint %s can not become %q", Quote(d.name), d.text)
		}
	}
}
