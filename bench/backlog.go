package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// backlog is what replicas that were paused have to catch up on. done is the last mark in it.
const done = 1

// pauseFor attaches the replicas, pauses them, and has the work done meanwhile. What the bridge's tap has to store of it
// is stored then.
func (w *world) pauseFor(ctx context.Context, work func() error) error {
	if err := w.attach(ctx); err != nil {
		return err
	}
	if err := w.system.pause(ctx); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if err := work(); err != nil {
		return fmt.Errorf("do the work: %w", err)
	}
	xid, err := w.mark(ctx, done)
	if err != nil {
		return err
	}
	if b, ok := w.system.(*bridge); ok && b.tapStays {
		return b.stored(ctx, xid)
	}
	return nil
}

// fanOut is how many replicas catch up at once, one group after the other, on the same backlog.
var fanOut = []int{1, 2, 4}

// catchUp measures how long groups of replicas take for TPC-B transactions that were committed while they were down, and
// what each further one costs the master.
func catchUp(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	groups := fanOut
	if c == pglogical {
		groups = fanOut[:1]
	}
	replicas := 0
	for _, n := range groups {
		replicas += n
	}
	w, err := b.world(ctx, c, replicas)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.fillTPCB(ctx); err != nil {
		return s, err
	}
	if err := w.pauseFor(ctx, func() error { return w.tpcb(ctx) }); err != nil {
		return s, err
	}
	cpu := map[int]time.Duration{}
	first := 0
	for _, n := range groups {
		group := w.all()[first : first+n]
		first += n
		before, err := serverCPU(w.master.Pid())
		if err != nil {
			return s, err
		}
		took, err := w.resumeUntil(ctx, done, group...)
		if err != nil {
			return s, err
		}
		s.add(took.Seconds())
		if err := w.system.pause(ctx); err != nil {
			return s, fmt.Errorf("pause: %w", err)
		}
		after, err := serverCPU(w.master.Pid())
		if err != nil {
			return s, err
		}
		cpu[n] = after - before
	}
	if len(groups) == len(fanOut) {
		s.add((cpu[4] - cpu[1]).Seconds() / 3)
	}
	return s, w.finish(ctx, &s, tpcbTables...)
}

// tpcb commits the transactions of the catching up comparisons.
func (w *world) tpcb(ctx context.Context) error {
	const clients = 8
	_, err := w.pgbench(ctx, "-c", strconv.Itoa(clients), "-j", "2", "-n", "-t", strconv.Itoa(w.scaled(100_000)/clients))
	return err
}

// catchUpSlot is the same for one replica, with nothing stored: the whole system was down.
func catchUpSlot(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	return b.oneBacklog(ctx, c, func(w *world) error { return w.fillTPCB(ctx) }, func(w *world) error { return w.tpcb(ctx) }, tpcbTables...)
}

// oneBacklog measures how long one replica takes for work that was done while it was down.
func (b *bench) oneBacklog(ctx context.Context, c *contender, fill, work func(*world) error, tables ...string) (s sample, err error) {
	w, err := b.world(ctx, c, 1)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := fill(w); err != nil {
		return s, err
	}
	if err := w.pauseFor(ctx, func() error { return work(w) }); err != nil {
		return s, err
	}
	took, err := w.resumeUntil(ctx, done, w.all()...)
	if err != nil {
		return s, err
	}
	s.add(took.Seconds())
	return s, w.finish(ctx, &s, tables...)
}

// hotRows measures updates that hit the same few rows again and again.
func hotRows(ctx context.Context, b *bench, c *contender) (sample, error) {
	const rows, perTransaction = 1000, 10
	fill := func(w *world) error {
		if err := w.define(ctx, "create table hot (id int primary key, n int not null, v text not null)"); err != nil {
			return err
		}
		return w.onMaster(ctx, fmt.Sprintf("insert into hot select i, 0, md5(i::text) from generate_series(1, %d) i", rows))
	}
	work := func(w *world) error {
		return w.onMaster(ctx, "set synchronous_commit = off", fmt.Sprintf(`
			do $$ begin
				for t in 1..%d loop
					for i in 1..%d loop
						update hot set n = n + 1, v = md5(t::text || i) where id = 1 + floor(random() * %d);
					end loop;
					commit;
				end loop;
			end $$`, b.scaled(1_000_000)/perTransaction, perTransaction, rows))
	}
	return b.oneBacklog(ctx, c, fill, work, "mark", "hot")
}

// keyless measures updates and then deletes in a table without a key, in transactions of 1 % of its rows. A subscription
// reads the whole table for each row, so it gets one row of keylessSample, and its time is counted as often as needed.
func keyless(ctx context.Context, b *bench, c *contender) (sample, error) {
	rows := b.scaled(1_000_000)
	fill := func(w *world) error {
		if err := w.define(ctx, "create table keyless (n int, v text, at timestamptz)"); err != nil {
			return err
		}
		return w.onMaster(ctx, fmt.Sprintf("insert into keyless select i, md5(i::text), '2024-01-01'::timestamptz + i * interval '1 second' from generate_series(1, %d) i", rows))
	}
	sampled := 1
	if c == native {
		sampled = keylessSample
	}
	const transactions = 20 // of each kind; together they touch 20 of 100 rows
	want := rows / 100 * transactions * 2
	touched := 0
	work := func(w *world) error {
		conn, err := pgx.Connect(ctx, w.master.URL(database))
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for _, change := range []string{"update keyless set v = v || 'x'", "delete from keyless"} {
			for i := range transactions {
				tag, err := conn.Exec(ctx, change+" where n % 100 = $1 and n / 100 % $2 = 0", i, sampled)
				if err != nil {
					return err
				}
				touched += int(tag.RowsAffected())
			}
		}
		return nil
	}
	s, err := b.oneBacklog(ctx, c, fill, work, "mark", "keyless")
	if err == nil && touched > 0 {
		s.values[0] *= float64(want) / float64(touched)
	}
	return s, err
}

const keylessSample = 1000
