package itest

import (
	"fmt"
	"testing"
)

// say has the master write an entry into the log as it is in the catalogs, but for something in its text, given by a regular expression:
// what of a relation is said by transactions that did not see each other can be wrong like that.
func (w *world) say(relation, from, to string) {
	w.t.Helper()
	said := w.query(w.master.URL("app"), fmt.Sprintf(`
		select bridge.emit_messages('bridge.schema', array[format('{"set":[%%s]}', regexp_replace(entry::text, '%[2]s', '%[3]s'))])::text
		from bridge.catalog('{1259}', array['%[1]s'::regclass::oid])
		where entry::text ~ '%[2]s'`, relation, from, to))
	if len(said) != 1 {
		w.t.Fatalf("the entry of %s has no %s", relation, from)
	}
}

// asBigint makes column c of an integer one of a bigint.
var asBigint = [2]string{`"name":"c","type_oid":"23","type":"integer"`, `"name":"c","type_oid":"20","type":"bigint"`}

// Models that were no state of the master are passed over, also those that a plan would lead to, but not on from.
func TestModelsThatWereNoState(t *testing.T) {
	for _, wrong := range []struct{ name, table string }{
		{"of the partitioned table only", "p"},
		{"of the partition only", "p1"},
		{"of the parent only", "a"},
		{"of the child only", "b"},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			w := newWorld(t, 0, 0, 1)
			w.onMaster(`
				create table p (id int primary key, c int) partition by range (id); create table p1 partition of p default;
				create table a (id int primary key, c int); create table b (more text, primary key (id)) inherits (a);
				create table t (id int primary key, c int); insert into t select i, i from generate_series(1, 100) i`)
			w.init()
			w.spawn("tap")
			applier := w.spawn("replica=r1")
			w.follow()
			applier.kill()
			w.steps(`insert into t values (101, 101)`)
			w.say(wrong.table, asBigint[0], asBigint[1])
			w.steps(`insert into t values (102, 102); insert into p values (1, 1); insert into b values (1, 1, 'b')`)
			w.steps(`alter table p alter c type bigint; alter table a alter c type bigint`)
			w.steps(`insert into t values (103, 103); insert into p values (2, 2); insert into b values (2, 2, 'b')`)
			w.again(applier)
			w.equal()
			w.logs()
		})
	}
}

// The name of a type is not that of the type which a column has.
func TestColumnOfATypeByAnotherName(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create type e0 as enum ('a', 'b'); create type e1 as enum ('a', 'b', 'c');
		create table t (id int primary key, c e0); insert into t select i, 'a' from generate_series(1, 100) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	w.say("t", `"type":"public.e0"`, `"type":"public.e1"`)
	w.steps(`insert into t values (101, 'b')`)
	w.steps(`drop type e1; alter type e0 rename to e1`)
	w.steps(`insert into t values (102, 'b')`)
	w.again(applier)
	w.equal()
	w.logs()
}

// A column can be gone before the log knows it of the index, which on the replica goes with the column; and by then its name can be another's.
func TestColumnIsGoneBeforeItsIndex(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table t (id int primary key, c int, d int); create index i on t (c); create index e on t ((c + 1));
		create table u (id int primary key, c int); insert into u select i, i from generate_series(1, 100) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	w.say("t", `,\{"relation":"[0-9]+","num":2,"name":"c"[^}]*\}`, ``)
	w.steps(`insert into u values (101, 101)`)
	w.steps(`drop index i; drop index e; alter table t drop c; create unique index i on u (c)`)
	w.steps(`insert into u values (102, 102)`)
	w.again(applier)
	w.equal()
	w.logs()
}

// Two indexes have one name, as long as it is not known what became of the first.
func TestNameIsTakenTwice(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table t (id int primary key, c int); create index i on t (c);
		create table u (id int primary key, c int); create index j on u (c); insert into u select i, i from generate_series(1, 100) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	w.say("j", `"name":"j"`, `"name":"i"`)
	w.steps(`insert into u values (101, 101)`)
	w.steps(`drop index i`, `alter index j rename to i`, `insert into u values (102, 102)`)
	w.again(applier)
	w.equal()
	w.logs()
}

// Where the schema goes ahead of the blocks, the rows there are not yet what it says of them.
func TestRowsInTheWayOfASchemaThatGoesAhead(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table p (id int primary key, c int) partition by range (id); create table p1 partition of p default;
		create domain d as int; create type e as enum ('a');
		create table added (id int primary key); insert into added select i from generate_series(1, 100) i;
		create table required (id int primary key, n int); insert into required (id) select i from generate_series(1, 100) i;
		create table single (id int primary key, n int); insert into single select i, 1 from generate_series(1, 100) i;
		create table checked (id int primary key, n int); insert into checked select i, 1 from generate_series(1, 100) i;
		create table inside (id int primary key, n d); insert into inside select i, 1 from generate_series(1, 100) i;
		create table turned (id int primary key, n text); insert into turned select i, 'one' from generate_series(1, 100) i;
		create table refers (id int primary key, n int); insert into refers select i, 1000 from generate_series(1, 100) i;
		create table keyless (id int); insert into keyless select 1 from generate_series(1, 100) i;
		create table other (id int primary key, n int); insert into other select i, i from generate_series(1, 100) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	w.steps(`insert into other values (101, 101)`)
	w.say("p", asBigint[0], asBigint[1])
	w.steps(
		`delete from added; alter table added add n int not null; insert into added values (1, 1)`,
		`update required set n = id; alter table required alter n set not null`,
		`update single set n = id; alter table single add unique (n)`,
		`update checked set n = id + 1; alter table checked add check (n > 1)`,
		`update inside set n = id + 1; alter domain d add check (value > 1)`,
		`update turned set n = id; alter table turned alter n type int using n::int`,
		`update refers set n = id; alter table refers add foreign key (n) references other`,
		`delete from keyless; insert into keyless select i from generate_series(1, 100) i; alter table keyless add primary key (id)`,
		`alter type e add value 'b'`,
		`update other set n = -n where id < 10`,
		`alter table p alter c type bigint`,
		`update other set n = -n where id < 20; update single set n = n + 1000; update keyless set id = -id`,
	)
	w.again(applier)
	w.equal()
	w.logs()
}
