package master

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/decoder"
)

func TestInit(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`
			create table keyed (id int primary key, v text);
			create table bare (id int, v text);
			create table lazy (id int primary key deferrable, v text);
			create table nothing (id int primary key, v text);
			alter table nothing replica identity nothing;
			create table indexed (id int not null, v text);
			create unique index indexed_id on indexed (id);
			alter table indexed replica identity using index indexed_id;
			create unlogged table unlogged (id int);
			create table root (id int, v text) partition by range (id);
			create table leaf partition of root for values from (0) to (1000);
			create schema "Other ""Schema""";
			create table "Other ""Schema""".tbl ("Id" int);
			insert into keyed values (1, ''); insert into bare values (1, ''); insert into lazy values (1, '');
			insert into nothing values (1, ''); insert into indexed values (1, ''); insert into root values (1, '')`)
		r := m.init()
		if !r.First || !r.Triggers || r.Published != 7 || r.Anchor.LSN.IsZero() || r.Anchor.Epoch != 1 {
			t.Errorf("first init: %+v", r)
		}
		if got, want := names(r.Full), `Other "Schema".tbl public.bare public.lazy public.leaf public.nothing`; got != want {
			t.Errorf("replica identity full for %s, want %s", got, want)
		}
		m.wantState("keyed", "published d")
		m.wantState("bare", "published f")
		m.wantState("lazy", "published f")
		m.wantState("nothing", "published f")
		m.wantState("indexed", "published i")
		m.wantState("leaf", "published f")
		m.wantState("unlogged", "unknown")
		m.wantState("root", "unknown")
		for _, table := range []string{"keyed", "bare", "lazy", "nothing", "indexed", "root", "leaf"} {
			m.do(`update ` + table + ` set v = 'new'; delete from ` + table)
		}

		again := m.init()
		if again.First || again.Anchor != r.Anchor || again.Published != 7 || len(again.Full)+len(again.Added)+len(again.Removed)+len(again.Restored) > 0 {
			t.Errorf("second init: %+v after %+v", again, r)
		}
	})
}

func TestInitAgainRepairs(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int primary key); create table b (id int); create table c (id int); insert into b values (1)`)
		first := m.init()
		m.do(`
			drop event trigger bridge_ddl; drop event trigger bridge_drop; drop event trigger bridge_alter; drop event trigger bridge_rewrite;
			alter publication bridge drop table b;
			alter table c replica identity default;
			create table d (id int);
			drop function bridge.publish(oid, boolean)`)
		r := m.init()
		if got := names(r.Added); got != "public.b public.d" {
			t.Errorf("added %q, want public.b public.d", got)
		}
		if got := names(r.Full); got != "public.c public.d" {
			t.Errorf("full for %q, want public.c public.d", got)
		}
		if got := m.text(`select string_agg(name, ' ' order by name) from bridge.added_table where lsn > $1::text::pg_lsn`, first.Anchor.LSN.String()); got != "public.b public.d" {
			t.Errorf("bridge.added_table has %q, want public.b public.d", got)
		}
		if r.First || r.Anchor != first.Anchor || !r.Triggers {
			t.Errorf("%+v after %+v", r, first)
		}

		m.options.Exclude = []string{"b", "c"}
		r = m.init()
		if got := names(r.Removed); got != "public.b public.c" {
			t.Errorf("removed %q, want public.b public.c", got)
		}
		m.wantState("b", "left out d BROKEN")
	})
}

func TestTablesThatHadRowsAreNoted(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create unlogged table u (id int primary key)`)
		m.init()
		m.do(`create table a (id int); create table b as select 1 as id; create schema s create table c (id int); alter table u set logged; drop table b`)
		m.do(`create table b as select 1 as id`)
		if got := m.text(`select string_agg(name, ' ' order by name) from bridge.added_table`); got != "public.b public.u" {
			t.Errorf("bridge.added_table has %q, want public.b public.u", got)
		}
	})
}

