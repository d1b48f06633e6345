package itest

import "testing"

// Blocks reach a replica whether the sync table takes them or not: they are the same when they are made again. Here it refuses
// them for a while.
func TestReplicaIsAheadOfTheLog(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	_, said := w.start(0)
	w.wait()
	const refused = "the sync table takes nothing now"
	w.onMaster(`
		create function bridge.refuse() returns trigger language plpgsql as $$ begin raise exception '` + refused + `'; end $$;
		create trigger refuse before insert on bridge.commit_block for each row execute function bridge.refuse()`)
	head := w.head()
	w.onMaster(`insert into a select i, 'ahead' from generate_series(1, 10) i`)
	w.onMaster(`update a set v = 'far ahead' where id = 1`)
	w.eventually("the log refuses", func() bool { return said.count(refused) > 0 })
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
