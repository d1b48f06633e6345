package change_test

import (
	"encoding/json"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

func TestChecksum(t *testing.T) {
	b := make([]byte, 32)
	b[0], b[31] = 0xab, 0x01
	sum, err := change.ParseChecksum(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := "ab00000000000000000000000000000000000000000000000000000000000001"; sum.String() != want {
		t.Errorf("got %s, want %s", sum, want)
	}
	b[0] = 0
	if sum[0] != 0xab {
		t.Error("the checksum is not a copy")
	}
	if sum.IsZero() || !(change.Checksum{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := change.ParseChecksum(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are taken for a checksum", n)
		}
	}
}

func TestPosition(t *testing.T) {
	p := change.Position{Epoch: 2, Seq: 1 << 40, LSN: 0x16b374d848, Checksum: change.Checksum{0xab}}
	if got, want := p.String(), "epoch 2, seq 1099511627776, 16/B374D848"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	b, err := json.Marshal(p)
	want := `{"epoch":2,"seq":1099511627776,"commit_lsn":"16/B374D848","checksum":"ab00000000000000000000000000000000000000000000000000000000000000"}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
	b, err = json.Marshal(change.Position{})
	if want := `{"epoch":0,"seq":0,"commit_lsn":"0/0","checksum":""}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}
