package itest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/master"
	"github.com/pgbridge/pgbridge/pgserver"
)

const (
	dumpVariable  = "ITEST_DUMP"  // 1: pg_dump for every case
	aloneVariable = "ITEST_ALONE" // 1: the corpus on a master alone
	fromVariable  = "ITEST_FROM"  // the master's major version; the system's when it is not set
	toVariable    = "ITEST_TO"    // the replica's
)

// dumpEvery is for how many cases pg_dump is asked once, which takes longer than all else.
const dumpEvery = 10

// patience is how long a replica may take for a part of a case; standing is how long it may
// stand still with an error before that counts as its last word.
const (
	casePatience = 20 * time.Second
	caseStanding = 3 * time.Second
)

// Whoever changes the master's schema does nothing else: the replica has it, with the rows.
func TestSchemaFollows(t *testing.T) {
	cases := evolveCases(t)
	alone := os.Getenv(aloneVariable) != ""
	c := newCorpus(t, alone)
	follow, total := 0, 0
	for i, k := range cases {
		if testing.Short() && i%dumpEvery != 0 && os.Getenv(caseVariable) == "" {
			continue
		}
		skipped := false
		dumped := i%dumpEvery == 0 || os.Getenv(dumpVariable) != "" || os.Getenv(caseVariable) != ""
		ok := t.Run(k.name, func(t *testing.T) {
			t.Cleanup(func() { skipped = t.Skipped() })
			if alone {
				c.runAlone(t, k)
			} else {
				c.run(t, k, dumped)
			}
		})
		if skipped {
			continue
		}
		total++
		if ok {
			follow++
		}
	}
	t.Logf("%d of %d cases follow", follow, total)
	if !alone && follow == total {
		c.w.logs()
	}
}

// corpus is what the cases have in common: a master, a replica, and a bridge in two processes.
type corpus struct {
	w               *world
	tap, applier    *process
	master, replica *pgx.Conn
	broken          bool // the next case needs everything new
}

func newCorpus(t *testing.T, alone bool) *corpus {
	replicas := 1
	if alone {
		replicas = 0
	}
	c := &corpus{w: newWorld(t, majorOf(t, fromVariable), majorOf(t, toVariable), replicas)}
	if !alone {
		c.w.init()
		c.tap, c.applier = c.w.spawn("tap"), c.w.spawn("replica=r1")
	}
	t.Cleanup(c.disconnect)
	return c
}

func majorOf(t testing.TB, variable string) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return 0
	}
	major, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", variable, text, err)
	}
	return major
}

func (c *corpus) disconnect() {
	for _, conn := range []*pgx.Conn{c.master, c.replica} {
		if conn != nil {
			conn.Close(context.Background())
		}
	}
	c.master, c.replica = nil, nil
}

// connect opens the connections by which the cases are watched.
func (c *corpus) connect(t testing.TB) {
	t.Helper()
	var err error
	if c.master == nil {
		if c.master, err = pgx.Connect(t.Context(), c.w.master.URL("app")); err != nil {
			t.Fatal(err)
		}
	}
	if c.replica == nil && len(c.w.replicas) > 0 {
		if c.replica, err = pgx.Connect(t.Context(), c.w.replicas[0].URL("app")); err != nil {
			t.Fatal(err)
		}
	}
}

