package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver"
)

// equal reads the tables from every server and fails at the first row that is not the same everywhere.
func (w *world) equal(ctx context.Context, tables ...string) error {
	for _, table := range tables {
		if err := w.equalTable(ctx, table); err != nil {
			return fmt.Errorf("compare table %s: %w", table, err)
		}
	}
	return nil
}

func (w *world) equalTable(ctx context.Context, table string) error {
	order, err := w.order(ctx, table)
	if err != nil {
		return err
	}
	query := fmt.Sprintf("copy (select * from %s t order by %s) to stdout", table, order)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the other streams when one differs
	var streams []*bufio.Reader
	for _, server := range append([]*pgserver.Server{w.master}, w.replicas...) {
		streams = append(streams, stream(ctx, server.URL(database), query))
	}
	for row := 1; ; row++ {
		want, end := streams[0].ReadSlice('\n')
		if end != nil && end != io.EOF {
			return fmt.Errorf("row %d on the master: %w", row, end)
		}
		for i, s := range streams[1:] {
			got, err := s.ReadSlice('\n')
			if err != nil && err != io.EOF {
				return fmt.Errorf("row %d on replica %d: %w", row, i, err)
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("row %d is %q on replica %d, and %q on the master", row, got, i, want)
			}
		}
		if end == io.EOF {
			return nil
		}
	}
}

// order is by primary key, or by the whole row where there is none.
func (w *world) order(ctx context.Context, table string) (order string, err error) {
	conn, err := pgx.Connect(ctx, w.master.URL(database))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `
		select coalesce(string_agg(quote_ident(a.attname), ', '), 't::text')
		from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
		where i.indrelid = $1::text::regclass and i.indisprimary`, table).Scan(&order)
	return order, err
}

// stream gives the rows of a copy as they come; an error of the copy is one of reading.
func stream(ctx context.Context, url, query string) *bufio.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { r.CloseWithError(context.Cause(ctx)) })
	go func() {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			_, err = conn.PgConn().CopyTo(ctx, w, query)
			err = errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
		}
		w.CloseWithError(err)
	}()
	return bufio.NewReaderSize(r, 64<<10)
}
