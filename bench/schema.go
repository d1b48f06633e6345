package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// makeTables fills the master with tables.
func (w *world) makeTables(ctx context.Context) error {
	return w.onMaster(ctx, fmt.Sprintf(`
		do $$ begin
			for i in 1..%d loop
				execute format('create table filler_%%s (id bigint primary key, a text not null, b int default 1, c timestamptz)', i);
				execute format('create index on filler_%%s (a)', i);
				if i %% 100 = 0 then commit; end if;
			end loop;
		end $$`, w.scaled(2000)))
}

// changeSchema changes the master's schema step by step, and returns how long that took.
func (w *world) changeSchema(ctx context.Context) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, w.master.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	started := time.Now()
	steps := []string{
		"create table step_%d (id int primary key, v text)",
		"alter table step_%d add column w int default 7",
		"create index on step_%d (v)",
		"alter table step_%d rename column v to x",
	}
	for i := range w.scaled(200 / len(steps)) {
		for _, sql := range steps {
			if _, err := conn.Exec(ctx, fmt.Sprintf(sql, i)); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(started), nil
}

// schemaChanges measures what the master pays for each change of the schema.
func schemaChanges(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	w, err := b.world(ctx, c, 0)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.makeTables(ctx); err != nil {
		return s, err
	}
	if err := w.attach(ctx); err != nil {
		return s, err
	}
	took, err := w.changeSchema(ctx)
	s.add(took.Seconds())
	return s, err
}

// evolving measures how long a replica takes to follow changes of the schema that were made while it was down, against
// the time that the master took for them.
func evolving(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	w, err := b.world(ctx, c, 1)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.makeTables(ctx); err != nil {
		return s, err
	}
	err = w.pauseFor(ctx, func() error {
		took, err := w.changeSchema(ctx)
		s.against = append(s.against, took.Seconds())
		if err != nil {
			return err
		}
		return w.onMaster(ctx, "insert into step_0 values (1, 'x', 2)")
	})
	if err != nil {
		return s, err
	}
	took, err := w.resumeUntil(ctx, done, w.all()...)
	if err != nil {
		return s, err
	}
	s.add(took.Seconds())
	return s, w.finish(ctx, &s, "mark", "step_0")
}
