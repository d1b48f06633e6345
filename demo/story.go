package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/commitlog"
)

// story is what happens to the system while the shop is open.
type story struct {
	*system
	work  *workload
	watch *watcher
}

// tell plays the story, spread over the time until end. It returns when it is told or ctx ends; what it has taken
// away by then, mend brings back.
func (s story) tell(ctx context.Context, end time.Time) {
	select {
	case <-ctx.Done():
		return
	case <-s.watch.copied:
	}
	began := time.Now()
	length := end.Sub(began)
	down := min(max(length/20, 300*time.Millisecond), 3*time.Second)
	for _, act := range []struct {
		at   float64 // of the length
		what string
		play func(context.Context) error
	}{
		{0.10, "create a table", s.createTable},
		{0.19, "change the schema", s.changeSchema},
		{0.30, "kill a replica", func(ctx context.Context) error { return s.killReplica(ctx, down) }},
		{0.52, "stop the bridge", func(ctx context.Context) error { return s.stopAndStart(ctx, down) }},
		{0.74, "make a large transaction", s.largeTransaction},
	} {
		if !pause(ctx, time.Until(began.Add(time.Duration(act.at*float64(length))))) {
			return
		}
		if err := act.play(ctx); err != nil && ctx.Err() == nil {
			s.ui.event("the demo could not %s: %v", act.what, err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// pause is false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return ctx.Err() == nil
	}
}

// newTableRows is what a table has from the start.
const newTableRows = 2000

// createTable makes a table that no replica has, and waits until each has it.
func (s story) createTable(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.master.url())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var number int
	if err := conn.QueryRow(ctx, `
		select count(*) + 1
		from pg_class
		where relnamespace = 'shop'::regnamespace and relkind = 'r' and relname like 'review%'`).Scan(&number); err != nil {
		return err
	}
	table := "shop.review"
	if number > 1 {
		table = fmt.Sprintf("shop.review_%d", number)
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`
		begin;
		create table %[1]s (
			id bigint generated always as identity primary key,
			customer_id bigint not null references shop.customer,
			stars integer not null check (stars between 1 and 5),
			text text not null,
			at timestamptz not null default now());
		insert into %[1]s (customer_id, stars, text)
			select id, 1 + id %% 5, 'Bought it twice.'
			from shop.customer
			order by id
			limit %[2]d;
		commit`, table, newTableRows), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	began := time.Now()
	s.ui.event("master: create table %s, with %s; the workload writes to it from now on", table, count(newTableRows, "row"))
	s.work.extra.Store(&table)
	for _, n := range s.replicas {
		if err := s.awaitTable(ctx, n, table); err != nil {
			return err
		}
	}
	s.ui.event("%s has %s too, made and filled by the bridge, %s later", every(len(s.replicas)), table, seconds(time.Since(began)))
	return nil
}

// changeSchema changes the table that createTable made, while the workload writes to it: values
// that each row gets on the master can not be computed on a replica.
func (s story) changeSchema(ctx context.Context) error {
	table := s.work.extra.Load()
	if table == nil {
		return nil
	}
	conn, err := pgx.Connect(ctx, s.master.url())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, fmt.Sprintf(`
		begin;
		alter table %[1]s add column token uuid not null default gen_random_uuid();
		alter table %[1]s rename column at to written_at;
		create index on %[1]s (written_at);
		commit`, *table), pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	began := time.Now()
	s.ui.event("master: alter table %s: a column with a random default, another renamed, an index", *table)
	if err := s.bridge.Wait(ctx); err != nil {
		return err
	}
	s.ui.event("%s has followed, with the master's random values, %s later", every(len(s.replicas)), seconds(time.Since(began)))
	return nil
}

// every names all replicas.
func every(replicas int) string {
	if replicas == 1 {
		return "the replica"
	}
	return "every replica"
}

const lookEvery = 20 * time.Millisecond

func (s story) awaitTable(ctx context.Context, n *node, table string) error {
	conn, err := pgx.Connect(ctx, n.url())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var there, filled bool
		err := conn.QueryRow(ctx, `select to_regclass($1) is not null`, table).Scan(&there)
		if err == nil && there {
			err = conn.QueryRow(ctx, `select exists (select from `+table+`)`).Scan(&filled)
		}
		if err != nil || filled {
			return err
		}
		if !pause(ctx, lookEvery) {
			return ctx.Err()
		}
	}
}

