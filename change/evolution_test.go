package change

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Two transactions change the schema at the same time. Each is certain of what it changed itself, and saw the other's
// as it was before: whatever comes first into the log, the model has of each object what is newer.
func TestEvolveKeepsWhatIsNewer(t *testing.T) {
	entry := func(oid int, text string) string {
		return fmt.Sprintf(`{"class":1259,"oid":%d,"kind":"view","name":"%s"}`, oid, text)
	}
	parse := func(messages ...string) *Evolution {
		var e Evolution
		for i, m := range messages {
			more, err := e.Add([]byte(m))
			if err != nil {
				t.Fatal(err)
			}
			if more != (i < len(messages)-1) {
				t.Fatalf("more is %v behind message %d of %d", more, i+1, len(messages))
			}
		}
		return &e
	}
	// Each transaction is a list of messages, and ends at an LSN.
	type transaction struct {
		end      LSN
		messages []string
	}
	for _, test := range []struct {
		name string
		txs  []transaction
		want string
	}{
		{"a view that was seen before another one changed it stays as that one left it", []transaction{
			{0x200, []string{`{"set":[` + entry(7, "new") + `]}`}},
			{0x300, []string{`{"more":true,"set":[` + entry(1, "table") + `]}`, `{"seen":"0/150","set":[` + entry(7, "old") + `]}`}},
		}, "7 new, 1 table"},
		{"a view that was seen behind the other one's end counts", []transaction{
			{0x200, []string{`{"set":[` + entry(7, "new") + `]}`}},
			{0x300, []string{`{"seen":"0/250","set":[` + entry(7, "newer") + `]}`}},
		}, "7 newer"},
		{"what is certain counts, whatever was seen before", []transaction{
			{0x200, []string{`{"seen":"0/190","set":[` + entry(7, "seen") + `]}`}},
			{0x300, []string{`{"set":[` + entry(7, "certain") + `]}`}},
		}, "7 certain"},
		{"of two that saw it, the later look counts", []transaction{
			{0x200, []string{`{"seen":"0/190","set":[` + entry(7, "later") + `]}`}},
			{0x300, []string{`{"seen":"0/150","set":[` + entry(7, "earlier") + `]}`}},
		}, "7 later"},
		{"who looked while another one changed what shows in the view has seen nothing of it", []transaction{
			{0x200, []string{`{"more":true,"set":[` + entry(1, "renamed") + `]}`, `{"seen":"0/150","set":[` + entry(7, "with the new name") + `]}`}},
			{0x300, []string{`{"seen":"0/190","set":[` + entry(7, "with the old name") + `]}`}},
		}, "7 with the new name, 1 renamed"},
		{"what was dropped is not there again because someone saw it before", []transaction{
			{0x200, []string{`{"drop":[{"class":1259,"oid":7}]}`}},
			{0x300, []string{`{"seen":"0/150","set":[` + entry(7, "seen") + `]}`}},
		}, ""},
		{"what someone did not see is not dropped when it was made since", []transaction{
			{0x200, []string{`{"set":[` + entry(8, "made") + `]}`}},
			{0x300, []string{`{"seen":"0/150","drop":[{"class":1259,"oid":8}]}`}},
		}, "7 first, 8 made"},
		{"a look at everything forgets what is gone, but not what came since", []transaction{
			{0x200, []string{`{"set":[` + entry(8, "made") + `]}`}},
			{0x300, []string{`{"reset":true,"seen":"0/150","set":[` + entry(9, "seen") + `]}`}},
		}, "8 made, 9 seen"},
		{"a transaction's own changes do not overtake what it sees", []transaction{
			{0x300, []string{`{"set":[` + entry(7, "mine") + `]}`}},
			{0x300, []string{`{"seen":"0/150","set":[` + entry(7, "rendered") + `]}`}},
		}, "7 rendered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := NewModel().Evolve(parse(`{"set":[`+entry(7, "first")+`]}`), nil, Changes{})
			known, made := Changes{}, Changes{}
			for i, tx := range test.txs {
				m = m.Evolve(parse(tx.messages...), known, made)
				if i == len(test.txs)-1 || test.txs[i+1].end != tx.end {
					made.End(tx.end)
					maps.Copy(known, made)
					clear(made)
				}
			}
			var have []string
			for _, e := range m.Entries() {
				have = append(have, fmt.Sprintf("%d %s", e.Address.OID, e.Name))
			}
			want := strings.Split(test.want, ", ")
			slices.Sort(have)
			slices.Sort(want)
			if got := strings.Join(have, ", "); got != strings.Join(want, ", ") {
				t.Errorf("the model has %q, want %q", got, strings.Join(want, ", "))
			}
		})
	}
}
