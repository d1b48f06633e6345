package pgbridge

import (
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/change"
)

func TestFindingsOnALine(t *testing.T) {
	for _, row := range []struct {
		want string
		f    CheckFinding
	}{
		{"eu public.accounts key aid=17 differs: abalance: master 5, replica 6",
			CheckFinding{Table: "public.accounts", Key: "aid=17", What: "differs", Columns: []string{"abalance"}, OnMaster: "5", OnReplica: "6"}},
		{"eu public.log row (1,a) differs: master 1×, replica 2×",
			CheckFinding{Table: "public.log", Key: "(1,a)", What: "differs", OnMaster: "1×", OnReplica: "2×", keyless: true}},
		{"eu public.t key id=1 missing on replica: master (1,x)",
			CheckFinding{Table: "public.t", Key: "id=1", What: "missing on replica", OnMaster: "(1,x)"}},
		{"eu index i of public.t missing on replica", CheckFinding{Object: "index i of public.t", What: "missing on replica"}},
		{"eu public.t differs in 7 more rows", CheckFinding{Table: "public.t", What: "differs in 7 more rows"}},
		{"eu stands still at block 3", CheckFinding{What: "stands still at block 3"}},
	} {
		row.f.Replica = "eu"
		if got := row.f.String(); got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
	}
}

func TestBehindErrorNamesEveryReplica(t *testing.T) {
	e := &BehindError{Waited: 2 * time.Second, Target: change.Position{Epoch: 1, Seq: 9}, Behind: []BehindReplica{
		{Name: "a", State: StateStreaming, Position: change.Position{Seq: 5}, Problem: "block 6 does not fit"},
		{Name: "b", State: StateCatchingUp, Position: change.Position{Seq: 4}},
		{Name: "c", State: StateUnreachable, Problem: "refused"},
		{Name: "d", Problem: "bridge run copies it first"},
	}}
	want := "not at block 9 after 2s: replica a stands still at block 5: block 6 does not fit; replica b is catching up at block 4; " +
		"replica c is unreachable: refused; replica d has not begun: bridge run copies it first"
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
