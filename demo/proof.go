package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// sum is what a table holds: its rows, and a checksum that does not depend on their order.
type sum struct {
	Rows int64
	Hash string
}

func (s sum) String() string { return fmt.Sprintf("%s  %s", grouped(s.Rows), s.Hash) }

// contents are the sums of a server's tables and views.
type contents struct {
	server string
	tables map[string]sum
}

// prove computes what each server holds, by plain SQL and without the bridge, and shows it side by side. The error is
// ErrDiffer when a replica does not hold the same as the master.
func (s *system) prove(ctx context.Context) error {
	began := time.Now()
	all := make([]contents, 1+len(s.replicas))
	group, working := errgroup.WithContext(ctx)
	for i, n := range s.nodes() {
		group.Go(func() (err error) {
			if all[i], err = read(working, n); err != nil {
				return fmt.Errorf("prove what %s holds: %w", n.name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	width := 100
	if s.ui.size != nil {
		width, _ = s.ui.size()
	}
	text, equal := proof(all, width)
	s.ui.say("\nWhat each server holds, rows and checksum, computed by SQL in %s:\n\n%s", seconds(time.Since(began)), text)
	if !equal {
		return ErrDiffer
	}
	return nil
}

// read computes the sums. The text of a row is the same on all servers, as the session's settings are.
func read(ctx context.Context, n *node) (contents, error) {
	c := contents{n.name, map[string]sum{}}
	conn, err := pgx.Connect(ctx, n.url())
	if err != nil {
		return c, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `
		set timezone = 'UTC';
		set datestyle = 'ISO, YMD';
		set intervalstyle = 'postgres';
		set bytea_output = 'hex';
		set extra_float_digits = 3;
		begin isolation level repeatable read, read only`, pgx.QueryExecModeSimpleProtocol); err != nil {
		return c, err
	}
	rows, err := conn.Query(ctx, `
		select format('%I.%I', nspname, relname)
		from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where relkind in ('r', 'p', 'v') and not relispartition
			and relpersistence <> 't' -- one of a killed server stays for a while, without its file
			and nspname not in ('pg_catalog', 'information_schema', 'bridge')
		order by 1`)
	if err != nil {
		return c, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return c, err
	}
	for _, table := range tables {
		var sum sum
		err := conn.QueryRow(ctx, `
			select count(*), substr(md5(coalesce(sum(hashtextextended(t::text, 0)), 0)::text), 1, 8)
			from `+table+` t`).Scan(&sum.Rows, &sum.Hash)
		if err != nil {
			return c, fmt.Errorf("%s: %w", table, err)
		}
		c.tables[table] = sum
	}
	return c, nil
}

// proof is a table of tables and servers, and the verdict. The first server is the master. Servers that do not fit
// side by side stand below.
func proof(all []contents, width int) (text string, equal bool) {
	names := map[string]bool{}
	label, cell := 0, 0
	for _, c := range all {
		cell = max(cell, len(c.server))
		for table, sum := range c.tables {
			names[table] = true
			label, cell = max(label, len(table)), max(cell, len(sum.String()))
		}
	}
	tables := slices.Sorted(maps.Keys(names))
	var b strings.Builder
	var differ []string
	perRow := max(1, (width-label-2)/(cell+3))
	master := all[0]
	for group := range slices.Chunk(all, perRow) {
		row := func(first string, value func(contents) string) {
			fmt.Fprintf(&b, "  %-*s", label, first)
			for _, c := range group {
				fmt.Fprintf(&b, "   %*s", cell, value(c))
			}
			b.WriteByte('\n')
		}
		row("", func(c contents) string { return c.server })
		for _, table := range tables {
			row(table, func(c contents) string {
				sum, there := c.tables[table]
				if want, ok := master.tables[table]; sum != want || there != ok {
					differ = append(differ, c.server+" "+table)
				}
				if !there {
					return "missing"
				}
				return sum.String()
			})
		}
		b.WriteByte('\n')
	}
	if len(differ) > 0 {
		fmt.Fprintf(&b, "NOT EQUAL: %s.", strings.Join(differ, ", "))
		return b.String(), false
	}
	var total int64
	for _, sum := range master.tables {
		total += sum.Rows
	}
	fmt.Fprintf(&b, "All equal: %d servers hold the same %s in %d tables and views.", len(all), count(total, "row"), len(tables))
	return b.String(), true
}
