package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/pgbridge/pgbridge/pgserver"
)

// system replicates from the master of its world to the replicas.
type system interface {
	// carriesSchema says that replicas need not have the tables before they are attached.
	carriesSchema() bool
	// prepare makes ready what the master needs before replicas can be attached.
	prepare(ctx context.Context) error
	// attach copies the tables to every replica, and returns when all of them follow the master.
	attach(ctx context.Context) error
	// pause returns when no replica follows any more.
	pause(ctx context.Context) error
	// resume lets the replicas with these numbers follow again, from where they were.
	resume(ctx context.Context, replicas ...int) error
	// memory is the most that processes of its own, beside the servers, have had resident, in bytes.
	memory() int64
	// end stops what runs beside the servers.
	end() error
}

// contender is a system that can be started.
type contender struct {
	name     string
	settings map[string]string // of its servers, on top of those of all
	start    func(w *world) system
}

var (
	// theBridge keeps its tap running while replicas are paused.
	theBridge = &contender{name: "bridge", start: func(w *world) system { return &bridge{w: w, tapStays: true} }}
	// wholeBridge is down altogether while it is paused.
	wholeBridge = &contender{name: "bridge", start: func(w *world) system { return &bridge{w: w} }}
	// native is logical replication as a subscription has it by default.
	native = &contender{name: "native", start: func(w *world) system { return &subscriptions{w: w} }}
	// streaming is native replication that receives large transactions before they commit.
	streaming = &contender{name: "native, streaming", start: func(w *world) system { return &subscriptions{w: w, options: ", streaming = on"} }}
	pglogical = &contender{
		name: "pglogical",
		settings: map[string]string{
			"shared_preload_libraries": "pglogical",
			"track_commit_timestamp":   "on", // as its manual has it
		},
		start: func(w *world) system { return &pglogicalNodes{w: w} },
	}
	// alone is a master with nothing attached to it.
	alone = &contender{name: "alone", start: func(*world) system { return nothing{} }}
)

// subscriptions is PostgreSQL's own logical replication.
type subscriptions struct {
	w       *world
	options string
}

func (s *subscriptions) carriesSchema() bool { return false }
func (s *subscriptions) memory() int64       { return 0 }
func (s *subscriptions) end() error          { return nil }

// withoutKey gives every table that has no primary key the identity that its updates need.
const withoutKey = `
	do $$
	declare t regclass;
	begin
		for t in
			select c.oid from pg_class c
			where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
				and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
		loop
			execute format('alter table %s replica identity full', t);
		end loop;
	end
	$$`

func (s *subscriptions) prepare(ctx context.Context) error {
	return s.w.onMaster(ctx, withoutKey, "create publication bench for all tables")
}

func (s *subscriptions) attach(ctx context.Context) error {
	for i, r := range s.w.replicas {
		if err := execute(ctx, r.URL(database), fmt.Sprintf("create subscription bench connection '%s' publication bench with (slot_name = 'bench_%d'%s)",
			s.w.master.URL(database), i, s.options)); err != nil {
			return err
		}
	}
	for _, r := range s.w.replicas {
		if err := until(ctx, r.URL(database), "select count(*) > 0 and bool_and(srsubstate = 'r') from pg_subscription_rel"); err != nil {
			return err
		}
	}
	return nil
}

func (s *subscriptions) pause(ctx context.Context) error {
	for _, r := range s.w.replicas {
		if err := execute(ctx, r.URL(database), "alter subscription bench disable"); err != nil {
			return err
		}
	}
	return noSenders(ctx, s.w.master)
}

func (s *subscriptions) resume(ctx context.Context, replicas ...int) error {
	for _, i := range replicas {
		if err := execute(ctx, s.w.replicas[i].URL(database), "alter subscription bench enable"); err != nil {
			return err
		}
	}
	return nil
}

// noSenders returns when nobody reads a slot of the master.
func noSenders(ctx context.Context, master *pgserver.Server) error {
	return until(ctx, master.URL(database), "select not exists (select from pg_replication_slots where active)")
}

// pglogicalNodes is the extension of that name.
type pglogicalNodes struct{ w *world }

func (p *pglogicalNodes) carriesSchema() bool { return false }
func (p *pglogicalNodes) memory() int64       { return 0 }
func (p *pglogicalNodes) end() error          { return nil }

func (p *pglogicalNodes) prepare(ctx context.Context) error {
	return p.w.onMaster(ctx,
		"create extension pglogical",
		fmt.Sprintf("select pglogical.create_node('master', '%s')", dsn(p.w.master)),
		`select pglogical.replication_set_add_table(
			case when exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) then 'default' else 'default_insert_only' end, c.oid)
		from pg_class c
		where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace`)
}

func (p *pglogicalNodes) attach(ctx context.Context) error {
	for i, r := range p.w.replicas {
		if err := execute(ctx, r.URL(database),
			"create extension pglogical",
			fmt.Sprintf("select pglogical.create_node('replica_%d', '%s')", i, dsn(r)),
			fmt.Sprintf("select pglogical.create_subscription('bench_%d', '%s', synchronize_data := true)", i, dsn(p.w.master)),
			fmt.Sprintf("select pglogical.wait_for_subscription_sync_complete('bench_%d')", i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pglogicalNodes) pause(ctx context.Context) error {
	for i, r := range p.w.replicas {
		if err := execute(ctx, r.URL(database), fmt.Sprintf("select pglogical.alter_subscription_disable('bench_%d', true)", i)); err != nil {
			return err
		}
	}
	return noSenders(ctx, p.w.master)
}

func (p *pglogicalNodes) resume(ctx context.Context, replicas ...int) error {
	for _, i := range replicas {
		if err := execute(ctx, p.w.replicas[i].URL(database), fmt.Sprintf("select pglogical.alter_subscription_enable('bench_%d', true)", i)); err != nil {
			return err
		}
	}
	return nil
}

// dsn is a server's address in the form that pglogical parses: it takes no URLs.
func dsn(s *pgserver.Server) string {
	u, err := url.Parse(s.URL(database))
	if err != nil {
		panic(err) // ours
	}
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable", u.Hostname(), u.Port(), u.User.Username(), strings.TrimPrefix(u.Path, "/"))
}

// nothing is no replication at all.
type nothing struct{}

func (nothing) carriesSchema() bool                  { return false }
func (nothing) prepare(context.Context) error        { return nil }
func (nothing) attach(context.Context) error         { return nil }
func (nothing) pause(context.Context) error          { return nil }
func (nothing) resume(context.Context, ...int) error { return nil }
func (nothing) memory() int64                        { return 0 }
func (nothing) end() error                           { return nil }
