package itest

import (
	"slices"
	"testing"
)

// What a replica can not have is said by bridge status, as the master's schema is now.
func TestStatusSaysWhatIsNotReplicated(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create foreign data wrapper odd;
		create server far foreign data wrapper odd;
		create publication theirs;
		create table item (id int primary key)`)
	w.init()
	w.run()
	w.follow()
	says := func(want ...string) {
		t.Helper()
		var said []string
		w.eventually("status says what is not replicated", func() bool {
			m := w.bridge().Status(t.Context()).Master
			said = m.NotReplicated
			return m.NotCount == int64(len(want)) && slices.Equal(said, want)
		})
		if t.Failed() {
			t.Logf("it says %q", said)
		}
	}
	says("publication theirs")
	w.onMaster(`create foreign table remote (id int) server far; create view needs_remote as select * from remote`)
	says("foreign table public.remote", "publication theirs",
		"view public.needs_remote needs foreign table public.remote, which is not taken")
	w.onMaster(`drop foreign table remote cascade; drop server far`)
	says("publication theirs")
	w.same()
}
