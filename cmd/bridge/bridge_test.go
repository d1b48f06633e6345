package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// system is a master, a replica, and a configuration.
type system struct {
	*testing.T
	server, other *pgserver.Server
	master, eu    *pgx.Conn
	config        string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{T: t, server: pgtest.ForTest(t), other: pgtest.ForTest(t)}
	master, eu := pgtest.NewDB(t, s.server), pgtest.NewDB(t, s.other)
	s.config = writeConfig(t, fmt.Sprintf("master: {url: '%s'}\nreplicas: [{name: eu, url: '%s', zone: eu-west}]\n", master, eu))
	s.master, s.eu = s.connect(master), s.connect(eu)
	return s
}

func (s *system) connect(url string) *pgx.Conn {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), url)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (s *system) exec(conn *pgx.Conn, sql string) {
	s.Helper()
	if _, err := conn.Exec(s.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
}

func (s *system) text(conn *pgx.Conn, sql string) (text string) {
	s.Helper()
	if err := conn.QueryRow(s.Context(), sql).Scan(&text); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return text
}

// bridge runs a command that has to end with this status, and returns its standard output.
func (s *system) bridge(status int, args ...string) string {
	s.Helper()
	got, stdout, stderr := call(s.T, append(args, "-c", s.config)...)
	if got != status {
		s.Fatalf("bridge %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, status, stdout, stderr)
	}
	if status == exitFailed {
		return stderr
	}
	return stdout
}

func (s *system) status() (status pgbridge.Status) {
	s.Helper()
	b, err := (&app{err: s.Output(), configPath: s.config, logLevel: "info"}).bridge(s.Output())
	if err != nil {
		s.Fatal(err)
	}
	return *b.Status(s.Context())
}

// eventually waits for something to be so.
func (s *system) eventually(what string, so func() bool) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not so after a minute: %s", what)
		}
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// run starts bridge run; the function that it returns ends it as a signal does.
func (s *system) run(args ...string) (logs *buffer, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	logs = &buffer{}
	ended := make(chan int)
	go func() {
		a := &app{out: logs, err: logs}
		ended <- a.run(ctx, append([]string{"run", "-c", s.config}, args...))
	}()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if status := <-ended; status != exitDone {
				s.Errorf("run ended with status %d: %s", status, logs)
			}
		})
	}
	s.Cleanup(func() {
		end()
		if s.Failed() {
			s.Logf("bridge run said:\n%s", logs)
		}
	})
	return logs, end
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// From an empty master to a replica and back, as an operator goes.
func TestLife(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short: the life of a whole system")
	}
	s := newSystem(t)
	s.exec(s.master, `
		create table accounts (aid int primary key, abalance int not null, filler text);
		create table log (at timestamptz, what text);
		create table wide (id int primary key, t text);
		create index on accounts (abalance);
		insert into accounts select i, 0, md5(i::text) from generate_series(1, 1000) i`)

	wants(t, s.bridge(exitDone, "doctor"), "wal_level", "0 errors")
	wants(t, s.bridge(exitDone, "status"), "run bridge init", "no bridge is applying to this replica")
	wants(t, s.bridge(exitFailed, "wait", "--timeout", "1s"), "run bridge init")
	wants(t, s.bridge(exitFailed, "check"), "run bridge init")
	wants(t, s.bridge(exitFailed, "log", "ls"), "run bridge init")
	wants(t, s.bridge(exitDone, "init", "--print"), "create publication")
	if got := s.text(s.master, `select count(*)::text from pg_namespace where nspname = 'bridge'`); got != "0" {
		t.Fatal("init --print has changed something")
	}
	wants(t, s.bridge(exitDone, "init"), "The master is prepared", "3 tables", "public.log")
	wants(t, s.bridge(exitDone, "init"), "was prepared already")
	wants(t, s.bridge(exitFailed, "wait", "--timeout", "200ms"), "start bridge run")
	wants(t, s.bridge(exitFailed, "log", "ls", "--replica", "eu"), "replica eu has no log yet")
	wants(t, s.bridge(exitDone, "log", "verify"), "no blocks")

	logs, end := s.run()
	s.bridge(exitDone, "wait", "--timeout", "60s")
	s.testStatus()
	s.testWait()
	s.testLog()
	s.testSchema()
	s.testCheck()
	s.testStopped()
	s.testRepair()
	if !strings.Contains(s.bridge(exitFailed, "drop"), "stop bridge run first") {
		t.Error("drop does not say what to do first")
	}
	end()
	wants(t, logs.String(), "bridge has ended", "copy starts")
	// The server takes a moment to notice that the connections have ended.
	s.eventually("without a bridge the replica is stopped", func() bool { return s.status().Replicas[0].State == "stopped" })

	wants(t, s.bridge(exitDone, "drop", "--replica", "eu"), "schema bridge", "The master has forgotten replica eu")
	wants(t, s.bridge(exitDone, "drop", "--replica", "eu"), "There was nothing of the bridge on replica eu")
	wants(t, s.bridge(exitDone, "drop"), "schema bridge", "publication bridge", "slot bridge", "bridge_ddl")
	wants(t, s.bridge(exitDone, "drop"), "There was nothing of the bridge on the master")
	for _, conn := range []*pgx.Conn{s.master, s.eu} {
		if got := s.text(conn, `select count(*)::text from accounts`); got == "0" {
			t.Error("drop took rows with it")
		}
		if got := s.text(conn, `select count(*)::text from pg_namespace where nspname = 'bridge'`); got != "0" {
			t.Error("drop left schema bridge")
		}
	}
}

