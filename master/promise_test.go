package master

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// Promise 6: no statement that worked before init fails after it, whatever became of our objects.
func TestBrokenTriggersFailNobody(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.role("app")
		m.do(`grant all on schema public to app`)
		doOn(t, m.connect("app"), `
			create table keyed (id int primary key, v text);
			create table bare (id int, v text);
			create table indexed (id int not null, v text);
			create unique index i on indexed (id);
			alter table indexed replica identity using index i`)
		m.init()
		for _, damage := range []string{
			`select`,
			`drop table bridge.setting cascade`,
			`drop publication bridge`,
			`delete from bridge.setting`,
			`drop function bridge.attend(oid, boolean)`,
			`drop function bridge.publish(oid, boolean)`,
			`drop function bridge.publish_guarded(oid, boolean)`,
			`drop view bridge.table_state cascade`,
			`drop table bridge.replica_identity cascade`,
			`drop table bridge.pending_table; drop publication bridge`,
			`alter table bridge.index_identity add check (false) not valid`,
			`alter table bridge.pending_table add check (false) not valid; drop publication bridge`,
			`alter table bridge.replica_identity add check (false) not valid`,
			`update bridge.setting set include = '{[}', exclude = '{"",.}'`,
			`drop schema bridge cascade`,
			`drop function bridge.on_ddl() cascade`,
		} {
			t.Run(damage, func(t *testing.T) {
				conn, warnings := m.listen("")
				doOn(t, conn, `begin; `+damage+`; set local role app`)
				for _, statement := range []string{
					`create table t1 (id int, v text)`, `create table t2 as select 1 as id`, `create temporary table t3 (id int)`,
					`alter table t1 add column w int`, `update t1 set v = ''`, `delete from t2`, `create table t4 (id int primary key)`,
					`alter table t4 drop constraint t4_pkey`, `update t4 set id = 1`, `alter table t4 set unlogged`, `alter table t4 set logged`,
					`drop table t1, t2, t3, t4`, `update keyed set v = ''`, `update bare set v = ''`, `update indexed set v = ''`,
				} {
					doOn(t, conn, statement)
				}
				if !strings.Contains(damage, "function bridge.attend") {
					doOn(t, conn, `alter table keyed drop constraint keyed_pkey`)
					if !strings.Contains(damage, "cascade") || strings.Contains(damage, "table") {
						doOn(t, conn, `update keyed set v = ''`)
					}
				}
				t.Logf("warnings: %s", warnings())
				doOn(t, conn, `rollback`)
			})
		}
	})
}

