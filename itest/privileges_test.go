package itest

import (
	"slices"
	"strings"
	"testing"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
)

// Everything of the master's belongs to whom it belongs there, on a new replica and behind changes.
const owning = `
	create schema s authorization alice;
	grant usage on schema s to bob;
	create table s.t (id serial primary key, v text, w int);
	alter table s.t owner to alice;
	insert into s.t (v) values ('x');
	grant select on s.t to bob with grant option;
	set role bob;
	grant select on s.t to carol;
	reset role;
	grant update (v) on s.t to carol;
	create view s.v as select id from s.t;
	alter view s.v owner to bob;
	create function s.f() returns int language sql as 'select 1';
	alter function s.f() owner to carol;
	revoke execute on function s.f() from public;
	create table s.bare (id int primary key);
	alter default privileges for role alice in schema s grant select on tables to bob;
	alter default privileges for role bob revoke execute on functions from public`

func TestOwnersAndPrivilegesAreCopied(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(owning)
	w.init()
	w.run()
	w.wait()
	w.sameSchema()
	w.onMaster(`alter table s.t add column more serial; grant insert (more) on s.t to bob; alter schema s owner to bob; create table s.u (id int)`)
	w.wait()
	w.sameSchema()
	w.same()
}

// REASSIGN OWNED and ALTER ROLE RENAME fire no event trigger: they are noticed.
func TestReassignedOwnersFollow(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(owning)
	w.init()
	w.run()
	w.wait()
	follows := func(what string) {
		w.eventually(what, func() bool { return len(w.schemaDifferences(t, 0, false)) == 0 })
		w.wait()
		w.sameSchema()
	}
	w.onMaster(`reassign owned by alice to carol`)
	follows("the new owner is on the replica")
	if got := w.query(w.replicas[0].URL("app"), `select relowner::regrole from pg_class where oid = 's.t'::regclass`); got[0] != "carol" {
		t.Errorf("table s.t belongs to %s, want carol", got[0])
	}
	w.exec(w.replicas[0].URL("postgres"), `create role erin`)
	w.exec(w.master.URL("postgres"), `alter role bob rename to erin`)
	follows("the new name is on the replica")
	if got := w.query(w.replicas[0].URL("app"), `select has_table_privilege('erin', 's.t', 'select')`); got[0] != "t" {
		t.Error("erin may not select from s.t")
	}
}

