package schema_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

// A read within somebody's transaction can not see what was dropped since that began, and says so.
func TestDropSinceTheTransactionBegan(t *testing.T) {
	url := pgtest.DB(t)
	conn, other := connect(t, url), connect(t, url)
	run(t, other, `create table stays (id int primary key); create table goes (id int); alter default privileges grant select on tables to public`)
	for _, ddl := range []string{`alter default privileges revoke select on tables from public`, `drop table goes`} {
		run(t, conn, `begin isolation level repeatable read; select`)
		run(t, other, ddl)
		if m, err := schema.Read(t.Context(), conn, schema.Options{}); !errors.Is(err, schema.ErrChanged) {
			t.Errorf("behind %q: %v, %v, want ErrChanged", ddl, m, err)
		}
		run(t, conn, `rollback`)
		wantNames(t, "behind "+ddl, names(read(t, conn, schema.Options{Table: func(_, name string) bool { return name == "stays" }})),
			"table public.stays", "constraint stays_pkey of public.stays")
	}
}

// A read of its own is begun again when others drop what it reads.
func TestReadWhileOthersDrop(t *testing.T) {
	url := pgtest.DB(t)
	conn, other := connect(t, url), connect(t, url)
	run(t, other, `create table stays (id int primary key)`)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		for {
			_, err := other.Exec(ctx, `
				create table goes (id int primary key, v text default 'x'); create index on goes (lower(v)); create view v as select id from goes;
				alter default privileges grant select on tables to public`)
			if err == nil {
				_, err = other.Exec(ctx, `drop table goes cascade; alter default privileges revoke select on tables from public`)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 50 {
		if _, err := schema.Read(t.Context(), conn, schema.Options{}); err != nil {
			t.Error(err)
			break
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