func TestInitRefuses(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		for _, tt := range []struct{ name, before, after, want string }{
			{"a schema bridge of someone else", `create schema bridge; create table bridge.rivers (id int)`, `drop schema bridge cascade`, "not ours"},
			{"a newer version", `create schema bridge; create table bridge.version (one boolean primary key default true, number int); insert into bridge.version (number) values (99)`, `drop schema bridge cascade`, "use a newer bridge"},
			{"a slot with another plugin", `select pg_create_logical_replication_slot('` + m.options.Slot + `', 'test_decoding')`, `select pg_drop_replication_slot('` + m.options.Slot + `')`, "plugin test_decoding"},
			{"a physical slot", `select pg_create_physical_replication_slot('` + m.options.Slot + `')`, `select pg_drop_replication_slot('` + m.options.Slot + `')`, "physical"},
			{"a publication for all tables", `create publication bridge for all tables`, `drop publication bridge`, "for all tables"},
			{"an event trigger of that name", `create function f() returns event_trigger language plpgsql as 'begin end'; create event trigger bridge_ddl on sql_drop execute function f()`, `drop function f cascade`, "not ours"},
		} {
			m.do(tt.before)
			_, err := Init(t.Context(), m.Conn, m.options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
			}
			m.do(tt.after)
			if got := m.text(`select concat(to_regnamespace('bridge'), (select count(*) from pg_publication), (select count(*) from pg_replication_slots where database = current_database()))`); got != "00" {
				t.Errorf("%s: something is left: %s", tt.name, got)
			}
		}
		other := newMachine(t, m.server)
		other.options = m.options
		other.init()
		if _, err := Init(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "in database") {
			t.Errorf("a slot in another database: %v", err)
		}
		m.options.Slot += "_b"
		m.init() // two bridges on one server
		m.options.Slot += "_c"
		if _, err := Init(t.Context(), m.Conn, m.options); err == nil || !strings.Contains(err.Error(), "was begun with slot") {
			t.Errorf("another slot name: %v", err)
		}
	})
}

func TestInitWithoutItsSlot(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		first := m.init()
		m.do(`select pg_drop_replication_slot('` + m.options.Slot + `')`)
		again := m.init()
		if !again.First || again.Anchor.LSN <= first.Anchor.LSN || again.Anchor.Checksum == first.Anchor.Checksum {
			t.Errorf("an unused log begins anew: %+v after %+v", again, first)
		}
		m.do(`
			select pg_drop_replication_slot('` + m.options.Slot + `');
			insert into bridge.replica (name, kind, state) values ('eu', 'postgres', 'streaming')`)
		if _, err := Init(t.Context(), m.Conn, m.options); !errors.Is(err, ErrLogEnded) {
			t.Errorf("init without the slot of a log that is used: %v, want %v", err, ErrLogEnded)
		}
		m.drop()
		m.init()
	})
}

