package itest

import "testing"

func TestTablesThatAreCreatedLaterAreCopied(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table first (id int primary key); insert into first values (1)`)
	w.init()
	w.run()
	w.wait()
	w.onMaster(`create table second (id int primary key, first int references first, v text unique)`)
	w.onMaster(`insert into second values (1, 1, 'a'); update second set v = 'b'`)
	w.onMaster(`create table third as select i, i::text as v from generate_series(1, 1000) i`)
	w.onMaster(`update third set v = 'x' where i < 10`)
	w.onMaster(`create table fourth (v text)`)
	w.onMaster(`begin; create table fifth (v text); insert into fifth values ('a'), ('b'); delete from fifth where v = 'a'; commit`)
	w.wait()
	w.eventually("the empty table is made", func() bool {
		rows, err := tryQuery(t.Context(), w.replicas[0].URL("app"), "select to_regclass('public.fourth') is not null")
		return err == nil && rows[0] == "t"
	})
	w.wait()
	w.same()
}

func TestRepairCopiesATableAgain(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table a (id int primary key, v text);
		create table b (id int primary key, a int references a);
		insert into a select i, 'x' from generate_series(1, 1000) i;
		insert into b select i, i from generate_series(1, 1000) i`)
	w.init()
	w.run()
	w.wait()
	w.onReplica(0, `set session_replication_role = replica; delete from a where id < 10; update a set v = 'wrong' where id > 500`)
	w.onMaster(`update a set v = 'y' where id = 5`)
	w.eventually("the replica stops", func() bool {
		rows := w.query(w.replicas[0].URL("app"), "select error from bridge.position where error like '%public.a%id=5%'")
		return len(rows) == 1
	})
	w.onReplica(0, `insert into bridge.copy_table values ('public', 'a', '`+w.query(w.master.URL("app"), "select 'a'::regclass::oid")[0]+`', 'wanted', false, 0, 0)`)
	w.onMaster(`update a set v = 'z' where id = 6; insert into a values (2000, 'new')`)
	w.wait()
	w.same()
}

func TestTablesThatAreGoneStopNothing(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table stays (id int primary key)`)
	w.init()
	running := w.run()
	w.wait()
	running.stop()
	w.onMaster(`create table staging (id int primary key, v text); insert into staging values (1, 'a')`)
	w.onMaster(`create table renamed (id int primary key, v text); insert into renamed values (1, 'a')`)
	w.onMaster(`update staging set v = 'b'; truncate staging; insert into stays values (1)`)
	w.onMaster(`drop table staging; alter table renamed rename to named; insert into named values (2, 'b')`)
	w.run()
	w.wait()
	w.same()
}
