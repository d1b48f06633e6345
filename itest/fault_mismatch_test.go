package itest

import (
	"fmt"
	"strings"
	"testing"
)

// Promise 7: what does not match stops that replica alone, at that block, saying what
// and how to repair it.
func TestMismatchStopsOneReplica(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		damage  string   // on the replica, before
		changes []string // on the master: the first one is good, the second stops the replica
		says    []string
		repair  string // on the replica, by hand
	}{
		{
			name:    "deleted row is updated",
			damage:  `delete from item where id = 7`,
			changes: []string{`update item set v = 'x' where id = 1`, `update item set v = 'y' where id = 7`},
			says:    []string{"public.item", "id=7"},
			repair:  `insert into item values (7, 'v7', 7)`,
		},
		{
			name:    "deleted row is deleted",
			damage:  `delete from item where id = 8`,
			changes: []string{`update item set v = 'x' where id = 2`, `delete from item where id = 8`},
			says:    []string{"public.item", "id=8"},
			repair:  `insert into item values (8, 'v8', 8)`,
		},
		{
			name:    "one of many deleted rows is updated",
			damage:  `delete from item where id = 55`,
			changes: []string{`update item set v = 'x' where id = 2`, `update item set v = 'y' where id between 20 and 90`},
			says:    []string{"public.item", "id=55"},
			repair:  `insert into item values (55, 'v55', 55)`,
		},
		{
			name:    "row's key was changed",
			damage:  `update item set id = -9 where id = 9`,
			changes: []string{`insert into item values (1000, 'new', 1000)`, `update item set v = 'z' where id = 9`},
			says:    []string{"public.item", "id=9"},
			repair:  `update item set id = 9 where id = -9`,
		},
		{
			name:    "extra row is in the way of an insert",
			damage:  `insert into item values (2000, 'extra', 2000)`,
			changes: []string{`update item set v = 'x' where id = 3`, `insert into item values (2000, 'master', 2001)`},
			says:    []string{"public.item", "id=2000", "duplicate key"},
			repair:  `delete from item where id = 2000`,
		},
		{
			name:    "extra row has a unique value of an insert",
			damage:  `insert into item values (2500, 'extra', 2600)`,
			changes: []string{`update item set v = 'x' where id = 3`, `insert into item values (2600, 'master', 2600)`},
			says:    []string{"public.item", "id=2600", "duplicate key"},
			repair:  `delete from item where id = 2500`,
		},
		{
			name:    "extra row is in the way of one of many inserts",
			damage:  `insert into item values (3500, 'extra', 3500)`,
			changes: []string{`update item set v = 'x' where id = 3`, `insert into item select i, 'many', i from generate_series(3000, 4000) i`},
			says:    []string{"public.item", "id=3500", "duplicate key"},
			repair:  `delete from item where id = 3500`,
		},
		{
			name:    "row of a table without a key was changed",
			damage:  `update nokey set v = 'changed' where n = 5`,
			changes: []string{`insert into nokey values (100, 'x')`, `update nokey set v = 'z' where n = 5`},
			says:    []string{"public.nokey", "n=5"},
			repair:  `update nokey set v = 'v5' where n = 5`,
		},
		{
			name:    "row of a table without a key was deleted",
			damage:  `delete from nokey where n = 6`,
			changes: []string{`insert into nokey values (101, 'x')`, `delete from nokey where n = 6`},
			says:    []string{"public.nokey", "n=6"},
			repair:  `insert into nokey values (6, 'v6')`,
		},
		{
			name:    "column was dropped",
			damage:  `create table kept as select id, v from item; alter table item drop column v`,
			changes: []string{`insert into nokey values (102, 'x')`, `update item set v = 'again' where id = 11`},
			says:    []string{"public.item", "column v is not there"},
			repair:  `alter table item add column v text; update item set v = kept.v from kept where kept.id = item.id; drop table kept`,
		},
		{
			name:    "column was renamed",
			damage:  `alter table item rename column v to w`,
			changes: []string{`insert into nokey values (103, 'x')`, `insert into item values (5000, 'again', 5000)`},
			says:    []string{"public.item"},
			repair:  `alter table item rename column w to v`,
		},
	}
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`
		create table item (id int primary key, v text, u int unique);
		create table nokey (n int, v text);
		insert into item select i, 'v' || i, i from generate_series(1, 100) i;
		insert into nokey select i, 'v' || i from generate_series(1, 10) i`)
	w.init()
	bridge := w.run()
	w.wait()
	for n, c := range cases {
		w.onReplica(0, "set session_replication_role = replica; "+c.damage)
		seq := w.lastBlock() + 2
		w.onMaster(c.changes[0])
		w.block(seq - 1)
		w.onMaster(c.changes[1])
		words := append([]string{fmt.Sprintf("block %d", seq), "r1", "bridge "}, c.says...)
		reason := w.stands(0, words...)
		if at := w.position(0); at != seq-1 {
			t.Errorf("%s: replica is at block %d, want %d", c.name, at, seq-1)
		}
		w.waitOne(1) // the other replica goes on
		if n%4 == 0 {
			// The state survives a restart.
			bridge.stop()
			if rows := w.query(w.replicas[0].URL("app"), "select error from bridge.position")[0]; rows != reason {
				t.Errorf("%s: without a bridge the replica says %q, want %q", c.name, rows, reason)
			}
			bridge = w.run()
			w.waitOne(1)
			w.stands(0, words...)
		}
		w.onReplica(0, "set session_replication_role = replica; "+c.repair)
		w.waitOne(0)
		if t.Failed() {
			t.Fatalf("%s: %s", c.name, reason)
		}
	}
	w.same()
	w.told(0, "streaming: ")
	w.eventually("nothing is said of errors any more", func() bool {
		said := append(w.query(w.replicas[0].URL("app"), "select error from bridge.position"), w.query(w.master.URL("app"), "select error from bridge.replica")...)
		return strings.Join(said, "") == ""
	})
}

// Within a backlog of many transactions, whose blocks are stored while what they change is merged, it stops at the same block, too, with
// everything before it applied and stored, and nothing behind it.
func TestMismatchWithinABacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table item (id int primary key, v text);
		insert into item select i, 'v' || i from generate_series(1, 100) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.wait()
	applier.kill()
	w.onReplica(0, "set session_replication_role = replica; delete from item where id = 77")
	const before, behind = 150, 150
	transactions := func(n int) {
		w.onMaster(fmt.Sprintf(`do $$ begin for i in 1..%d loop update item set v = v || i where id = 1 + i %% 10; commit; end loop; end $$`, n))
	}
	first := w.lastBlock()
	transactions(before)
	w.onMaster(`update item set v = 'z' where id = 77`)
	transactions(behind)
	bad := first + before + 1
	w.block(bad + behind)
	w.again(applier)
	w.stands(0, fmt.Sprintf("block %d", bad), "public.item", "id=77")
	if at := w.position(0); at != bad-1 {
		t.Errorf("replica is at block %d, want %d", at, bad-1)
	}
	if stored := w.query(w.replicas[0].URL("app"), "select max(seq) from bridge.commit_block")[0]; stored != fmt.Sprint(bad-1) {
		t.Errorf("the replica has stored blocks up to %s, want %d", stored, bad-1)
	}
	w.onReplica(0, "set session_replication_role = replica; insert into item values (77, 'v77')")
	w.waitOne(0)
	w.same()
}
