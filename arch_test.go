package pgbridge_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pgbridge/pgbridge"

// allowed says which packages of ours a package may import; "." is the root. What is not
// in the map has no place yet: give it one. Tests may import more, see testOnly.
var allowed = map[string][]string{
	"change":          {},
	"schema":          {"change"},
	"sql":             {},
	"dial":            {},
	"config":          {},
	"router":          {},
	"decoder":         {"change"},
	"commitlog":       {"change"},
	"sink":            {"change", "commitlog"},
	"sink/postgres":   {"change", "commitlog", "schema", "sink", "sql"},
	"check":           {"change", "schema"},
	"master":          {"change", "commitlog", "config", "schema", "sql"},
	".":               {"change", "check", "commitlog", "config", "decoder", "dial", "master", "schema", "sink", "sink/postgres"},
	"pgserver":        {},
	"pgserver/pgtest": {"pgserver"},
	"demo":            {".", "commitlog", "config", "master", "pgserver", "sink/postgres"},
	"bench":           {".", "config", "master", "pgserver"},
	"cmd/bridge":      {".", "change", "check", "commitlog", "config", "demo", "master", "pgserver", "schema", "sink/postgres"},
	"itest":           {},
	"internal/gold":   {},
	"internal/rows":   {"change"},
}

var (
	// commands stand on top of the root; nobody imports them, but for the demo, which is
	// a command's.
	commands = []string{"demo", "bench", "cmd/bridge", "itest"}

	// testOnly packages are imported by tests, and by nothing that is built.
	testOnly = []string{"pgserver/pgtest", "internal/gold", "internal/rows"}

	// importers says who alone may import a package of others; tests aside.
	importers = map[string][]string{
		"github.com/spf13/viper":           {"config"},
		"github.com/spf13/cobra":           {"cmd/bridge"},
		"github.com/jackc/pglogrepl":       {"decoder"},
		"github.com/klauspost/compress":    {"commitlog"},
		"github.com/jackc/pgx/v5/pgproto3": {"decoder"},
	}
)

// maxDepth bounds the chain of packages from the root down, both ends counted.
const maxDepth = 5

// source is one file of Go.
type source struct {
	file    string
	pkg     string // folder, "." for the root
	name    string // of the package
	test    bool
	doc     string
	imports []string // paths
}

// sources reads all files, whatever system they are for.
func sources(t *testing.T) (list []source) {
	t.Helper()
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") || strings.Contains(file, "testdata/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		s := source{file: file, pkg: path.Dir(file), name: f.Name.Name, test: strings.HasSuffix(file, "_test.go"), doc: docOf(f)}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.imports = append(s.imports, p)
		}
		list = append(list, s)
	}
	if len(list) < 20 {
		t.Fatalf("%d files of Go: is this the root of the module?", len(list))
	}
	return list
}

func docOf(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}

// files lists what belongs to the module.
func files(t *testing.T) (list []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (p == ".git" || p == "bin"):
			return fs.SkipDir
		case p == ".git": // of a second working tree
		case d.Type().IsRegular():
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// ours gives the folder of a package of this module.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestImportsFollowTheMap(t *testing.T) {
	known := map[string]bool{}
	for _, s := range sources(t) {
		known[s.pkg] = true
		may, ok := allowed[s.pkg]
		if !ok {
			t.Errorf("%s: package %s is not in the map of arch_test.go", s.file, s.pkg)
			continue
		}
		for _, i := range s.imports {
			p, ok := ours(i)
			if !ok {
				continue
			}
			switch {
			case s.test && (p == s.pkg || slices.Contains(testOnly, p)):
			case slices.Contains(commands, p) && !(s.pkg == "cmd/bridge" && p == "demo"):
				t.Errorf("%s imports %s, which nobody may", s.file, p)
			case s.test:
			case !slices.Contains(may, p):
				t.Errorf("%s imports %s; package %s may import %v", s.file, p, s.pkg, may)
			}
		}
	}
	for pkg := range allowed {
		if !known[pkg] {
			t.Errorf("package %s is in the map and not there", pkg)
		}
	}
}

func TestOthersAreImportedInOnePlace(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports {
			for p, may := range importers {
				if (i == p || strings.HasPrefix(i, p+"/")) && !s.test && !slices.Contains(may, s.pkg) {
					t.Errorf("%s imports %s; only %v may", s.file, i, may)
				}
			}
		}
	}
}

func TestImportsAreShallow(t *testing.T) {
	graph := map[string][]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, i := range s.imports {
			if p, ok := ours(i); ok {
				graph[s.pkg] = append(graph[s.pkg], p)
			}
		}
	}
	var longest func(pkg string, way []string) []string
	longest = func(pkg string, way []string) []string {
		if slices.Contains(way, pkg) {
			t.Fatalf("packages import each other: %v", append(way, pkg))
		}
		way = append(slices.Clone(way), pkg)
		best := []string{pkg}
		for _, p := range graph[pkg] {
			if chain := longest(p, way); len(chain) >= len(best) {
				best = append([]string{pkg}, chain...)
			}
		}
		return best
	}
	for pkg := range graph {
		if chain := longest(pkg, nil); len(chain) > maxDepth && !slices.Contains(commands, pkg) {
			t.Errorf("%d packages deep: %s", len(chain), strings.Join(chain, " → "))
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	docs, names := map[string]string{}, map[string]string{}
	for _, s := range sources(t) {
		if !s.test {
			docs[s.pkg] += s.doc
			names[s.pkg] = s.name
		} else if names[s.pkg] == "" {
			names[s.pkg] = strings.TrimSuffix(s.name, "_test")
		}
		if s.pkg != "." && s.name != "main" && !s.test && s.name != path.Base(s.pkg) {
			t.Errorf("%s: package %s in folder %s", s.file, s.name, s.pkg)
		}
	}
	for pkg, name := range names {
		want := "Package " + name + " "
		if name == "main" {
			want = fmt.Sprintf("Command %s ", path.Base(pkg))
		}
		if !strings.HasPrefix(docs[pkg], want) {
			t.Errorf("package %s has no comment that begins with %q", pkg, want)
		}
		switch name {
		case "util", "utils", "helper", "helpers", "common", "misc", "base", "lib", "shared", "types":
			t.Errorf("package %s: a name that says nothing", pkg)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksInDocumentsExist(t *testing.T) {
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(path.Join(path.Dir(file), target))); err != nil {
				t.Errorf("%s links to %s, which is not there", file, target)
			}
		}
	}
}

// What should be done is done or in the issue tracker, and nothing depends on where it
// was written.
func TestNothingIsLeftBehind(t *testing.T) {
	leftovers := []string{"TO" + "DO", "FIX" + "ME", "/wo" + "rk/"}
	for _, file := range files(t) {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not text
		}
		for n, line := range strings.Split(string(text), "\n") {
			for _, word := range leftovers {
				if strings.Contains(line, word) {
					t.Errorf("%s, line %d: %s in %q", file, n+1, word, line)
				}
			}
		}
	}
}
