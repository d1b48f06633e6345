package itest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A case of the corpus is a file in testdata/evolve:
//
//	-- since 15                  it needs that major version
//	-- if select …               or what this query answers with t, on both servers
//	-- before                    what there is before: made, and waited for
//	-- change                    what happens then, in a session of its own; may come several times
//	-- change at once            the same, sent as one string, which is one transaction
//
// A statement behind a line "-- fails" has to fail.
type evolveCase struct {
	name  string
	since int
	ifs   []string
	parts []part
}

// part is what one session does.
type part struct {
	name       string // before or change
	statements []statement
}

type statement struct {
	sql   string
	fails bool
}

// caseVariable selects cases by a regular expression.
const caseVariable = "ITEST_CASE"

// evolveCases reads the corpus.
func evolveCases(t testing.TB) []evolveCase {
	t.Helper()
	wanted, err := regexp.Compile(os.Getenv(caseVariable))
	if err != nil {
		t.Fatalf("%s: %v", caseVariable, err)
	}
	files, err := filepath.Glob("testdata/evolve/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	slices.Sort(files)
	var cases []evolveCase
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		if !wanted.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		k, err := parseCase(name, string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases = append(cases, k)
	}
	return cases
}

var sectionLine = regexp.MustCompile(`(?m)^-- (before|change|change at once|since [0-9]+|if .*)$`)

func parseCase(name, text string) (evolveCase, error) {
	k := evolveCase{name: name}
	heads := sectionLine.FindAllStringSubmatchIndex(text, -1)
	if len(heads) == 0 || strings.TrimSpace(text[:heads[0][0]]) != "" {
		return k, fmt.Errorf("want a section first")
	}
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		head, body := text[h[2]:h[3]], strings.TrimSpace(text[h[1]:end])
		word, rest, _ := strings.Cut(head, " ")
		switch word {
		case "since":
			k.since, _ = strconv.Atoi(rest)
		case "if":
			k.ifs = append(k.ifs, rest)
		default:
			p := part{name: word}
			if rest != "" {
				p.statements = []statement{{sql: body}}
			} else {
				for _, sql := range splitSQL(body) {
					p.statements = append(p.statements, statement{sql, strings.HasPrefix(sql, "-- fails\n")})
				}
			}
			k.parts = append(k.parts, p)
		}
	}
	return k, nil
}

var (
	dollarQuote = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z_0-9]*)?\$`)
	atomicWord  = regexp.MustCompile(`(?i)^(begin[ \n]+atomic|end)\b`)
)

// splitSQL cuts a script at its semicolons. It knows quotes, comments to the end of the line,
// and bodies of functions: a body that begins with begin atomic must have no case in it.
func splitSQL(text string) []string {
	var list []string
	start, atomic := 0, false
	for i := 0; i < len(text); i++ {
		skip := func(to string) { // to behind the next such string
			if n := strings.Index(text[i+1:], to); n >= 0 {
				i += n + len(to)
			} else {
				i = len(text)
			}
		}
		switch c := text[i]; {
		case c == '\'' || c == '"':
			skip(string(c))
		case strings.HasPrefix(text[i:], "--"):
			skip("\n")
		case c == '$':
			if quote := dollarQuote.FindString(text[i:]); quote != "" {
				i += len(quote) - 1
				skip(quote)
			}
		case (c|0x20 == 'b' || c|0x20 == 'e') && (i == 0 || strings.ContainsRune(" \n;", rune(text[i-1]))):
			if word := atomicWord.FindString(text[i:]); word != "" {
				if c|0x20 == 'b' {
					atomic = true
				} else {
					atomic = false
				}
			}
		case c == ';' && !atomic:
			list = append(list, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	if rest := strings.TrimSpace(text[start:]); rest != "" {
		list = append(list, rest)
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func TestSplitSQL(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"a; b", []string{"a", "b"}},
		{"select ';'; select \";\"; -- ;\nc;", []string{"select ';'", `select ";"`, "-- ;\nc"}},
		{"select 'it''s;'; do $$ a; b $$; do $x$ $$ ; $$ $x$", []string{"select 'it''s;'", "do $$ a; b $$", "do $x$ $$ ; $$ $x$"}},
		{"create function f() language sql begin atomic select 1; select 2; end; b", []string{"create function f() language sql begin atomic select 1; select 2; end", "b"}},
		{"begin; a; end; b", []string{"begin", "a", "end", "b"}},
	} {
		if have := splitSQL(c.text); !slices.Equal(have, c.want) {
			t.Errorf("%s: %q, want %q", c.text, have, c.want)
		}
	}
}