func (s *system) testStatus() {
	s.Helper()
	var status pgbridge.Status
	s.eventually("streaming, nothing behind", func() bool {
		status = s.status()
		return status.Replicas[0].State == "streaming" && *status.Replicas[0].Lag.Blocks == 0
	})
	m, r := status.Master, status.Replicas[0]
	if !m.Reachable || !m.Slot.Active || m.Slot.WALStatus != "reserved" || m.Epoch != 1 || m.Head.Seq < 1 || m.Head.CommitTime == nil ||
		m.Log.Blocks != m.Head.Seq || m.Log.OldestSeq != 1 || m.Log.Bytes == 0 || m.Head.Model.IsZero() {
		s.Errorf("master: %+v", m)
	}
	if !r.Reachable || r.Kind != "postgres" || r.Position.Checksum != m.Head.Checksum || r.Model != m.Head.Model ||
		*r.Lag.Bytes != 0 || *r.Lag.Seconds != 0 || r.Error != "" || r.Copy != nil {
		s.Errorf("replica: %+v", r)
	}
	wants(s.T, s.bridge(exitDone, "status"), "REPLICA", "eu", "streaming", "slot      bridge: active")
	var plain struct{ Replicas []struct{ State string } }
	text := s.bridge(exitDone, "status", "--json")
	if err := json.Unmarshal([]byte(text), &plain); err != nil || len(plain.Replicas) != 1 || plain.Replicas[0].State != "streaming" {
		s.Errorf("%v: %s", err, text)
	}
}

// What was committed before wait is there behind it.
func (s *system) testWait() {
	s.Helper()
	for i := range 30 {
		at := fmt.Sprintf("%d", 5000+i)
		s.exec(s.master, "insert into accounts values ("+at+", 0)")
		s.bridge(exitDone, "wait", "--replica", "eu")
		if got := s.text(s.eu, "select count(*)::text from accounts where aid = "+at); got != "1" {
			s.Fatalf("row %s is not on the replica behind wait", at)
		}
	}
}

// The schema travels: the commands show the log's models, and what a replica has of them.
func (s *system) testSchema() {
	s.Helper()
	s.exec(s.master, `create table evolving (id int primary key, v text); insert into evolving values (1, 'a')`)
	s.exec(s.master, `alter table evolving rename v to w; alter table evolving add column n int not null default 7`)
	s.bridge(exitDone, "wait")
	if got := s.text(s.eu, `select t::text from evolving t`); got != "(1,a,7)" {
		s.Errorf("the replica has %s, want (1,a,7)", got)
	}
	wants(s.T, s.bridge(exitDone, "schema", "show"), "model ", "table public.evolving", "w text")
	wants(s.T, s.bridge(exitDone, "schema", "show", "--replica", "eu", "--json"), `"name": "evolving"`)
	wants(s.T, s.bridge(exitDone, "schema", "history", "--limit", "2"), "+ table public.evolving", "~ table public.evolving")
	wants(s.T, s.bridge(exitDone, "schema", "diff"), "no difference")
	last := s.text(s.master, `select max(seq)::text from bridge.commit_block`)
	wants(s.T, s.bridge(exitFound, "schema", "diff", "1", last), "+ table public.evolving")
	wants(s.T, s.bridge(exitDone, "schema", "diff", "1", last, "--sql"), "create table public.evolving")
	s.bridge(exitUsage, "schema", "show", "--at", "999999")
	s.exec(s.eu, `alter table evolving alter n set default 8; create index of_its_own on evolving (n)`)
	wants(s.T, s.bridge(exitFound, "schema", "diff"), "default n of public.evolving")
	s.exec(s.eu, `alter table evolving alter n set default 7`)
	s.bridge(exitDone, "schema", "diff")
	s.exec(s.master, `drop table evolving`)
	s.bridge(exitDone, "wait")
}