func TestInitNamesWhoHoldsUpTheSlot(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int primary key)`)
		other := m.connect("")
		doOn(t, other, `begin; select txid_current(); select 'the culprit'`)
		impatient := m.options
		impatient.Patience = 300 * time.Millisecond
		_, err := Init(t.Context(), m.Conn, impatient)
		var slotErr *SlotError
		if !errors.As(err, &slotErr) || len(slotErr.Blockers) != 1 || slotErr.Blockers[0].PID != int32(other.PgConn().PID()) {
			t.Fatalf("init: %v, want a SlotError that names pid %d", err, other.PgConn().PID())
		}
		if !strings.Contains(err.Error(), "the culprit") {
			t.Errorf("%v: it does not show the statement", err)
		}
		if n := m.text(`select count(*)::text from pg_replication_slots where slot_name = $1`, m.options.Slot); n != "0" {
			t.Error("a half-made slot is left")
		}
		m.do(`update a set id = 2`)
		doOn(t, other, `rollback`)
		if r := m.init(); !r.First {
			t.Errorf("%+v", r)
		}
	})
}

func TestInitNamesWhoLocksATable(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`create table a (id int)`)
		other := m.connect("")
		doOn(t, other, `begin; insert into a values (1)`)
		impatient := m.options
		impatient.Patience = 300 * time.Millisecond
		_, err := Init(t.Context(), m.Conn, impatient)
		var tableErr *TableError
		if !errors.As(err, &tableErr) || tableErr.Table.Name != "a" || len(tableErr.Blockers) != 1 || tableErr.Blockers[0].PID != int32(other.PgConn().PID()) {
			t.Fatalf("init: %v, want a TableError that names pid %d", err, other.PgConn().PID())
		}
		doOn(t, other, `commit`)
		m.init()
	})
}

func TestInitWithoutSuperuser(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.role("operator")
		m.do(`alter role operator replication`)
		m.do(`do $$ begin execute format('grant create on database %I to operator', current_database()); end $$; grant all on schema public to operator`)
		m.do(`create table foreign_to_it (id int primary key)`)
		conn := m.connect("operator")
		doOn(t, conn, `create table mine (id int, v text)`)
		want := m.dump()

		r, err := Init(t.Context(), conn, m.options)
		if err != nil {
			t.Fatal(err)
		}
		if r.Triggers || r.Published != 1 || len(r.Skipped) != 1 || r.Skipped[0].Name != "foreign_to_it" {
			t.Errorf("%+v", r)
		}
		doOn(t, conn, `update mine set v = ''; create table later (id int)`)
		m.wantState("later", "left out d BROKEN")
		r, err = Init(t.Context(), conn, m.options)
		if err != nil || names(r.Added) != "public.later" {
			t.Errorf("%+v, %v", r, err)
		}
		doOn(t, conn, `drop table later`)
		if err := Drop(t.Context(), conn, m.options); err != nil {
			t.Fatal(err)
		}
		if got := m.dump(); got != want {
			t.Errorf("after drop:\n%s\nbefore init:\n%s", got, want)
		}
	})
}

func TestTwoInitsAtOnce(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`do $$ begin for i in 1 .. 50 loop execute 'create table t' || i || ' (id int)'; end loop; end $$`)
		failed := make(chan error, 3)
		for range cap(failed) {
			conn := m.connect("")
			go func() {
				_, err := Init(t.Context(), conn, m.options)
				failed <- err
			}()
		}
		done := 0
		for range cap(failed) {
			switch err := <-failed; {
			case err == nil:
				done++
			case !errors.Is(err, ErrBusy):
				t.Error(err)
			}
		}
		if done == 0 {
			t.Error("none came through")
		}
	})
}

// The first model has to be what the log says of the same tables, else the log would begin with a change of model.
func TestModelIsWhatTheLogSays(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.do(`
			create type mood as enum ('sad', 'glad');
			create domain code as varchar(7);
			create table keyed (a int, b text, k mood not null, n numeric(10, 2)[], z code, primary key (k, a));
			alter table keyed drop column b;
			create table bare (id int, at timestamptz(3), v varchar(9));
			create table indexed (x int not null, y int not null);
			create unique index indexed_y on indexed (y) include (x);
			alter table indexed replica identity using index indexed_y;
			create table generated (id int primary key, twice int generated always as (id * 2) stored, v text);
			create table root (id int, v text) partition by range (id);
			create table leaf partition of root for values from (0) to (1000);
			create table "Odd.""Name" ("É" int primary key)`)
		r := m.init()
		model, err := commitlog.LoadModel(t.Context(), m.Conn, modelSum(m), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(model.Relations()); got != 6 {
			t.Errorf("the model has %d relations, want 6", got)
		}
		m.do(`
			insert into keyed values (1, 'sad', '{1}', ''); insert into bare values (1); insert into indexed values (1, 2);
			insert into generated (id) values (1); insert into leaf values (1); insert into "Odd.""Name" values (1); create table last (id int); insert into last values (1)`)
		config, err := pgconn.ParseConfig(m.url)
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("seen")
		err = decoder.Run(t.Context(), decoder.Options{
			Config: config, Slot: m.options.Slot, Publication: "bridge", Start: r.Anchor.LSN, Model: model,
			TempDir: t.TempDir(), Durable: func() change.LSN { return r.Anchor.LSN },
		}, func(tx *decoder.Tx) error {
			for _, rel := range tx.Model.Relations() {
				if first := model.Relation(rel.OID); first != nil && first.Definition() != rel.Definition() {
					t.Errorf("model %s\nlog   %s", first.Definition(), rel.Definition())
				}
			}
			if len(tx.Model.Relations()) == 7 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}

func modelSum(m *machine) (sum change.Checksum) {
	m.Helper()
	var b []byte
	if err := m.QueryRow(m.Context(), `select model from bridge.epoch`).Scan(&b); err != nil {
		m.Fatal(err)
	}
	sum, err := change.ParseChecksum(b)
	if err != nil {
		m.Fatal(err)
	}
	return sum
}

func TestPrintIsAScript(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		psql, err := m.server.Install().Tool("psql")
		if err != nil {
			t.Skip(err)
		}
		m.do(`create table a (id int); create table b (id int primary key); create table secret (id int)`)
		m.options.Exclude = []string{"sec*"}
		cmd := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", m.url)
		cmd.Stdin = strings.NewReader(Print(m.options))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		m.wantState("a", "published f")
		m.wantState("b", "published d")
		m.wantState("secret", "left out d BROKEN")
		if r := m.init(); !r.First || len(r.Added)+len(r.Full) > 0 || r.Published != 2 {
			t.Errorf("init after the script: %+v", r)
		}
	})
}
