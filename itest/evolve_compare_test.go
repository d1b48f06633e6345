package itest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/schema"
)

// How two schemas are compared: by schema.Diff, and by pg_dump, which knows nothing of us.
//
// PostgreSQL's own text of a definition is no fixed point: check (v in ('a', 'b')) on a
// varchar column, made again from what pg_get_constraintdef says, says it in another way. So
// where the replica differs, the master's schema is loaded once more into a scratch database,
// and what the replica has may be as it is there instead.

// sameSchema fails unless the replicas have the schema that the master has.
func (w *world) sameSchema() {
	w.t.Helper()
	for i := range w.replicas {
		for _, d := range w.schemaDifferences(w.t, i, true) {
			w.t.Errorf("replica %d: %s", i+1, d)
		}
		drift, err := w.bridge().SchemaOnReplica(w.t.Context(), w.config.Replicas[i].Name)
		if err != nil {
			w.t.Errorf("replica %d: look for drift: %v", i+1, err)
		}
		for _, d := range drift {
			w.t.Errorf("replica %d: said to be changed by hand: %s", i+1, d.Explain())
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// schemaDifferences says in what a replica's schema is not the master's. pg_dump is asked as
// well when dumped is set.
func (w *world) schemaDifferences(t testing.TB, replica int, dumped bool) []string {
	t.Helper()
	ctx := t.Context()
	master, err := readSchema(ctx, w.master.URL("app"))
	if err != nil {
		t.Fatalf("master: %v", err)
	}
	other, err := readSchema(ctx, w.replicas[replica].URL("app"))
	if err != nil {
		t.Fatalf("replica %d: %v", replica+1, err)
	}
	var scratch string // made when it is needed
	again := func() string {
		if scratch == "" {
			scratch = w.loadAgain(t, master)
		}
		return scratch
	}
	defer func() {
		if scratch != "" {
			w.dropScratch(t)
		}
	}()

	var list []string
	if found := differing(master, other); len(found) > 0 {
		remade, err := readSchema(ctx, again())
		if err != nil {
			t.Fatalf("scratch database: %v", err)
		}
		still := map[string]bool{}
		for _, d := range differing(remade, other) {
			still[d.String()] = true
		}
		for _, d := range found {
			if still[d.String()] {
				list = append(list, fmt.Sprintf("%s\n\tmaster:  %s\n\treplica: %s", d, indent(d.A), indent(d.B)))
			}
		}
	}
	if !dumped || master.Version/10000 != other.Version/10000 { // each major version writes its own dump
		return list
	}
	texts, ok := pgDump(t, w.master, w.master.URL("app"), w.replicas[replica].URL("app"))
	if !ok {
		return list
	}
	found := differingEntries(texts[0], texts[1])
	if len(found) > 0 {
		if remade, ok := pgDump(t, w.master, again()); ok {
			maps.DeleteFunc(found, func(entry, _ string) bool {
				return slices.Equal(remade[0][entry], texts[1][entry])
			})
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(found)) {
		list = append(list, "pg_dump, "+entry+"\n"+found[entry])
	}
	return list
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n\t") }

// readSchema reads what a database has beside schema bridge.
func readSchema(ctx context.Context, url string) (*schema.Model, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return schema.Read(ctx, conn, schema.Options{})
}

// differing is schema.Diff without the replica identities that the bridge gives to tables
// without a key.
func differing(a, b *schema.Model) []schema.Difference {
	return slices.DeleteFunc(schema.Diff(a, b), func(d schema.Difference) bool {
		return d.Kind == schema.KindReplicaIdentity && (d.A == "" || d.A == "full") && (d.B == "" || d.B == "full")
	})
}

const scratchName = "scratch"

// loadAgain makes the master's schema a second time in a database of its own, as pg_dump
// writes it, or as the model does where there is no pg_dump. It returns the URL.
func (w *world) loadAgain(t testing.TB, m *schema.Model) string {
	t.Helper()
	ctx := t.Context()
	w.dropScratch(t)
	if err := try(ctx, w.master.URL("postgres"), "create database "+scratchName+" template template0"); err != nil {
		t.Fatalf("scratch database: %v", err)
	}
	url := w.master.URL(scratchName)
	if text, ok := rawDump(t, w.master, w.master.URL("app")); ok {
		if err := try(ctx, url, ourEventTriggers.ReplaceAllString(restricted.ReplaceAllString(text, ""), "")); err != nil {
			t.Fatalf("load the master's dump: %v", err)
		}
		return url
	}
	script := strings.Builder{}
	script.WriteString("set check_function_bodies = off; set search_path = ''; set xmloption = content; set client_min_messages = warning;\n")
	for _, phase := range []schema.Phase{schema.PreData, schema.Keys, schema.PostData} {
		for s := range m.Statements(phase) {
			script.WriteString(s.SQL + ";\n")
		}
	}
	if err := try(ctx, url, script.String()); err != nil {
		t.Fatalf("load the master's schema again: %v", err)
	}
	return url
}

func (w *world) dropScratch(t testing.TB) {
	t.Helper()
	if err := try(context.WithoutCancel(t.Context()), w.master.URL("postgres"), "drop database if exists "+scratchName+" with (force)"); err != nil {
		t.Errorf("drop the scratch database: %v", err)
	}
}

var (
	restricted       = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)
	ourEventTriggers = regexp.MustCompile(`(?m)^(CREATE|ALTER) EVENT TRIGGER [^;]*;$`)
	// What is ours on one side, or has its place between two entries and belongs to neither: the
	// settings before tables, and the replica identity that tables without a key get.
	notTheirs = regexp.MustCompile(`(?m)^(SET default_t.*;|ALTER TABLE ONLY .* REPLICA IDENTITY FULL;)$`)
	entryHead = regexp.MustCompile(`(?m)^--\n-- (?:Data for )?Name: (.*; Type: .*; Schema: .*); Owner:.*\n--\n`)
	blanks    = regexp.MustCompile(`\n{2,}`)
)

// entries are the entries of a dump: what each line of its table of contents stands for.
type entries map[string][]string

// rawDump is what pg_dump says of a database; there may be none that knows the server.
func rawDump(t testing.TB, server *pgserver.Server, url string) (text string, ok bool) {
	tool, err := server.Install().Tool("pg_dump")
	if err != nil {
		t.Logf("NOT TESTED with pg_dump: %v", err)
		return "", false
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool, "--schema-only",
		"--exclude-schema=bridge", "--no-publications", "--no-subscriptions", url)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "server version mismatch") {
		t.Logf("NOT TESTED with pg_dump: %s", stderr.String())
		return "", false
	}
	if err != nil {
		t.Errorf("pg_dump: %v\n%s", err, stderr.String())
		return "", false
	}
	return string(out), true
}

// pgDump dumps databases at the same time.
func pgDump(t testing.TB, server *pgserver.Server, urls ...string) ([]entries, bool) {
	t.Helper()
	type result struct {
		text string
		ok   bool
	}
	results := make([]chan result, len(urls))
	for i, url := range urls {
		results[i] = make(chan result, 1)
		go func() {
			text, ok := rawDump(t, server, url)
			results[i] <- result{text, ok}
		}()
	}
	all, ok := make([]entries, len(urls)), true
	for i := range urls {
		r := <-results[i]
		all[i], ok = parseDump(r.text), ok && r.ok
	}
	return all, ok
}

func parseDump(text string) entries {
	text = notTheirs.ReplaceAllString(restricted.ReplaceAllString(text, ""), "")
	text = strings.Replace(text, "--\n-- PostgreSQL database dump complete\n--\n", "", 1)
	heads := entryHead.FindAllStringSubmatchIndex(text, -1)
	all := entries{}
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name := text[h[2]:h[3]]
		body := strings.TrimSpace(blanks.ReplaceAllString(text[h[1]:end], "\n"))
		switch {
		case strings.Contains(name, "; Type: EVENT TRIGGER;"):
			continue
		case body == "COMMENT ON SCHEMA public IS '';", body == "COMMENT ON SCHEMA public IS 'standard public schema';":
			continue // initdb's
		case body == "": // held nothing but what is ours
			continue
		}
		all[name] = append(all[name], body)
	}
	for _, bodies := range all {
		slices.Sort(bodies)
	}
	return all
}

// differingEntries says, for each entry that is not the same in two dumps, in what.
func differingEntries(a, b entries) map[string]string {
	found := map[string]string{}
	for name, body := range a {
		if !slices.Equal(body, b[name]) {
			found[name] = lineDifference(body, b[name])
		}
	}
	for name, body := range b {
		if a[name] == nil {
			found[name] = lineDifference(nil, body)
		}
	}
	return found
}

func lineDifference(a, b []string) string {
	if len(a) == 0 {
		return "\tonly on the replica: " + indent(strings.Join(b, "\n"))
	}
	if len(b) == 0 {
		return "\tmissing on the replica: " + indent(strings.Join(a, "\n"))
	}
	la, lb := strings.Split(strings.Join(a, "\n"), "\n"), strings.Split(strings.Join(b, "\n"), "\n")
	for i := range max(len(la), len(lb)) {
		if i >= len(la) || i >= len(lb) || la[i] != lb[i] {
			rest := func(l []string) string { return strings.Join(l[min(i, len(l)):min(i+3, len(l))], "\n\t         ") }
			return fmt.Sprintf("\tline %d\n\tmaster:  %s\n\treplica: %s", i+1, rest(la), rest(lb))
		}
	}
	return ""
}
