package master

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// lines shows findings, each as "severity check: detail (remedy)".
func lines(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(string(f.Severity) + " " + f.Check + ": " + f.Detail + " (" + f.Remedy + ")\n")
	}
	return b.String()
}

func (m *machine) doctor(conn *pgx.Conn) string {
	m.Helper()
	list, err := Doctor(m.Context(), conn, m.options)
	if err != nil {
		m.Fatal(err)
	}
	text := lines(list)
	if strings.Contains(text, "could not be checked") {
		m.Errorf("doctor could not check something:\n%s", text)
	}
	return text
}

func wantLines(t testing.TB, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("there is no %q in\n%s", w, text)
		}
	}
}

func TestDoctor(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`
			create table keyed (id int primary key);
			create table bare (id int);
			insert into bare select generate_series(1, 10000);
			create table excluded (id int);
			create unlogged table u (id int);
			create sequence s;
			select lo_create(0)`)
		m.options.Exclude = []string{"excl*"}
		want := m.dump()
		text := m.doctor(m.Conn)
		wantLines(t, text, "ok version: PostgreSQL ", "ok encoding: UTF8", "ok wal_level: logical", "ok role: ", "ok installation: bridge init has not run yet",
			"ok event triggers: can be created", "ok slot: ", "ok capacity: ", "warning retained WAL: max_slot_wal_keep_size is -1",
			"warning keys: without a usable primary key", "public.bare (3", "ok not replicated: rows of unlogged tables: public.u",
			"ok not replicated: values of 1 sequences", "warning not replicated: 1 large objects")
		if strings.Contains(text, "error") || strings.Contains(text, "excluded") {
			t.Errorf("before init:\n%s", text)
		}
		if m.dump() != want {
			t.Error("doctor changed something")
		}

		m.init()
		text = m.doctor(m.Conn)
		wantLines(t, text, "ok installation: version 1", "ok event triggers: enabled", "is reserved and keeps", "ok publication: 2 tables", "warning keys: ")
		if strings.Contains(text, "error") {
			t.Errorf("after init:\n%s", text)
		}

		m.do(`
			alter event trigger bridge_ddl disable; drop event trigger bridge_drop;
			alter table keyed drop constraint keyed_pkey;
			create table later (id int primary key);
			select pg_drop_replication_slot('` + m.options.Slot + `')`)
		text = m.doctor(m.Conn)
		wantLines(t, text, "warning event triggers: bridge_ddl is not enabled always, bridge_drop is missing", "error publication: update and delete fail for want of a replica identity on public.keyed",
			"error publication: match and are not published: public.later", "error slot: replication slot "+m.options.Slot+" is missing (run bridge init)")
		m.init()
		if text := m.doctor(m.Conn); strings.Contains(text, "error") {
			t.Errorf("after init repaired it:\n%s", text)
		}
	})
}

func TestDoctorOfAnOrdinaryRole(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.role("nobody")
		m.do(`create table t (id int primary key)`)
		conn := m.connect("nobody")
		wantLines(t, m.doctor(conn), "error role: nobody may not use replication slots (as a superuser: alter role \"nobody\" replication)",
			"error role: nobody may not create a schema", "warning event triggers: ", "error ownership: only its owner can publish a table; not owned are public.t")
		m.init()
		list, err := Doctor(t.Context(), conn, m.options)
		if err == nil {
			t.Logf("a role that may not look into schema bridge:\n%s", lines(list))
		} else if !strings.Contains(err.Error(), "permission denied") {
			t.Error(err)
		}
	})
}

