package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

func TestNumbersForPeople(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{count(1, "table"), "1 table"},
		{count(0, "row"), "0 rows"},
		{count(1204311, "row"), "1,204,311 rows"},
		{grouped(-1234), "-1,234"},
		{grouped(999), "999"},
		{size(0), "0 B"},
		{size(1023), "1023 B"},
		{size(12345), "12.1 KiB"},
		{size(10 << 30), "10.0 GiB"},
		{size(3 << 40), "3.0 TiB"},
		{age(0), "0s"},
		{age(-time.Second), "0s"},
		{age(time.Microsecond), "1ms"},
		{age(1500 * time.Millisecond), "1.5s"},
		{age(90 * time.Second), "1m30s"},
		{age(50 * time.Hour), "2d2h"},
		{oneLine("a:\n\tb  c\n"), "a: b c"},
		{shorten("häuser", 4), "häu…"},
		{shorten("häus", 4), "häus"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func someStatus(now time.Time) *pgbridge.Status {
	return &pgbridge.Status{
		Master: pgbridge.MasterStatus{
			Reachable: true, ServerVersion: "15.18", Epoch: 1,
			Slot: pgbridge.SlotStatus{Name: "bridge", Active: true, WALStatus: "reserved", RetainedBytes: 4096},
			Head: pgbridge.Head{Seq: 12345, LSN: 0x1A2B3C4, CommitTime: ptr(now.Add(-3 * time.Second))},
			Log:  pgbridge.LogStatus{Blocks: 12345, Bytes: 5 << 20, OldestSeq: 1},

			NotReplicated: []string{"language a", "server b", "server c", "server d", "server e", "server f"}, NotCount: 30,
		},
		Replicas: []pgbridge.ReplicaStatus{
			{Name: "eu", Kind: "postgres", Reachable: true, State: "streaming", Position: change.Position{Epoch: 1, Seq: 12340},
				Lag:     pgbridge.Lag{Blocks: ptr(int64(5)), Bytes: ptr(int64(2048)), Seconds: ptr(0.25)},
				Pending: []string{"index j of public.t"},
				Drift:   []string{"index i of public.t: missing on replica", "comment on table public.t: differs: master a, replica\n\tb"}},
			{Name: "us", Kind: "postgres", State: "unreachable", Error: "connect to replica us:\n\tno route"},
			{Name: "new", Kind: "postgres", Reachable: true, State: "copying", Position: change.Position{Epoch: 1, Seq: 12000},
				Lag:  pgbridge.Lag{Blocks: ptr(int64(345)), Bytes: ptr(int64(9)), Seconds: ptr(61.0)},
				Copy: &pgbridge.CopyStatus{Tables: 3, TablesDone: 1, Rows: 1000, RowsDone: 400}},
		},
		Router: pgbridge.RouterStatus{Reads: map[string]int64{}},
	}
}

func TestStatusText(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	want := `master    PostgreSQL 15.18
slot      bridge: active, WAL reserved, 4.0 KiB retained
head      block 12,345 at 0/1A2B3C4, epoch 1, committed 3.0s ago
log       12,345 blocks from 1 on, 5.0 MiB
not replicated: language a
not replicated: server b
not replicated: server c
not replicated: server d
not replicated: server e
not replicated: 25 more, see bridge doctor

REPLICA  STATE        BLOCK   BEHIND  BYTES    AGE
eu       streaming    12,340  5       2.0 KiB  250ms
us       unreachable  -       -       -        -
new      copying      12,000  345     9 B      1m1s
eu: is being built: index j of public.t
eu: changed by hand: index i of public.t: missing on replica
eu: changed by hand: comment on table public.t: differs: master a, replica b
us: connect to replica us: no route
new: copied 400 of about 1,000 rows of 3 tables
`
	if got := string(statusText(someStatus(now), now)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	line := string(statusLine(someStatus(now), now))
	want = "2030-01-02T03:04:05Z | master block 12345 | eu streaming block 12340 behind 5 (250ms) changed by hand | " +
		"us unreachable: connect to replica us: no route | new copying block 12000 behind 345 (1m1s)\n"
	if line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}

	down := &pgbridge.Status{Master: pgbridge.MasterStatus{Error: "dial:\n\trefused"}}
	if got, want := string(statusText(down, now)), "master    unreachable: dial: refused\n\nThe configuration has no replicas.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The keys that scripts rely on.
func TestStatusJSONHasTheKeysOfTheContract(t *testing.T) {
	text, err := json.Marshal(someStatus(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	s["replica"] = s["replicas"].([]any)[0]
	for _, path := range strings.Fields(`
		master.reachable master.server_version master.slot.name master.slot.active master.slot.wal_status master.slot.retained_bytes
		master.epoch master.head.seq master.head.commit_lsn master.head.commit_time master.head.checksum master.head.model
		master.log.blocks master.log.bytes master.log.oldest_seq
		replica.name replica.kind replica.reachable replica.state replica.position.epoch replica.position.seq
		replica.position.commit_lsn replica.position.checksum replica.model replica.lag.blocks replica.lag.bytes
		replica.lag.seconds replica.error replica.pending replica.drift master.not_replicated master.not_replicated_count router.clients router.reads router.waits router.fallbacks`) {
		var at any = s
		for key := range strings.SplitSeq(path, ".") {
			object, ok := at.(map[string]any)
			if at, ok = object[key], ok && object != nil; !ok || at == nil {
				t.Errorf("%s is missing", path)
				break
			}
		}
	}
}

func TestRedrawErasesWhatWasThere(t *testing.T) {
	if got, want := string(redraw([]byte("a\nb\n"))), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckSummary(t *testing.T) {
	for want, r := range map[string]pgbridge.CheckReport{
		"eu: 2 tables with 1,000 rows compared: no differences":         {Tables: 2, Rows: 1000},
		"eu: 2 tables with 1,000 rows compared: 1 difference":           {Tables: 2, Rows: 1000, Findings: make([]pgbridge.CheckFinding, 1)},
		"eu: 1 table with 1 row compared: 21 differences named, 7 more": {Tables: 1, Rows: 1, Findings: make([]pgbridge.CheckFinding, 21), More: 7},
		"eu: 0 tables with 0 rows compared: not finished":               {Error: "lost"},
		"eu: 1 table with 2 rows compared: 2 differences, not finished": {Tables: 1, Rows: 2, Findings: make([]pgbridge.CheckFinding, 2), Error: "lost"},
	} {
		r.Replica = "eu"
		if got := checkSummary(&r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Without a terminal a copy is told in lines that are far apart.
func TestCopyIsLoggedSlowly(t *testing.T) {
	var out bytes.Buffer
	d := &display{out: &out}
	c := &copies{display: d, log: slog.New(slog.NewTextHandler(d, nil))}
	for done := range int64(100) {
		c.step(postgres.Progress{Replica: "eu", Phase: "rows", Done: done, Total: 100})
	}
	if out.Len() > 0 {
		t.Errorf("logged at once: %s", out.String())
	}
	c.pace.last["eu"] = time.Now().Add(-2 * logEvery)
	c.step(postgres.Progress{Replica: "eu", Phase: "rows", Done: 100, Total: 100, Bytes: 7})
	c.step(postgres.Progress{Replica: "eu", Phase: "rows", Done: 100, Total: 100, Bytes: 7})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "rows=100 of=100 bytes=7") {
		t.Errorf("got %s", got)
	}
}

// On a terminal log lines and the bar take turns.
func TestLogLinesClearTheBar(t *testing.T) {
	var out bytes.Buffer
	d := &display{out: &out, tty: true}
	d.show("copy eu", "", "rows", 10, 100)
	if !strings.Contains(out.String(), "copy eu") {
		t.Fatalf("no bar: %q", out.String())
	}
	if _, err := d.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasSuffix(got, "\x1b[2K\ra line\n") {
		t.Errorf("the line does not stand on an empty one: %q", got)
	}
	d.show("copy eu", "", "rows", 200, 100) // more than was estimated
	d.end()
}
