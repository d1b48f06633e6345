package itest

import "testing"

// Blocks reach a replica whether the sync table takes them or not: they are the same when they are made again. Here it refuses
// them for a while.
func TestReplicaIsAheadOfTheLog(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	const refused = "the sync table takes nothing now"
	w.onMaster(`
		create unlogged table bridge.refusing (yes bool);
		create function bridge.refuse() returns trigger language plpgsql as $$ begin
			if exists (select from bridge.refusing) then raise exception '` + refused + `'; end if;
			return new;
		end $$;
		create trigger refuse before insert on bridge.commit_block for each row execute function bridge.refuse()`)
	_, said := w.start(0)
	w.onMaster(`insert into a values (0, 'its columns are known now')`) // a model has to be stored before what is written under it
	w.wait()
	// A large one, of which the log takes the parts, and is refused the block.
	w.onMaster(`insert into bridge.refusing values (true)`)
	head := w.head()
	w.onMaster(`insert into a select i, repeat('ahead ', 20) from generate_series(1001, 61000) i`)
	w.eventually("the replica has a large transaction", func() bool {
		return w.query(w.replicas[0].URL("app"), `select count(*) from a`)[0] == "60001"
	})
	if now := w.head(); now != head {
		t.Fatalf("the log has come from block %s to %s", head, now)
	}
	w.onMaster(`delete from bridge.refusing`)
	w.wait()
	w.onMaster(`insert into bridge.refusing values (true)`)
	already := said.count(refused)
	head = w.head()
	w.onMaster(`insert into a select i, 'ahead' from generate_series(1, 10) i`)
	w.onMaster(`update a set v = 'far ahead' where id = 1`)
	w.eventually("the log refuses", func() bool { return said.count(refused) > already })
	w.eventually("the replica has it all the same", func() bool {
		return w.query(w.replicas[0].URL("app"), `select count(*) from a where v like '%ahead'`)[0] == "10"
	})
	if now := w.head(); now != head {
		t.Fatalf("the log has come from block %s to %s", head, now)
	}
	// Another process has no blocks in memory.
	w.stop()
	w.onMaster(`drop function bridge.refuse cascade`)
	w.run()
	w.onMaster(`insert into a values (11, 'behind')`)
	w.wait()
	w.same()
	w.logs()
}