func TestDoctorOfAnUnpreparedServer(t *testing.T) {
	server := pgtest.ForTest(t, pgtest.Setting("wal_level", "replica"), pgtest.Setting("max_replication_slots", "0"), pgtest.Setting("wal_sender_timeout", "0"),
		pgtest.Setting("logical_decoding_work_mem", "64kB"), pgtest.Setting("max_slot_wal_keep_size", "1GB"))
	m := newMachine(t, server)
	m.do(`create database ascii encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'`)
	wantLines(t, m.doctor(m.Conn), "error wal_level: wal_level is replica (alter system set wal_level = logical; then restart the master)",
		"error capacity: all 0 replication slots are in use", "warning wal_sender_timeout: ", "warning logical_decoding_work_mem: ", "ok retained WAL: at most 1GB")
	if _, err := Init(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "alter system set wal_level = logical") {
		t.Errorf("init: %v", err)
	}
	ascii, err := pgx.Connect(t.Context(), server.URL("ascii"))
	if err != nil {
		t.Fatal(err)
	}
	defer ascii.Close(context.WithoutCancel(t.Context()))
	wantLines(t, m.doctor(ascii), "error encoding: the database's encoding is SQL_ASCII")
}

func TestDoctorReplica(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		ask := func(conn *pgx.Conn) string {
			t.Helper()
			list, err := DoctorReplica(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			return lines(list)
		}
		text := ask(m.Conn)
		wantLines(t, text, "ok version: ", "ok encoding: ", "ok session_replication_role: may be set", "ok role: may create schemas", "ok installation: not a replica yet")
		m.role("nobody")
		text = ask(m.connect("nobody"))
		wantLines(t, text, "error session_replication_role: ", "error role: the role may not create schemas")
		if m.server.Install().Major >= 15 {
			wantLines(t, text, `grant set on parameter session_replication_role to "nobody"`)
		}
		m.init()
		wantLines(t, ask(m.Conn), "error installation: this database is a master")
		if got := m.text(`show session_replication_role`); got != "origin" {
			t.Errorf("session_replication_role is %s afterwards", got)
		}
	})
}

// One of each kind that pg_dump knows and a replica does not get. What is not there is made on the way: a
// foreign data wrapper without a handler is one, a label without a provider is a row.
func TestDoctorNamesEveryKindThatIsNotReplicated(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`
			create schema "Odd One";
			create foreign data wrapper odd_wrapper;
			create server odd_server foreign data wrapper odd_wrapper;
			create user mapping for public server odd_server;
			create foreign table "Odd One".remote (id int) server odd_server;
			create view needs_remote as select * from "Odd One".remote;
			create function handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
			create language odd_language handler handler;
			create access method odd_method type index handler bthandler;
			create conversion odd_conversion for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
			create type odd_type;
			create function odd_in(cstring) returns odd_type language internal immutable strict as 'textin';
			create function odd_out(odd_type) returns cstring language internal immutable strict as 'textout';
			create type odd_type (input = odd_in, output = odd_out, like = text);
			create type shell;
			create function to_odd(internal) returns internal language internal immutable strict as 'internal_in';
			create transform for odd_type language plpgsql (from sql with function to_odd(internal));
			create function fires() returns event_trigger language plpgsql as 'begin end';
			create event trigger odd_trigger on ddl_command_start when tag in ('DROP CAST') execute function fires();
			create publication odd_publication;
			create subscription odd_subscription connection 'host=nowhere' publication p with (connect = false);
			select lo_create(0);
			set allow_system_table_mods = on;
			insert into pg_seclabel values ('needs_remote'::regclass, 1259, 0, 'nobody', 'secret');
			reset allow_system_table_mods`)
		defer m.do(`alter subscription odd_subscription disable; alter subscription odd_subscription set (slot_name = none); drop subscription odd_subscription`)
		want := []string{
			`user mapping for public on server odd_server`, `foreign table "Odd One".remote`,
			`type public.odd_type, type public.shell`,
			`event trigger odd_trigger`, `publication odd_publication`, `subscription odd_subscription`,
			`1 large objects`, `1 security labels`,
		}
		for _, when := range []string{"before", "after"} {
			text := m.doctor(m.Conn)
			for _, w := range want {
				wantLines(t, text, "warning not replicated: "+w)
			}
			wantLines(t, text, `view public.needs_remote needs foreign table "Odd One".remote, which is not taken`,
				`transform for public.odd_type`)
			if strings.Contains(text, "publication "+m.options.Publication+" ") || strings.Contains(text, "bridge_ddl") {
				t.Errorf("%s init, ours is said to be not replicated:\n%s", when, text)
			}
			m.init()
		}
	})
}
