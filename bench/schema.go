package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The schema of these comparisons, and how many statements are measured in it.
const (
	schemaTables = 2000
	schemaSteps  = 200
)

// makeTables fills a database with tables.
func makeTables(ctx context.Context, url string) error {
	return execute(ctx, url, fmt.Sprintf(`
		do $$ begin
			for i in 1..%d loop
				execute format('create table filler_%%s (id bigint primary key, a text not null, b int default 1, c timestamptz)', i);
				execute format('create index on filler_%%s (a)', i);
				if i %% 100 = 0 then commit; end if;
			end loop;
		end $$`, schemaTables))
}

// statements changes the schema step by step, and returns how long that took.
func statements(ctx context.Context, url string) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	started := time.Now()
	for i := range schemaSteps / 4 {
		for _, sql := range []string{
			"create table step_%d (id int primary key, v text)",
			"alter table step_%d add column w int default 7",
			"create index on step_%d (v)",
			"alter table step_%d rename column v to x",
		} {
			if _, err := conn.Exec(ctx, fmt.Sprintf(sql, i)); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(started), nil
}

// schemaChanges measures what the master pays for each change of the schema: the same
// statements in a database of many tables that is bridged and in one that is not.
func (b *bench) schemaChanges(ctx context.Context) (with, without time.Duration, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	if err := execute(ctx, s.master.URL("postgres"), "create database plain"); err != nil {
		return 0, 0, err
	}
	for _, name := range []string{"app", "plain"} {
		if err := makeTables(ctx, s.master.URL(name)); err != nil {
			return 0, 0, err
		}
	}
	if err := s.init(ctx); err != nil {
		return 0, 0, err
	}
	err = b.inTurn([]func() error{
		func() (err error) { with, err = statements(ctx, s.master.URL("app")); return err },
		func() (err error) { without, err = statements(ctx, s.master.URL("plain")); return err },
	})
	return with, without, err
}

// evolving measures how long a replica takes to follow changes of the schema that were
// made while it was down, against the time that the master took for them.
func (b *bench) evolving(ctx context.Context) (ours, master time.Duration, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	if err := makeTables(ctx, s.master.URL("app")); err != nil {
		return 0, 0, err
	}
	if err := s.init(ctx); err != nil {
		return 0, 0, err
	}
	stop := s.bridge(ctx)
	err = s.until(ctx, s.replica, `select exists (select from bridge.position where state = 'streaming')`)
	stop()
	if err != nil {
		return 0, 0, err
	}
	if master, err = statements(ctx, s.master.URL("app")); err != nil {
		return 0, 0, err
	}
	started := time.Now()
	stop = s.bridge(ctx)
	defer stop()
	err = s.until(ctx, s.replica, fmt.Sprintf(`
		select count(*) = 1 from pg_attribute where attrelid = to_regclass('public.step_%d') and attname = 'x'`, schemaSteps/4-1))
	return time.Since(started), master, err
}
