package master

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// dump is the schema as pg_dump writes it, where there is one that can, and as the catalog has it.
func (m *machine) dump() string {
	m.Helper()
	catalog := m.text(`
		select string_agg(line, E'\n' order by line) || E'\n'
		from (
			select concat_ws(' ', 'relation', relnamespace::regnamespace, relname, relkind, relreplident, relpersistence)
			from pg_class
			where relnamespace not in ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace, 'information_schema'::regnamespace)
			union all
			select concat_ws(' ', 'publication', pubname, puballtables, prrelid::regclass)
			from pg_publication p
			left join pg_publication_rel r on r.prpubid = p.oid
			union all
			select concat('event trigger ', evtname) from pg_event_trigger
			union all
			select concat('schema ', nspname) from pg_namespace where nspname !~ '^pg_'
			union all
			select concat('function ', proname) from pg_proc where oid >= 16384
		) s (line)`)
	tool, err := m.server.Install().Tool("pg_dump")
	if err != nil {
		m.Logf("NOT TESTED with pg_dump: %v", err)
		return catalog
	}
	out, err := exec.CommandContext(m.Context(), tool, "--schema-only", "--dbname", m.url).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "version mismatch") {
			m.Logf("NOT TESTED with a pg_dump of this version: %s", out)
			return catalog
		}
		m.Fatalf("pg_dump: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		// A random word that newer versions write.
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
			catalog += line
		}
	}
	return catalog
}

const dropSchemaText = `
	create table keyed (id int primary key, v text);
	create table bare (id int, v text);
	create table lazy (id int primary key deferrable, v text);
	create table nothing (id int primary key, v text);
	alter table nothing replica identity nothing;
	create table whole (id int primary key, v text);
	alter table whole replica identity full;
	create table indexed (id int not null, v text);
	create unique index indexed_id on indexed (id);
	alter table indexed replica identity using index indexed_id;
	create table root (id int, v text) partition by range (id);
	create table leaf partition of root for values from (0) to (1000);
	create unlogged table unlogged (id int);
	create schema "Other ""Schema""";
	create table "Other ""Schema""".t ("Id" int);
	create publication other for table keyed;
	create table chosen (id int not null, v text)`

func TestDropLeavesTheSchemaAsItWas(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(dropSchemaText)
		want := m.dump()
		m.init()
		if m.dump() == want {
			t.Fatal("init changed nothing")
		}
		m.init()
		for _, statement := range []string{
			// There and back again.
			`alter table keyed drop constraint keyed_pkey`, `update keyed set v = ''`, `alter table keyed add primary key (id)`,
			`alter table bare set unlogged`, `alter table bare set logged`,
			`alter table lazy rename to l`, `alter table l rename to lazy`,
			`alter table nothing replica identity nothing`,
			`alter table leaf set schema "Other ""Schema"""`, `alter table "Other ""Schema""".leaf set schema public`,
			`create table gone (id int); drop table gone`,
			`create unique index i on chosen (id); alter table chosen replica identity using index i; drop index i`,
		} {
			m.do(statement)
		}
		m.drop()
		if got := m.dump(); got != want {
			t.Errorf("after drop:\n%s\nbefore init:\n%s", got, want)
		}
		m.drop()
		if n := m.text(`select count(*)::text from pg_replication_slots where database = current_database()`); n != "0" {
			t.Errorf("%s slots are left", n)
		}
		m.init()
		m.drop()
		if got := m.dump(); got != want {
			t.Errorf("after the second drop:\n%s\nbefore init:\n%s", got, want)
		}
	})
}

func TestDropKeepsWhatWasChangedByHandSince(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int, v text); create table b (id int primary key deferrable, v text)`)
		m.init()
		m.do(`alter table a add column k int not null; create unique index a_k on a (k); alter table a replica identity using index a_k`)
		m.drop()
		if got := m.text(`select string_agg(relreplident::text, '' order by relname) from pg_class where relname in ('a', 'b')`); got != "id" {
			t.Errorf("identities of a and b are %q, want id", got)
		}
	})
}

func TestDropWhenHalfIsThere(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int primary key)`)
		want := m.dump()
		for _, damage := range []string{
			`drop schema bridge cascade`,
			`drop publication bridge`,
			`drop event trigger bridge_ddl`,
			`drop table bridge.setting cascade`,
			`drop table bridge.epoch`,
			`select pg_drop_replication_slot('` + m.options.Slot + `')`,
		} {
			m.init()
			m.do(damage)
			m.drop()
			if got := m.dump(); got != want {
				t.Errorf("%s; after drop:\n%s\nbefore init:\n%s", damage, got, want)
			}
		}
		m.init()
		m.do(`drop table bridge.version`)
		if err := Drop(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "not ours") {
			t.Fatalf("drop took a schema without a version for ours: %v", err)
		}
	})
}

func TestDropRefusesWhileTheSlotIsRead(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int primary key)`)
		r := m.init()
		config, err := pgconn.ParseConfig(m.url)
		if err != nil {
			t.Fatal(err)
		}
		config.RuntimeParams["replication"] = "database"
		reader, err := pgconn.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close(context.WithoutCancel(t.Context()))
		if err := pglogrepl.StartReplication(t.Context(), reader, m.options.Slot, pglogrepl.LSN(r.Anchor.LSN),
			pglogrepl.StartReplicationOptions{PluginArgs: []string{"proto_version '2'", "publication_names 'bridge'"}}); err != nil {
			t.Fatal(err)
		}
		impatient := m.options
		impatient.Patience = 200 * time.Millisecond
		err = Drop(t.Context(), m.Conn, impatient)
		if err == nil || !strings.Contains(err.Error(), "stop bridge run first") {
			t.Fatalf("drop: %v", err)
		}
		if got := m.text(`select count(*)::text from pg_event_trigger`); got != "4" {
			t.Errorf("%s event triggers are left of 4, want all", got)
		}
		time.AfterFunc(slotRelease/10, func() { reader.Close(context.WithoutCancel(t.Context())) })
		m.drop()
	})
}

func TestDropRefusesToTakeTheUsersViews(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.init()
		m.do(`create view lag as select name, seq from bridge.replica`)
		if err := Drop(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "lag") {
			t.Fatalf("drop: %v, want an error that names the view", err)
		}
		m.do(`drop view lag`)
		m.drop()
	})
}

func TestForgetAndDropReplica(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		if err := Forget(t.Context(), m.Conn, "eu"); err != nil {
			t.Errorf("forget without an installation: %v", err)
		}
		m.init()
		m.do(`insert into bridge.replica (name, kind, state) values ('eu', 'postgres', 'streaming'), ('us', 'postgres', 'streaming')`)
		if err := Forget(t.Context(), m.Conn, "eu"); err != nil {
			t.Error(err)
		}
		if got := m.text(`select string_agg(name, ' ') from bridge.replica`); got != "us" {
			t.Errorf("replicas are %q, want us", got)
		}
		if err := DropReplica(t.Context(), m.Conn); err == nil {
			t.Error("a master was dropped as a replica")
		}
		m.drop()
		m.do(`create schema bridge; create table bridge.position (one boolean); create table mine (id int)`)
		if _, err := Init(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "replica") {
			t.Errorf("init of a replica: %v", err)
		}
		for range 2 {
			if err := DropReplica(t.Context(), m.Conn); err != nil {
				t.Error(err)
			}
		}
		if got := m.text(`select concat(to_regnamespace('bridge') is null, ' ', to_regclass('mine') is not null)`); got != "t t" {
			t.Errorf("schema gone and table there: %s", got)
		}
	})
}