// Where the table has lost its identity and can not get another, it leaves the publication.
func TestATableIsWithdrawnRatherThanLeftBroken(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table t (id int primary key, v text); insert into t values (1, '')`)
		m.init()
		m.do(`alter table bridge.replica_identity add check (false) not valid`)
		conn, warnings := m.listen("")
		doOn(t, conn, `alter table t drop constraint t_pkey`)
		doOn(t, conn, `update t set v = 'x'`)
		m.wantState("t", "left out d BROKEN")
		if !strings.Contains(warnings(), "t is not replicated any more") {
			t.Errorf("warnings are %q", warnings())
		}
	})
}

// PostgreSQL 18 refuses update and delete where a replica identity has columns that are not published.
func TestGeneratedColumns(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		virtual := "stored"
		is18 := m.server.Install().Major >= 18
		if is18 {
			virtual = "virtual"
		}
		m.do(`
			create table keyed (id int primary key, g int generated always as (id + 1) stored, v text);
			create table bare (id int, g int generated always as (id + 1) stored, v text);
			create table whole (id int, g int generated always as (id + 1) ` + virtual + `, v text);
			alter table whole replica identity full;
			create table uniq (id int not null unique, g int generated always as (id + 1) stored, v text);
			create table genkey (id int, g int generated always as (id + 1) stored primary key, v text);
			create table later (id int, v text)`)
		r := m.init()
		m.do(`alter table later add column g int generated always as (id + 1) ` + virtual)
		m.do(`create table after (id int, g int generated always as (id + 1) ` + virtual + `, v text)`)
		tables := []string{"keyed", "bare", "whole", "uniq", "genkey", "later", "after"}
		for _, table := range tables {
			m.do(`insert into ` + table + ` (id) values (1); update ` + table + ` set v = ''; delete from ` + table)
		}
		m.wantState("keyed", "published d")
		if !is18 {
			for _, table := range tables[1:] {
				m.wantState(table, "published f")
			}
			return
		}
		m.wantState("bare", "left out d BROKEN")
		m.wantState("whole", "left out f BROKEN")
		m.wantState("uniq", "published i")
		m.wantState("genkey", "left out d BROKEN")
		m.wantState("later", "left out f BROKEN")
		m.wantState("after", "left out d BROKEN")
		if len(r.Skipped) != 3 {
			t.Errorf("skipped %v, want bare, genkey and whole", r.Skipped)
		}
		m.do(`alter table bare add primary key (id); update bare set v = ''; alter table uniq drop column g; update uniq set v = ''`)
		m.wantState("bare", "published d")
		m.drop()
		if got := m.text(`select string_agg(relreplident::text, '' order by relname) from pg_class where relname in ('later', 'uniq', 'whole')`); got != "ddf" {
			t.Errorf("identities of later, uniq and whole are %q after drop, want ddf", got)
		}
	})
}

// Sessions that make tables in long transactions hold a lock on the publication; others must not wait for
// it for long, nor be chosen as the victim of a deadlock that only our lock makes possible.
func TestLongTransactionsThatMakeTables(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table x (id int primary key)`)
		m.init()
		a, b := m.connect(""), m.connect("")
		doOn(t, a, `begin; create table ta (id int)`)
		start := time.Now()
		doOn(t, b, `begin; create table tb (id int, v text); insert into tb values (1); update tb set v = ''; lock table x`)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("another session waited %s", d)
		}
		done := make(chan error)
		go func() {
			_, err := a.Exec(t.Context(), `lock table x`)
			done <- err
		}()
		time.Sleep(20 * time.Millisecond) // so that it likely waits
		doOn(t, b, `create table tc (id int); commit`)
		if err := <-done; err != nil {
			t.Errorf("the first session: %v", err)
		}
		doOn(t, a, `commit`)
		added, err := PublishPending(t.Context(), m.Conn)
		if err != nil {
			t.Error(err)
		}
		for _, table := range []string{"ta", "tb", "tc"} {
			m.wantState(table, "published f")
		}
		// PostgreSQL 14 does not lock the publication.
		if got, want := m.text(`select count(*)::text from bridge.added_table`), fmt.Sprint(len(added)); got != want {
			t.Errorf("bridge.added_table has %s, want %s", got, want)
		}
		if n := m.text(`select count(*)::text from bridge.pending_table`); n != "0" {
			t.Errorf("%s tables still wait", n)
		}
		for range 2 {
			if added, err := PublishPending(t.Context(), m.Conn); err != nil || len(added) > 0 {
				t.Errorf("publish pending again: %v, %v", added, err)
			}
		}
	})
}