func (s *system) testLog() {
	s.Helper()
	s.exec(s.master, `begin; update accounts set abalance = 7, filler = e'<a> "b" \\ \t€' where aid = 17; delete from accounts where aid = 18; insert into log values ('infinity', null); end`)
	s.bridge(exitDone, "wait")
	var blocks []struct{ Seq, Bytes int64 }
	text := s.bridge(exitDone, "log", "ls", "--json", "--limit", "3")
	if err := json.Unmarshal([]byte(text), &blocks); err != nil || len(blocks) != 3 || blocks[0].Seq != blocks[2].Seq+2 {
		s.Fatalf("%v: %s", err, text)
	}
	// The transaction, behind it perhaps the marker of wait.
	var block struct {
		Seq     int64
		Changes []struct {
			Op, Table     string
			Key, Old, New map[string]*string
		}
		Verified string
	}
	for _, b := range blocks {
		if b.Bytes > 0 {
			text = s.bridge(exitDone, "log", "show", fmt.Sprint(b.Seq))
			break
		}
	}
	if err := json.Unmarshal([]byte(text), &block); err != nil || len(block.Changes) != 3 || block.Verified != "ok" {
		s.Fatalf("%v: %s", err, text)
	}
	update, del, insert := block.Changes[0], block.Changes[1], block.Changes[2]
	if update.Op != "update" || update.Table != "public.accounts" || *update.New["filler"] != "<a> \"b\" \\ \t€" || *update.New["aid"] != "17" || update.Key != nil {
		s.Errorf("update: %+v in %s", update, text)
	}
	if del.Op != "delete" || len(del.Key) != 1 || *del.Key["aid"] != "18" {
		s.Errorf("delete: %+v", del)
	}
	if value, there := insert.New["what"]; insert.Op != "insert" || insert.Table != "public.log" || *insert.New["at"] != "infinity" || value != nil || !there {
		s.Errorf("insert: %+v", insert)
	}
	seq := fmt.Sprint(block.Seq)
	if replica := s.bridge(exitDone, "log", "show", seq, "--replica", "eu"); replica != text {
		s.Errorf("the replica's block is another:\n%s%s", text, replica)
	}
	wants(s.T, s.bridge(exitFailed, "log", "show", "99999"), "there is no block 99999: the log holds 1 to")

	// A large transaction comes in parts.
	s.exec(s.master, `insert into wide select i, repeat(md5(i::text), 100) from generate_series(1, 6000) i`)
	s.eventually("a block in parts", func() bool {
		return s.text(s.master, `select coalesce(max(parts), 0)::text from bridge.commit_block`) > "1"
	})
	large := s.text(s.master, `select max(seq)::text from bridge.commit_block where parts > 1`)
	if got := strings.Count(s.bridge(exitDone, "log", "show", large), `"op": "insert"`); got != 6000 {
		s.Errorf("a block in parts shows %d inserts, want 6000", got)
	}
	wants(s.T, s.bridge(exitDone, "log", "verify"), "all good")

	s.bridge(exitDone, "wait")
	wants(s.T, s.bridge(exitDone, "log", "verify", "--replica", "eu"), "all good")
	s.exec(s.eu, `create table bridge.kept as select * from bridge.commit_block where seq in (`+seq+`, `+large+`);
		update bridge.commit_block set xid = xid + 1 where seq = `+seq+`;
		update bridge.commit_block set payload = payload || '\x00' where seq = `+large+`;
		create table bridge.part as select * from bridge.commit_part where seq = `+large+` and part = 1;
		delete from bridge.commit_part where seq = `+large+` and part = 1`)
	wants(s.T, s.bridge(exitFound, "log", "verify", "--replica", "eu"),
		"block "+seq+": its checksum does not fit", "block "+large+": payload part 0", "2 corrupt")
	s.exec(s.eu, `update bridge.commit_block b set xid = k.xid, payload = k.payload from bridge.kept k where k.seq = b.seq`)
	wants(s.T, s.bridge(exitFound, "log", "verify", "--replica", "eu", "--json"), "part 1 is missing")
	s.exec(s.eu, `insert into bridge.commit_part select * from bridge.part; drop table bridge.part; drop table bridge.kept`)
	s.bridge(exitDone, "log", "verify", "--replica", "eu")
}