// renew makes both databases anew after a case that has failed.
func (c *corpus) renew(t testing.TB) {
	t.Helper()
	c.disconnect()
	if c.tap != nil {
		c.end(t, c.tap)
		c.end(t, c.applier)
		conn, err := pgx.Connect(t.Context(), c.w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		err = master.Drop(t.Context(), conn, master.Options{Slot: c.w.config.Master.Slot, Publication: c.w.config.Master.Publication})
		conn.Close(context.Background())
		if err != nil {
			t.Fatalf("drop the bridge from the master: %v", err)
		}
	}
	for _, server := range append([]*pgserver.Server{c.w.master}, c.w.replicas...) {
		for _, sql := range []string{"drop database app with (force)", "create database app"} {
			if err := try(t.Context(), server.URL("postgres"), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	if c.tap != nil {
		c.w.init()
		c.w.again(c.tap)
		c.w.again(c.applier)
	}
	c.broken = false
}

// end ends a process of the bridge; that it had ended by itself fails the case.
func (c *corpus) end(t testing.TB, p *process) {
	t.Helper()
	select {
	case <-p.done:
		t.Errorf("%s ended by itself before: %v", p.role, p.err)
		p.stdin.Close()
		p.cmd = nil
	default:
		p.kill()
	}
}

// usable skips a case that the servers are too old for.
func (c *corpus) usable(t testing.TB, k evolveCase) {
	t.Helper()
	for _, server := range append([]*pgserver.Server{c.w.master}, c.w.replicas...) {
		if major := server.Install().Major; major < k.since {
			t.Skipf("needs PostgreSQL %d, this is %d", k.since, major)
		}
		for _, sql := range k.ifs {
			rows, err := tryQuery(t.Context(), server.URL("postgres"), sql)
			if err != nil || len(rows) != 1 || rows[0] != "t" {
				t.Skipf("this server lacks what it needs: %s: %v %v", sql, rows, err)
			}
		}
	}
}

// run runs a case and makes everything empty behind it, which is a schema change too.
func (c *corpus) run(t *testing.T, k evolveCase, dumped bool) {
	c.usable(t, k)
	if c.broken {
		c.renew(t)
	}
	c.broken = true // until the end is reached
	c.connect(t)
	c.settle(t, "an empty schema")
	offset := fileSize(c.applier.log)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("of the applier's log:\n%s", complaints(c.applier.log, offset, 6))
		}
	})
	for _, p := range k.parts {
		c.execute(t, p)
		c.settle(t, p.name)
	}
	for _, d := range c.w.schemaDifferences(t, 0, dumped) {
		t.Error(d)
	}
	for _, d := range c.rowDifferences(t) {
		t.Error(d)
	}
	if t.Failed() {
		return
	}
	c.empty(t)
	c.settle(t, "drop schema")
	rest, err := queryOn(t.Context(), c.replica, leftQuery)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) > 0 {
		t.Fatalf("everything was dropped on the master, the replica still has %v", rest)
	}
	c.broken = false
}