// killReplica kills the last replica's server, starts it again, and measures how it catches up.
func (s story) killReplica(ctx context.Context, down time.Duration) error {
	n := s.replicas[len(s.replicas)-1]
	s.ui.event("chaos: the server of replica %s, pid %d, is killed with SIGKILL", n.name, n.server.Pid())
	if err := n.server.Kill(ctx); err != nil {
		return err
	}
	if !pause(ctx, down) {
		return ctx.Err()
	}
	began := time.Now()
	if err := n.server.Start(ctx); err != nil {
		return err
	}
	s.ui.event("chaos: the server of %s is started again; it has recovered in %s", n.name, seconds(time.Since(began)))
	began = time.Now()
	blocks, err := s.catchUp(ctx, n)
	if err != nil {
		return err
	}
	s.ui.event("replica %s is back: caught up %s, %s after its server was up", n.name, count(blocks, "block"), seconds(time.Since(began)))
	return nil
}

// catchUp follows a replica until it has applied what the log holds now, and returns how many blocks that were.
func (s story) catchUp(ctx context.Context, n *node) (blocks int64, err error) {
	master, err := pgx.Connect(ctx, s.master.url())
	if err != nil {
		return 0, err
	}
	defer master.Close(context.WithoutCancel(ctx))
	conn, err := pgx.Connect(ctx, n.url())
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	seq := func() (seq int64, err error) {
		err = conn.QueryRow(ctx, `select seq from bridge.position`).Scan(&seq)
		return seq, err
	}
	first, err := seq()
	if err != nil {
		return 0, err
	}
	head, _, err := commitlog.Head(ctx, master)
	if err != nil {
		return 0, err
	}
	for {
		at, err := seq()
		if err != nil {
			return 0, err
		}
		if at >= head.Seq {
			return head.Seq - first, nil
		}
		if !pause(ctx, lookEvery) {
			return 0, ctx.Err()
		}
	}
}

// stopAndStart takes the whole bridge away for a moment.
func (s story) stopAndStart(ctx context.Context, down time.Duration) error {
	before := s.work.done.Load()
	s.stopBridge()
	s.ui.event("chaos: the whole bridge is stopped; the master works on")
	if !pause(ctx, down) {
		return ctx.Err()
	}
	missed := s.work.done.Load() - before
	began := time.Now()
	s.startBridge()
	s.ui.event("the bridge is started again, %s behind", count(missed, "transaction"))
	if err := s.bridge.Wait(ctx); err != nil {
		return err
	}
	s.ui.event("%s has caught up, %s later", every(len(s.replicas)), seconds(time.Since(began)))
	return nil
}

// largeRows is the size of the largest transaction.
const largeRows = 50_000

// largeTransaction commits many rows at once.
func (s story) largeTransaction(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.master.url())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	began := time.Now()
	_, err = conn.Exec(ctx, `
		insert into shop.event (kind, detail)
		select 'import', jsonb_build_object('line', i)
		from generate_series(1, $1::integer) i`, largeRows)
	if err != nil {
		return err
	}
	committed := time.Now()
	s.ui.event("master: one transaction of %s has committed, it took %s", count(largeRows, "row"), seconds(committed.Sub(began)))
	if err := s.bridge.Wait(ctx); err != nil {
		return err
	}
	s.ui.event("%s shows all of it, %s after its commit", every(len(s.replicas)), seconds(time.Since(committed)))
	return nil
}
