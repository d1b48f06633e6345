package itest

import "testing"

func TestTransactionsReachTheReplicas(t *testing.T) {
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`
		create table accounts (id int primary key, balance numeric not null, note text);
		create table events (at timestamptz, what text);
		insert into accounts select i, i * 10, repeat('x', i % 50) from generate_series(1, 5000) i;
		insert into events select now(), 'before' from generate_series(1, 10);`)
	w.init()
	w.run()
	w.wait()
	w.same()
	w.onMaster(`update accounts set balance = balance + 1 where id % 3 = 0`)
	w.onMaster(`delete from accounts where id % 7 = 0; insert into accounts values (100000, 1.50, null)`)
	w.onMaster(`insert into events values (now(), 'a'), (now(), 'a'), ('infinity', null)`)
	w.onMaster(`update events set what = 'b' where what = 'a'; delete from events where what is null`)
	w.onMaster(`update accounts set id = -id where id = 1`)
	w.wait()
	w.same()
	w.onMaster(`truncate events; insert into events values (now(), 'after')`)
	w.wait()
	w.same()
}
