package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// row is what tables of many rows are made of: about 130 bytes, with what the server adds.
const row = `(id bigint primary key, at timestamptz not null, amount numeric(12, 2) not null, who int not null, note text not null)`

// rowsFrom fills such a table with the rows of these numbers.
func rowsFrom(table string, first, last int) string {
	return fmt.Sprintf(`
		insert into %s
		select i, '2024-01-01'::timestamptz + i * interval '1 second', i %% 10000 / 100.0, i %% 5000, md5(i::text) || md5((i + 1)::text)
		from generate_series(%d, %d) i`, table, first, last)
}

// initialCopy measures how long a new replica takes until it has a table of so many rows and follows the master.
func initialCopy(rows int) func(context.Context, *bench, *contender) (sample, error) {
	return func(ctx context.Context, b *bench, c *contender) (s sample, err error) {
		w, err := b.world(ctx, c, 1)
		if err != nil {
			return s, err
		}
		defer w.close()
		if err := w.define(ctx, "create table copied "+row); err != nil {
			return s, err
		}
		rows := b.scaled(rows)
		group, inner := errgroup.WithContext(ctx)
		group.Go(func() error { return w.onMaster(inner, rowsFrom("copied", 1, rows/2)) })
		group.Go(func() error { return w.onMaster(inner, rowsFrom("copied", rows/2+1, rows)) })
		if err := group.Wait(); err != nil {
			return s, fmt.Errorf("fill the table: %w", err)
		}
		if err := w.onMaster(ctx, "vacuum analyze copied", "checkpoint"); err != nil {
			return s, err
		}
		if err := w.system.prepare(ctx); err != nil {
			return s, fmt.Errorf("prepare the master: %w", err)
		}
		started := time.Now()
		if err := w.system.attach(ctx); err != nil {
			return s, fmt.Errorf("attach the replica: %w", err)
		}
		s.add(time.Since(started).Seconds())
		if _, err := w.mark(ctx, done); err != nil {
			return s, err
		}
		if err := w.marked(ctx, done, w.all()...); err != nil {
			return s, err
		}
		return s, w.finish(ctx, &s, "mark", "copied")
	}
}

// bigTransaction measures how long the rows of one transaction take from its commit until they are visible.
func bigTransaction(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	w, err := b.world(ctx, c, 1)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.define(ctx, "create table big "+row); err != nil {
		return s, err
	}
	if err := w.attach(ctx); err != nil {
		return s, err
	}
	conn, err := pgx.Connect(ctx, w.master.URL(database))
	if err != nil {
		return s, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.Begin(ctx)
	if err != nil {
		return s, err
	}
	for _, sql := range []string{rowsFrom("big", 1, b.scaled(5_000_000)), fmt.Sprintf("insert into mark values (%d)", done)} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return s, fmt.Errorf("insert the rows: %w", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return s, err
	}
	started := time.Now()
	if err := w.marked(ctx, done, w.all()...); err != nil {
		return s, err
	}
	s.add(time.Since(started).Seconds())
	if err := w.finish(ctx, &s, "mark", "big"); err != nil {
		return s, err
	}
	if s.memory > 0 {
		s.add(mebibytes(s.memory))
	}
	return s, nil
}
