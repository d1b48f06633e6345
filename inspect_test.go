package pgbridge

import (
	"encoding/json"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

func TestRowsAsJSON(t *testing.T) {
	rel := &change.Relation{OID: 7, Schema: "s", Name: "t", Columns: []change.Column{{Name: "id", Key: true}, {Name: `od"d`}, {Name: "c"}}}
	text := func(s string) change.Value { return change.Value{Kind: change.Text, Data: []byte(s)} }
	for _, row := range []struct {
		name    string
		rel     *change.Relation
		tuple   change.Tuple
		keyOnly bool
		want    string
	}{
		{"by name", rel, change.Tuple{text("1"), text("<é>\n\"\x01"), {}}, false, `{"id": "1", "od\"d": "<é>\n\"\u0001", "c": null}`},
		{"the key only", rel, change.Tuple{text("1"), {}, {}}, true, `{"id": "1"}`},
		{"not in the log", rel, change.Tuple{text("1"), {Kind: change.Unchanged}, {}}, false, `{"id": "1", "od\"d": {"unchanged": true}, "c": null}`},
		{"no text", rel, change.Tuple{text("\xff"), {Kind: change.Binary, Data: []byte("ab")}, text("")}, false,
			`{"id": {"base64": "/w=="}, "od\"d": {"base64": "YWI="}, "c": ""}`},
		{"unknown table", nil, change.Tuple{text("1"), {}}, true, `["1", null]`},
		{"other columns", rel, change.Tuple{text("1")}, false, `["1"]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := appendRow(nil, row.rel, row.tuple, row.keyOnly)
			if string(got) != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if !json.Valid(got) {
				t.Errorf("no JSON: %s", got)
			}
		})
	}
}