// A replica without some of the roles has the rest, and says which it lacks.
func TestMissingRolesAreLeftOut(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.exec(w.replicas[0].URL("postgres"), `drop role alice; drop role carol`)
	w.onMaster(owning)
	w.init()
	w.run()
	w.wait()
	w.onMaster(`
		create table s.later (id int primary key);
		alter table s.later owner to alice;
		grant select on s.later to bob, carol;
		create table s.bobs (id int primary key);
		alter table s.bobs owner to bob;
		grant select on s.bobs to carol, public;
		alter view s.v owner to alice`)
	w.wait()
	w.same()
	replica := w.replicas[0].URL("app")
	for _, want := range []struct{ table, owner, acl string }{
		{"s.t", "postgres", "{postgres=arwdDxt/postgres,bob=r*/postgres}"},
		{"s.later", "postgres", "{postgres=arwdDxt/postgres,bob=r/postgres}"},
		{"s.bobs", "bob", "{bob=arwdDxt/bob,=r/bob}"},
		{"s.v", "bob", ""},
	} {
		got := w.query(replica, `select relowner::regrole, coalesce(relacl::text, '') from pg_class where oid = '`+want.table+`'::regclass`)
		if got[0] != want.owner+"|"+want.acl {
			t.Errorf("%s: %s, want %s|%s", want.table, got[0], want.owner, want.acl)
		}
	}
	reports, err := w.bridge().Check(t.Context(), pgbridge.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range reports[0].Findings {
		t.Errorf("check finds %s", f)
	}
	for _, role := range []string{"alice", "carol"} {
		if !slices.ContainsFunc(reports[0].Notes, func(s string) bool { return strings.HasPrefix(s, "role "+role+" is not on the replica") }) {
			t.Errorf("check does not name role %s: %q", role, reports[0].Notes)
		}
	}
	if w.logged(`role alice is not there: what it owns or may do is left out`) == 0 {
		t.Error("the log does not name role alice")
	}
	// One that comes later gets what changes from then on; check names the rest.
	w.exec(w.replicas[0].URL("postgres"), `create role alice`)
	w.onMaster(`alter table s.later owner to bob`)
	w.onMaster(`alter table s.later owner to alice`)
	w.wait()
	if got := w.query(replica, `select relowner::regrole from pg_class where oid = 's.later'::regclass`); got[0] != "alice" {
		t.Errorf("s.later belongs to %s, want alice", got[0])
	}
	if reports, err = w.bridge().Check(t.Context(), pgbridge.CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(reports[0].Findings, func(f pgbridge.CheckFinding) bool { return f.Object == "privileges on table s.t" }) {
		t.Errorf("check does not find that s.t is not alice's: %v", reports[0].Findings)
	}
}

// A role that applies and is no superuser does what it may: it is a member of alice, and of nobody else.
func TestPrivilegesWithoutASuperuser(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	if w.version(w.replicas[0]) < 15 {
		t.Skip("needs a superuser before PostgreSQL 15")
	}
	w.exec(w.replicas[0].URL("postgres"), `
		create role humble login;
		grant alice to humble;
		grant set on parameter session_replication_role to humble;
		alter database app owner to humble`)
	w.config.Replicas[0].URL = config.URL(strings.Replace(w.replicas[0].URL("app"), "://postgres@", "://humble@", 1))
	w.onMaster(owning)
	w.init()
	w.run()
	w.wait()
	w.onMaster(`
		insert into s.t (v) values ('y');
		create table s.later (id int primary key);
		alter table s.later owner to alice;
		grant select on s.later to bob;
		create table s.bobs (id int primary key);
		alter table s.bobs owner to bob;
		grant select on s.bobs to carol;
		insert into s.later values (1);
		insert into s.bobs values (1)`)
	w.wait()
	w.same()
	for _, want := range []struct{ table, owner, acl string }{
		{"s.t", "alice", "{alice=arwdDxt/alice,bob=r*/alice}"},
		{"s.later", "alice", "{alice=arwdDxt/alice,bob=r/alice}"},
		{"s.bobs", "humble", "{humble=arwdDxt/humble,carol=r/humble}"},
	} {
		got := w.query(w.replicas[0].URL("app"), `select relowner::regrole, coalesce(relacl::text, '') from pg_class where oid = '`+want.table+`'::regclass`)
		if got[0] != want.owner+"|"+want.acl {
			t.Errorf("%s: %s, want %s|%s", want.table, got[0], want.owner, want.acl)
		}
	}
}

// What the role that applies grants by default on the replica is not granted on what it makes for the master.
func TestReplicasDefaultPrivilegesDistortNothing(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onReplica(0, `
		alter default privileges grant all on tables to public;
		alter default privileges grant select on sequences to bob;
		alter default privileges revoke execute on functions from public;
		alter default privileges grant usage on schemas to carol;
		alter default privileges revoke insert on tables from postgres`)
	w.onMaster(owning)
	w.init()
	w.run()
	w.wait()
	w.onMaster(`
		create schema more;
		create table more.t (id serial);
		create table more.u (id serial);
		grant select on more.u to alice;
		create function more.f() returns int language sql as 'select 1';
		create function more.g() returns int language sql as 'select 1';
		revoke execute on function more.g() from public;
		create type more.e as enum ('a')`)
	w.wait()
	w.onReplica(0, `
		alter default privileges revoke all on tables from public;
		alter default privileges revoke select on sequences from bob;
		alter default privileges grant execute on functions to public;
		alter default privileges revoke usage on schemas from carol;
		alter default privileges grant insert on tables to postgres`)
	w.sameSchema()
	w.same()
}
