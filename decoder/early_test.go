package decoder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/rows"
)

// told notes what is told of early rows.
type told struct {
	xid  uint32
	said *strings.Builder
	left *int
}

func (e *told) Add(r *change.Relation, row change.Tuple) {
	fmt.Fprintf(e.said, "%d %s %s; ", e.xid, r, rows.String(row))
}
func (e *told) End()                 { fmt.Fprintf(e.said, "%d end; ", e.xid) }
func (e *told) Cancel(reason string) { fmt.Fprintf(e.said, "%d cancel: %s; ", e.xid, reason) }
func (e *told) Committed()           { fmt.Fprintf(e.said, "%d committed; ", e.xid) }
func (e *told) Leave(end change.LSN) { fmt.Fprintf(e.said, "%d leave %s; ", e.xid, end); *e.left++ }

// What a streamed transaction inserts is told as it comes.
func TestEarlyRows(t *testing.T) {
	const begin = "start 700\n700: relation 1 public.t d a:25:key\n700: insert 1 (one)\n"
	large := "701: insert 1 (" + strings.Repeat("x", PartSize) + ")\n"
	for _, c := range []struct{ name, script, want string }{
		{"rows", begin + "701: insert 1 (two)", "700 public.t (one); 700 public.t (two); "},
		{"something else comes", begin + "700: delete 1 key (one)", "700 public.t (one); 700 end; "},
		{"a message of ours comes", begin + "700: message bridge.schema {}", "700 public.t (one); 700 end; "},
		{"a message of others comes", begin + "700: message other x\n700: insert 1 (two)", "700 public.t (one); 700 public.t (two); "},
		{"a row has other columns", begin + "700: insert 1 (two, three)", "700 public.t (one); 700 end; "},
		{"the relation was told before", "relation 1 public.t d a:25:key\nstart 700\n700: insert 1 (one)", "700 public.t (one); "},
		{"the relation was not told", "start 700\n700: insert 1 (one)", "700 end; "},
		{"it is rolled back", begin + "stop\nabort 700 700", "700 public.t (one); 700 cancel: the transaction was rolled back; 700 leave 0/0; "},
		{"a part of it is rolled back", begin + "701: insert 1 (two)\nstop\nabort 700 701", "700 public.t (one); 700 public.t (two); 700 cancel: a part of the transaction was rolled back; "},
		{"a part is rolled back that was not told", begin + "stop\nabort 700 701", "700 public.t (one); "},
		{"it is small", begin + "stop\ncommit 700 0/100", "700 public.t (one); 700 committed; 700 cancel: it has become no large block; 700 leave 0/0; "},
		{"it is large", begin + large + "stop\ncommit 700 0/100", "700 public.t (one); 700 public.t LARGE; 700 committed; 700 leave 0/100; "},
	} {
		var said strings.Builder
		left := 0
		a := newAssembler(change.NewModel(), nil, 0, t.TempDir(), func(tx *Tx) error { return tx.Parts(func([]byte) error { return nil }) })
		a.early = func(xid uint32) Early { return &told{xid, &said, &left} }
		for line := range strings.SplitSeq(strings.TrimSpace(c.script), "\n") {
			if err := a.handle(parseLine(t, line)); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		got := said.String()
		if i, j := strings.Index(got, "(xxx"), strings.Index(got, "xxx)"); i >= 0 {
			got = got[:i] + "LARGE" + got[j+4:]
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		a.close()
		if left != 1 {
			t.Errorf("%s: left %d times", c.name, left)
		}
	}
}