// Random DDL in several sessions; every statement has to succeed.
func TestConcurrentDDL(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.init()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		end := time.Now().Add(time.Second)
		var group sync.WaitGroup
		for worker := range 6 {
			conn := m.connect("")
			random := rand.New(rand.NewPCG(seed, uint64(worker)))
			group.Go(func() {
				for n := 0; time.Now().Before(end); n++ {
					name := fmt.Sprintf("t_%d_%d", worker, n)
					list := []string{
						`create table ` + name + ` (id int not null, v text)`, `insert into ` + name + ` values (1)`,
						`alter table ` + name + ` add primary key (id)`, `update ` + name + ` set v = ''`,
						`alter table ` + name + ` drop constraint ` + name + `_pkey`, `update ` + name + ` set v = ''`,
						`create temporary table tmp_` + name + ` (id int)`, `drop table tmp_` + name,
						`alter table ` + name + ` set unlogged`, `alter table ` + name + ` set logged`, `delete from ` + name,
					}
					if random.IntN(2) == 0 {
						list = append(append([]string{"begin"}, list...), []string{"commit", "rollback"}[random.IntN(2)])
					}
					for _, statement := range list {
						if _, err := conn.Exec(t.Context(), statement); err != nil {
							t.Errorf("%s: %v", statement, err)
							return
						}
					}
				}
			})
		}
		group.Wait()
		if _, err := PublishPending(t.Context(), m.Conn); err != nil {
			t.Error(err)
		}
		if n := m.text(`select count(*)::text from bridge.table_to_do where relid not in (select relid from bridge.replica_identity)`); n != "0" {
			t.Errorf("%s tables are not as they should be", n)
		}
		if n := m.text(`select count(*)::text from bridge.table_state where published and not has_identity`); n != "0" {
			t.Errorf("%s tables have no identity", n)
		}
		m.init()
		m.drop()
	})
}

// The script of an extension runs its commands one by one.
func TestTablesOfAnExtension(t *testing.T) {
	dir := t.TempDir()
	// The server may run as another user. The directory for temporary files is not ours: root could change it, too.
	for d := dir; d != filepath.Clean(os.TempDir()) && d != filepath.Dir(d); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{
		"extension/bridge_test.control":   "default_version = '1'\nrelocatable = true\n",
		"extension/bridge_test--1.sql":    "create table ext_t (id int, v text);\n",
		"extension/bridge_test--1--2.sql": "create table ext_u (id int primary key, v text); alter table ext_t add w int;\n",
	}
	if err := os.Mkdir(filepath.Join(dir, "extension"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := pgtest.ForTest(t, pgtest.With(pgtest.Install(t, 18)), pgtest.Setting("extension_control_path", dir+":$system"))
	m := newMachine(t, server)
	m.init()
	m.do(`create extension bridge_test; update ext_t set v = ''`)
	m.wantState("ext_t", "published f")
	m.do(`alter extension bridge_test update to '2'; update ext_u set v = ''; delete from ext_t`)
	m.wantState("ext_t", "published f")
	m.wantState("ext_u", "published d")
	m.do(`drop extension bridge_test`)
	m.drop()
}

// BenchmarkDDL shows what the event triggers cost in a database of 2,000 tables.
func BenchmarkDDL(b *testing.B) {
	m := newMachine(b, pgtest.Shared(b))
	m.do(`do $$ begin for i in 1 .. 2000 loop execute 'create table t' || i || ' (id int primary key, v text)'; if i % 100 = 0 then commit; end if; end loop; end $$`)
	for _, with := range []string{"without", "with"} {
		if with == "with" {
			start := time.Now()
			m.init()
			b.Logf("init of 2000 tables: %s", time.Since(start))
		}
		for _, bench := range []struct{ name, statements string }{
			{"create with a key", `create table x (id int primary key)`},
			{"create without a key", `create table x (id int)`},
			{"create temporary", `create temporary table x (id int)`},
		} {
			b.Run(bench.name+"/"+with, func(b *testing.B) {
				for b.Loop() {
					doOn(b, m.Conn, bench.statements)
					b.StopTimer()
					doOn(b, m.Conn, `drop table x`)
					b.StartTimer()
				}
			})
		}
		b.Run("alter/"+with, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				doOn(b, m.Conn, fmt.Sprintf(`alter table t7 alter column v set default '%d'`, n))
			}
		})
		b.Run("drop/"+with, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				doOn(b, m.Conn, `create table x (id int primary key)`)
				b.StartTimer()
				doOn(b, m.Conn, `drop table x`)
			}
		})
	}
	m.drop()
}