func (s *system) testCheck() {
	s.Helper()
	wants(s.T, s.bridge(exitDone, "check"), "eu: 3 tables", "no differences")
	s.exec(s.master, `update accounts set abalance = 5 where aid = 17`)
	s.bridge(exitDone, "wait")
	s.exec(s.eu, `
		update accounts set abalance = 6 where aid = 17;
		delete from accounts where aid = 20;
		insert into log select * from log;
		drop index accounts_abalance_idx;
		create table mine (i int)`)
	found := s.bridge(exitFound, "check")
	wants(s.T, found,
		"eu public.accounts key aid=17 differs: abalance: master 5, replica 6\n",
		"eu public.accounts key aid=20 missing on replica: master (20,0,",
		"eu public.log row (infinity,) differs: master 1×, replica 2×\n",
		"eu index accounts_abalance_idx of public.accounts missing on replica\n",
		"eu note: only on replica: table public.mine\n",
		"eu: 3 tables with", "compared: 4 differences\n")
	if lines := strings.Count(found, "\n"); lines != 6 {
		s.Errorf("%d lines, want 6:\n%s", lines, found)
	}
	wants(s.T, s.bridge(exitFound, "check", "--table", "acc*", "--replica", "eu"), "3 differences")
	s.bridge(exitUsage, "check", "--table", "nothing.*")

	var report struct{ Replicas []pgbridge.CheckReport }
	text := s.bridge(exitFound, "check", "--json", "--table", "log")
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report.Replicas) != 1 || len(report.Replicas[0].Findings) != 1 {
		s.Errorf("%v: %s", err, text)
	}
	s.exec(s.eu, `
		update accounts set abalance = 5 where aid = 17;
		delete from log where ctid = (select max(ctid) from log);
		create index on accounts (abalance)`)
}

// A replica that can not go on says why; the row that it lacks (see testCheck) is number 20.
func (s *system) testStopped() {
	s.Helper()
	s.exec(s.master, `update accounts set abalance = 8 where aid = 20`)
	var r pgbridge.ReplicaStatus
	s.eventually("stopped", func() bool { r = s.status().Replicas[0]; return r.State == "stopped" })
	if *r.Lag.Blocks < 1 || *r.Lag.Bytes < 1 || *r.Lag.Seconds <= 0 {
		s.Errorf("lag of a replica that stands still: %d blocks, %d bytes, %g s", *r.Lag.Blocks, *r.Lag.Bytes, *r.Lag.Seconds)
	}
	wants(s.T, r.Error, "public.accounts", "aid", "20", "bridge repair")
	wants(s.T, s.bridge(exitFailed, "wait", "--timeout", "300ms"), "replica eu stands still at block", "public.accounts")
	wants(s.T, s.bridge(exitFound, "check", "--timeout", "300ms", "--table", "accounts"),
		"eu stands still at block", "eu public.accounts key aid=20 missing on replica", "eu note: compared as it is")
	s.exec(s.eu, `insert into accounts select 20, 0, md5('20')`)
	s.bridge(exitDone, "wait", "--timeout", "60s")
	s.bridge(exitDone, "check")
}

func (s *system) testRepair() {
	s.Helper()
	s.bridge(exitUsage, "repair", "--replica", "eu", "--table", "public.nothing")
	s.exec(s.eu, `delete from accounts where aid % 3 = 0; update accounts set filler = 'mine' where aid % 3 = 1; insert into accounts values (-1, -1)`)
	wants(s.T, s.bridge(exitDone, "repair", "--replica", "eu", "--table", "public.accounts"), "public.accounts", "copied again")
	s.eventually("accounts is copied", func() bool {
		status, _, _ := call(s.T, "check", "--table", "accounts", "-c", s.config)
		return status == exitDone
	})
}
