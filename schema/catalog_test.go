package schema_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

func catalog(t testing.TB, url string) schema.Catalog {
	t.Helper()
	c, err := schema.ReadCatalog(t.Context(), connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCaptureFunctionGivesTheSameEntries asks bridge.catalog for each entry of the zoo, for what has none, and for addresses
// whose OIDs are those of others.
func TestCaptureFunctionGivesTheSameEntries(t *testing.T) {
	for _, major := range pgtest.Versions(t) {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			url := pgtest.NewDB(t, pgtest.SharedVersion(t, major))
			conn := connect(t, url)
			run(t, conn, zoo(t, major))
			run(t, conn, `create foreign data wrapper w; create server s foreign data wrapper w; create foreign table ft (a integer) server s`)
			want := catalog(t, url)
			run(t, conn, "create schema bridge;"+schema.CaptureFunctions())
			run(t, conn, "create temporary table pg_class (oid text); create domain pg_temp.text as pg_catalog.text check (false); set search_path = pg_temp, app")
			classes, oids := []uint32{1259, 4711, 2618}, []uint32{1, 2, 3}
			for a := range want {
				classes, oids = append(classes, a.Class, 1260), append(oids, a.OID, a.OID)
			}
			rows, err := conn.Query(t.Context(), "select entry::pg_catalog.text from bridge.catalog($1, $2)", classes, oids)
			if err != nil {
				t.Fatal(err)
			}
			got := schema.Catalog{}
			for rows.Next() {
				var text string
				if err := rows.Scan(&text); err != nil {
					t.Fatal(err)
				}
				e, err := schema.ParseEntry(text)
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				if _, again := got[e.Address]; again {
					t.Errorf("%s twice", e.Address)
				}
				got[e.Address] = e
			}
			if rows.Err() != nil {
				t.Fatal(rows.Err())
			}
			for a, e := range want {
				if got[a] != e {
					t.Errorf("%s\n got %s\nwant %s", a, got[a].Text, e.Text)
				}
				if e.Kind == "" || e.Name == "" && a.Class != 0 {
					t.Errorf("%s has kind %q and name %q", a, e.Kind, e.Name)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d entries, want %d", len(got), len(want))
			}
		})
	}
}

// TestObjectsHaveAddresses finds each object of the zoo by its address, in the image it was made of.
func TestObjectsHaveAddresses(t *testing.T) {
	url := pgtest.DB(t)
	run(t, connect(t, url), zoo(t, 14))
	c := catalog(t, url)
	m, err := schema.FromCatalog(c, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Objects {
		if (o.Class == 0) != (o.OID == 0) {
			t.Errorf("%s: class %d, oid %d", o, o.Class, o.OID)
		}
		if _, ok := c[change.Address{Class: o.Class, OID: o.OID}]; !ok && o.Kind != schema.KindDefault && !strings.HasPrefix(o.Definition, "as the partitioned table's") {
			t.Errorf("%s: no entry at %d/%d", o, o.Class, o.OID)
		}
	}
}

// TestRendererRendersAgain changes an image between renderings.
func TestRendererRendersAgain(t *testing.T) {
	url := pgtest.DB(t)
	conn := connect(t, url)
	run(t, conn, zoo(t, 14))
	var renderer schema.Renderer
	for _, sql := range []string{"", `alter table app.customers add column more integer`, `drop schema app cascade`, ``} {
		run(t, conn, sql)
		c := catalog(t, url)
		got, err := renderer.Model(c, schema.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := schema.FromCatalog(c, schema.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("after %q:", sql)
			noDifferences(t, schema.Diff(want, got))
		}
	}
}

func TestParseEntryRefuses(t *testing.T) {
	for _, text := range []string{
		"", "null", "[]", "{", `{"class":1259,"oid":1}`, `{"oid":1,"kind":"table"}`, `{"class":0,"oid":1,"kind":"table"}`,
		`{"class":-1,"oid":1,"kind":"table"}`, `{"class":1259,"oid":99999999999,"kind":"table"}`,
		`{"class":1259,"oid":1,"kind":"table","rows":{"columns":[{"num":"x"}]}}`,
		`{"class":1259,"oid":1,"kind":"table","rows":` + strings.Repeat("[", 100000),
	} {
		if _, err := schema.ParseEntry(text); err == nil || !strings.Contains(err.Error(), "catalog entry") {
			t.Errorf("%.60s: %v, want an error", text, err)
		}
	}
}

func TestRelabels(t *testing.T) {
	const enum = `{"class":1247,"oid":16400,"kind":"type","name":"e","rows":{"types":[{"oid":"16400","kind":"e","labels":[%s],"label_oids":[%s]}]}}`
	for _, c := range []struct {
		name, before, after string
		want                bool
	}{
		{"one has another name", fmt.Sprintf(enum, `"a","b"`, `1,2`), fmt.Sprintf(enum, `"a","c"`, `1,2`), true},
		{"they change names", fmt.Sprintf(enum, `"a","b"`, `1,2`), fmt.Sprintf(enum, `"b","a"`, `1,2`), true},
		{"one is new", fmt.Sprintf(enum, `"a","b"`, `1,2`), fmt.Sprintf(enum, `"a","n","b"`, `1,3,2`), false},
		{"another owner", fmt.Sprintf(enum, `"a"`, `1`), strings.Replace(fmt.Sprintf(enum, `"a"`, `1`), `"kind":"e"`, `"kind":"e","owner":"o"`, 1), false},
		{"fewer OIDs than labels", fmt.Sprintf(enum, `"a","b"`, `1`), fmt.Sprintf(enum, `"a","c"`, `1`), false},
		{"none can be read", `{"class":1247`, `{"class":1247`, true},
		{"no type", `{"class":1259`, `{"class":1259`, false},
	} {
		entry := func(text string) *change.Entry {
			e := &change.Entry{Address: change.Address{Class: 1247, OID: 16400}, Text: text}
			if strings.Contains(text, "1259") {
				e.Address.Class = 1259
			}
			return e
		}
		if got := schema.Relabels(entry(c.before), entry(c.after)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzParseEntry feeds what parses to the renderer, which may refuse it.
func FuzzParseEntry(f *testing.F) {
	f.Add(`{"class":0,"oid":0,"kind":"server","name":"","rows":{"server":[{"version":150018}]}}`)
	f.Add(`{"class":1259,"oid":16400,"kind":"table","name":"public.t","rows":{"relations":[{"oid":"16400","schema":"public","name":"t","kind":"r","parents":[16400]}],` +
		`"columns":[{"relation":"16400","num":1,"name":"a","type":"integer","default_oid":"16401"}],` +
		`"depends":[{"class":"2604","oid":"16401","on_class":"1259","on_oid":"16400","internal":true}]}}`)
	f.Add(`{"class":1259,"oid":16401,"kind":"index","name":"public.i","rows":{"indexes":[{"oid":"16401","table_oid":"16400","primary":true,"key_columns":[7]}]}}`)
	f.Add(`{"class":2606,"oid":16401,"kind":"table constraint","name":"c","rows":{"constraints":[{"oid":"16401","table_oid":"16400","type":"n","column_num":7}]}}`)
	server, _ := schema.ParseEntry(`{"class":0,"oid":0,"kind":"server","name":"","rows":{"server":[{"version":150018}]}}`)
	table, _ := schema.ParseEntry(`{"class":1259,"oid":16400,"kind":"table","name":"t","rows":{"relations":[{"oid":"16400","schema":"public","name":"t","kind":"r","replica_identity":"d"}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := schema.ParseEntry(text)
		if err != nil {
			return
		}
		if e.Text != text || e.Kind == "" {
			t.Errorf("%+v of %q", e, text)
		}
		c := schema.Catalog{server.Address: server, table.Address: table}
		c[e.Address] = e
		m, err := schema.FromCatalog(c, schema.Options{})
		if err == nil {
			_ = m.Show()
		}
	})
}

func TestRenderTwoThousandTables(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long to set up")
	}
	url := pgtest.DB(t)
	conn := connect(t, url)
	for i := range 4 {
		run(t, conn, fmt.Sprintf(`
do $$
begin
	for i in %d .. %d loop
		execute format('create table t%%s (id bigserial primary key, a text not null default ''x'', b numeric(10,2) check (b > 0), c timestamptz default now(), d text, e text, f int, g int)', i);
		execute format('create index on t%%s (c)', i);
	end loop;
end $$`, i*500, i*500+499))
	}
	start := time.Now()
	c := catalog(t, url)
	t.Logf("read %d entries in %v", len(c), time.Since(start))
	var renderer schema.Renderer
	for range 3 {
		start = time.Now()
		m, err := renderer.Model(c, schema.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("rendered %d objects in %v", len(m.Objects), time.Since(start))
	}
}
