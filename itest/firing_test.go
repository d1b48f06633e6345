package itest

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
)

// Triggers and rules that would fire while the bridge applies are there as on the master, and fire for everybody but the bridge.
func TestAlwaysTriggersFireForNobodyTwice(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table noted (what text);
		create function note() returns trigger language plpgsql as $$
		begin
			insert into public.noted values (tg_name || ' ' || tg_op);
			return new;
		end $$;
		create table t (id int primary key, v text);
		create trigger a after insert or update on t for each row execute function note();
		create trigger b after insert or delete or truncate on t for each statement execute function note();
		create constraint trigger c after insert on t deferrable initially deferred for each row execute function note();
		alter table t enable always trigger a;
		alter table t enable replica trigger b;
		alter table t enable always trigger c;
		create rule r as on delete to t do also insert into noted values ('rule');
		alter table t enable always rule r;
		create table other (id int primary key);
		insert into t select i, 'x' from generate_series(1, 500) i`)
	w.init()
	w.run()
	w.wait()
	w.same()
	w.sameSchema()
	states := func() string {
		return strings.Join(w.query(w.replicas[0].URL("app"), `
			select tgname || tgenabled::text from pg_trigger where tgrelid = 't'::regclass
			union all select rulename || ev_enabled::text from pg_rewrite where ev_class = 't'::regclass order by 1`), " ")
	}
	const want = "aA bR cA rA"
	if got := states(); got != want {
		t.Fatalf("on the replica they are %s, want %s", got, want)
	}

	// The replica's own fire: for them the operator has asked for it.
	w.onReplica(0, `
		create schema own;
		create unlogged table own.noted (what text);
		create function own.note() returns trigger language plpgsql as $$
		begin
			insert into own.noted values (tg_op || ' ' || new.id);
			return new;
		end $$;
		create trigger own after insert on t for each row execute function own.note();
		create constraint trigger own_later after insert on t deferrable initially deferred for each row execute function own.note();
		alter table t enable always trigger own, enable always trigger own_later`)
	w.onMaster(`insert into t values (1001, 'y')`)
	w.onMaster(`update t set v = 'z' where id < 10; delete from t where id = 20; update t set id = -1 where id = 30`)
	w.onMaster(`begin; insert into t values (1002, 'y'); set constraints all immediate; alter table t add column w int; insert into t values (1003, 'y', 1); commit`)
	w.wait()
	w.same()
	if got := strings.Join(w.query(w.replicas[0].URL("app"), `select what from own.noted order by 1`), ", "); got != "INSERT 1001, INSERT 1001, INSERT 1002, INSERT 1002, INSERT 1003, INSERT 1003" {
		t.Errorf("the replica's own triggers noted %s", got)
	}
	w.onMaster(`truncate t; insert into t values (1)`)
	w.wait()
	w.same()

	// Copied again, while somebody looks: the triggers are never seen to be off.
	w.onReplica(0, `drop trigger own on t; drop trigger own_later on t; delete from own.noted`)
	w.onMaster(`insert into t select i from generate_series(2, 2000) i`)
	w.wait()
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 1)
	go func() {
		defer close(seen)
		conn, err := pgx.Connect(ctx, w.replicas[0].URL("app"))
		if err != nil {
			return
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for ctx.Err() == nil {
			var off string
			err := conn.QueryRow(ctx, `select coalesce(string_agg(tgname, ' '), '') from pg_trigger where tgrelid = 't'::regclass and tgenabled = 'D'`).Scan(&off)
			if err == nil && off != "" {
				seen <- off
				return
			}
		}
	}()
	w.onReplica(0, `insert into bridge.copy_table values ('public', 't', '`+w.query(w.master.URL("app"), "select 't'::regclass::oid")[0]+`', 'wanted', false, 0, 0)`)
	w.onMaster(`insert into t values (5000)`)
	w.wait()
	w.onMaster(`alter table t alter v type varchar using v || '!'`) // rewritten, so copied
	w.wait()
	cancel()
	if off := <-seen; off != "" {
		t.Errorf("somebody else has seen %s switched off", off)
	}
	w.same()
	if got := states(); got != want {
		t.Errorf("on the replica they are %s, want %s", got, want)
	}

	// For others they fire as ever.
	before := w.query(w.replicas[0].URL("app"), `select count(*) from noted`)[0]
	w.onReplica(0, `insert into t values (-5); delete from t where id = -5`)
	// a, c and the rule; b is for replicas only.
	if got := w.query(w.replicas[0].URL("app"), `select count(*) - `+before+` from noted`)[0]; got != "3" {
		t.Errorf("for others %s have fired, want 3", got)
	}
}

// A replica whose tables are there already, with such triggers, is copied without them firing.
func TestAlwaysTriggersThatAreThereBeforeTheCopy(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	const made = `
		create table noted (what text);
		create function note() returns trigger language plpgsql as $$ begin insert into public.noted values (tg_op); return new; end $$;
		create table t (id int primary key, v text);
		create trigger a after insert or truncate on t for each statement execute function note();
		create trigger b before insert on t for each row execute function note();
		alter table t enable always trigger a, enable always trigger b;
		alter table t disable trigger a, disable trigger b;
		alter table t enable always trigger a, enable always trigger b`
	w.onMaster(made)
	w.onReplica(0, made)
	w.onMaster(`insert into t select i, repeat('x', 100) from generate_series(1, 2000) i; analyze t`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.wait()
	w.same()
	w.sameSchema()
}
