package itest

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// What a transaction inserts reaches the replica while it is open on the master, and is seen when it has committed.
func TestRowsAreThereBeforeTheCommit(t *testing.T) {
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.onMaster(`create table a (id int primary key, v text); create table b (id int primary key, v text); insert into a values (0, 'first'); insert into b values (0, 'first')`)
	w.init()
	_, said := w.start(0)
	w.wait()
	const insert = `insert into a select i, repeat('large ', 20) from generate_series($1::int, $1::int + 29999) i`
	early := func() string {
		return w.query(w.replicas[0].URL("app"), `
			select count(*) from pg_stat_activity where application_name = 'bridge apply' and query ilike 'copy public.%' and state <> 'idle'`)[0]
	}
	from := 1
	open := func() pgx.Tx {
		conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), insert, from); err != nil {
			t.Fatal(err)
		}
		from += 100_000
		return tx
	}
	do := func(tx pgx.Tx, sql ...string) {
		t.Helper()
		for _, sql := range sql {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		then   []string // in the transaction, behind its first rows
		others []string // in others meanwhile
		used   bool
	}{
		{"nothing else", nil, nil, true},
		{"others commit", nil, []string{`insert into b values (1, 'x')`, `update a set v = 'y' where id = 0`}, true},
		{"it goes on", []string{`update a set v = 'z' where id % 7 = 0`, `insert into b select i, 'b' from generate_series(1000, 40000) i`, `delete from a where id % 5 = 0`}, nil, true},
		{"it changes the schema at the end", []string{`alter table b add n int default 5`, `insert into b values (-1, 'n', 1)`}, nil, false}, // in doubt
		{"a part is rolled back that was not there", []string{`savepoint s`, `update a set v = 'no'`, `rollback to s`}, nil, true},
		{"another changes the schema", nil, []string{`alter table b add m int default 7`}, false},
		{"another truncates", nil, []string{`truncate b`}, false},
	} {
		w.onMaster(`update b set v = v where id = 0`) // past what was in doubt
		w.wait()
		before := said.count("rows were there before the commit")
		tx := open()
		// Also where they are of no use in the end: rows that come behind what others have done can be used.
		w.eventually(c.name+": rows are on the replica", func() bool { return early() == "1" })
		do(tx, c.then...)
		for _, sql := range c.others {
			w.onMaster(sql)
		}
		if c.others != nil {
			w.wait()
		}
		if n := w.number(w.replicas[0].URL("app"), `select count(*) from a where id >= `+fmt.Sprint(from-100_000)); n != 0 {
			t.Errorf("%s: %d rows are seen before the commit", c.name, n)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wait()
		w.same()
		if used := said.count("rows were there before the commit") > before; used != c.used {
			t.Errorf("%s: the rows were used: %v, want %v", c.name, used, c.used)
		}
		w.eventually(c.name+": nothing is left", func() bool { return early() == "0" })
	}
	// Rolled back, as a whole or in part.
	tx := open()
	w.eventually("rows are on the replica", func() bool { return early() == "1" })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.eventually("they are rolled back", func() bool { return early() == "0" })
	tx = open()
	do(tx, `savepoint s`, `insert into a select i, repeat('more ', 20) from generate_series(-30000, -1) i`)
	w.eventually("rows are on the replica", func() bool { return early() == "1" })
	do(tx, `rollback to s`)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wait()
	w.same()
	w.logs()
	if n := said.count("replica stands still"); n > 0 {
		t.Errorf("%d times the replica stood still", n)
	}
}