// runAlone says whether a case's SQL works, and whether the master's dump is a fixed point.
func (c *corpus) runAlone(t *testing.T, k evolveCase) {
	c.usable(t, k)
	if c.broken {
		c.renew(t)
	}
	c.broken = true
	c.connect(t)
	for i, p := range k.parts {
		before, err := readSchema(t.Context(), c.w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := dump(t.Context(), c.w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		c.execute(t, p)
		m, err := readSchema(t.Context(), c.w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		after, err := dump(t.Context(), c.w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && len(differing(before, m)) == 0 && fmt.Sprint(rows) == fmt.Sprint(after) {
			t.Logf("nothing has changed to be seen")
		}
		if i < len(k.parts)-1 {
			continue
		}
		if len(m.NotCovered)+len(m.LeftOut) > 0 {
			t.Logf("not covered %q, left out %q", m.NotCovered, m.LeftOut)
		}
		if first, ok := pgDump(t, c.w.master, c.w.master.URL("app")); ok {
			second, _ := pgDump(t, c.w.master, c.w.loadAgain(t, m))
			for entry, difference := range differingEntries(first[0], second[0]) {
				t.Logf("no fixed point: %s\n%s", entry, difference)
			}
			c.w.dropScratch(t)
		}
	}
	c.empty(t)
	rest, err := queryOn(t.Context(), c.master, leftQuery)
	if err != nil || len(rest) > 0 {
		t.Fatalf("the case leaves %v: %v", rest, err)
	}
	c.broken = false
}

// execute runs a part's statements on the master in a session of their own.
func (c *corpus) execute(t testing.TB, p part) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, s := range p.statements {
		_, err := conn.Exec(t.Context(), s.sql, pgx.QueryExecModeSimpleProtocol)
		switch {
		case err != nil && !s.fails:
			t.Fatalf("on the master, %s: %v\n%s", p.name, err, s.sql)
		case err == nil && s.fails:
			t.Fatalf("on the master, %s: want an error of\n%s", p.name, s.sql)
		}
	}
}

// settle waits until the replica shows what is committed on the master.
func (c *corpus) settle(t testing.TB, what string) {
	t.Helper()
	const marker = `select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')`
	lsn, err := queryOn(t.Context(), c.master, marker)
	if err != nil {
		t.Fatal(err)
	}
	const question = `
		select commit_lsn >= '%s' and state = 'streaming' and error = '', error
		from bridge.position`
	deadline := time.Now().Add(casePatience)
	var standing time.Time
	for {
		last := ""
		rows, err := c.replica.Query(t.Context(), fmt.Sprintf(question, lsn[0]), pgx.QueryExecModeSimpleProtocol)
		if err == nil {
			var done bool
			done, last, err = positionOf(rows)
			if done {
				return
			}
		}
		switch {
		case errors.Is(err, context.Canceled):
			t.Fatal(err)
		case last == "":
			standing = time.Time{}
		case standing.IsZero():
			standing = time.Now()
		case time.Since(standing) > caseStanding:
			t.Fatalf("%s: the replica stands still: %s", what, last)
		}
		for _, p := range []*process{c.tap, c.applier} {
			select {
			case <-p.done:
				t.Fatalf("%s: %s has ended: %v\n%s", what, p.role, p.err, tail(p.log, 5))
			default:
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: the replica does not reach %s (%v):\n%s", what, lsn[0], err, c.w.standing())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// positionOf reads the answer of settle's question.
func positionOf(rows pgx.Rows) (done bool, last string, err error) {
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&done, &last); err != nil {
			return false, "", err
		}
	}
	return done, last, rows.Err()
}

// rowDifferences compares rows: of tables, and of materialized views that hold any on the master.
func (c *corpus) rowDifferences(t testing.TB) []string {
	t.Helper()
	var all [2]map[string][]string
	for i, url := range []string{c.w.master.URL("app"), c.w.replicas[0].URL("app")} {
		rows, err := dump(t.Context(), url)
		if err != nil {
			t.Fatalf("read rows: %v", err)
		}
		all[i] = rows
	}
	const views = `
		select c.oid::regclass
		from pg_class c
		where c.relkind = 'm' and c.relispopulated and c.relnamespace <> 'pg_catalog'::regnamespace`
	names, err := queryOn(t.Context(), c.master, views)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for i, conn := range []*pgx.Conn{c.master, c.replica} {
			rows, err := queryOn(t.Context(), conn, `select v::text collate "C" from `+name+` v order by 1`)
			if err != nil {
				rows = []string{err.Error()}
			}
			all[i]["materialized view "+name] = rows
		}
	}
	var list []string
	for name, want := range all[0] {
		have, there := all[1][name]
		switch difference := firstDifference(want, have); {
		case !there:
			list = append(list, fmt.Sprintf("%s is not on the replica", name))
		case difference != "":
			list = append(list, fmt.Sprintf("%s: %d rows, the master has %d; %s", name, len(have), len(want), difference))
		}
	}
	for name := range all[1] {
		if _, there := all[0][name]; !there {
			list = append(list, fmt.Sprintf("%s is on the replica only", name))
		}
	}
	slices.Sort(list)
	return list
}

// empty drops all that a case has made, and makes schema public again.
func (c *corpus) empty(t testing.TB) {
	t.Helper()
	const schemas = `
		select string_agg(quote_ident(nspname), ', ')
		from pg_namespace
		where nspname !~ '^pg_' and nspname not in ('bridge', 'information_schema')`
	names, err := queryOn(t.Context(), c.master, schemas)
	if err != nil {
		t.Fatal(err)
	}
	sql := "begin; set local client_min_messages = error; "
	if names[0] != "null" {
		sql += "drop schema " + names[0] + " cascade; "
	}
	if err := try(t.Context(), c.w.master.URL("app"), sql+`create schema public; drop owned by alice; drop owned by bob; drop owned by carol; drop owned by "Dave ""D"""; commit`); err != nil {
		t.Fatalf("drop everything: %v", err)
	}
}

// leftQuery lists what is left when there should be nothing.
const leftQuery = `
	with kept as (
		select oid from pg_namespace where nspname ~ '^pg_' or nspname in ('bridge', 'information_schema')
	)
	select 'relation ' || oid::regclass from pg_class where relnamespace not in (select oid from kept)
	union all
	select 'function ' || oid::regprocedure from pg_proc where pronamespace not in (select oid from kept)
	union all
	select 'type ' || oid::regtype from pg_type where typnamespace not in (select oid from kept)
	union all
	select 'schema ' || nspname from pg_namespace where oid not in (select oid from kept) and nspname <> 'public'
	union all
	select 'extension ' || extname from pg_extension where extname <> 'plpgsql'
	union all
	select 'cast ' || oid from pg_cast where oid >= 16384`

func fileSize(path string) int64 {
	if info, err := os.Stat(path); err == nil {
		return info.Size()
	}
	return 0
}

// complaints are the last warnings and errors of a log behind an offset.
func complaints(path string, offset int64, most int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var list []string
	for line := range strings.Lines(string(bytes.TrimSpace(text[min(offset, int64(len(text))):]))) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return strings.Join(list[max(0, len(list)-most):], "\n")
}
