package change_test

import (
	"encoding/json"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

func TestLSNText(t *testing.T) {
	for _, c := range []struct {
		text string
		lsn  change.LSN
	}{
		{"0/0", 0},
		{"0/1", 1},
		{"1/0", 1 << 32},
		{"16/B374D848", 0x16b374d848},
		{"0/FFFFFFFF", 1<<32 - 1},
		{"FFFFFFFF/FFFFFFFF", 1<<64 - 1},
	} {
		got, err := change.ParseLSN(c.text)
		if err != nil || got != c.lsn {
			t.Errorf("ParseLSN(%q) = %d, %v, want %d", c.text, got, err, c.lsn)
		}
		if c.lsn.String() != c.text {
			t.Errorf("String of %d = %s, want %s", c.lsn, c.lsn, c.text)
		}
	}
	if got, err := change.ParseLSN("16/b374d848"); err != nil || got != 0x16b374d848 {
		t.Errorf("lower case: %s, %v", got, err)
	}
}

func TestBrokenLSNsAreRefused(t *testing.T) {
	for _, s := range []string{"", "/", "1", "0/", "/0", "0/0/0", "G/0", "0/G", "-1/0", "0/-1", "0/100000000", "100000000/0", " 0/0", "0/0 ", "0x1/0", "1_0/0"} {
		if got, err := change.ParseLSN(s); err == nil {
			t.Errorf("ParseLSN(%q) = %s, want an error", s, got)
		}
	}
}

func TestLSNScan(t *testing.T) {
	for _, src := range []any{"16/B374D848", []byte("16/B374D848")} {
		var lsn change.LSN
		if err := lsn.Scan(src); err != nil || lsn != 0x16b374d848 {
			t.Errorf("Scan(%v) = %s, %v", src, lsn, err)
		}
		v, err := lsn.Value()
		if err != nil || v != "16/B374D848" {
			t.Errorf("Value = %v, %v", v, err)
		}
	}
	lsn := change.LSN(5)
	if err := lsn.Scan(nil); err != nil || !lsn.IsZero() {
		t.Errorf("Scan(nil) = %s, %v, want zero", lsn, err)
	}
	for _, src := range []any{int64(5), "5", []byte("x")} {
		if err := lsn.Scan(src); err == nil {
			t.Errorf("Scan(%v) gives no error", src)
		}
	}
}

func TestLSNInJSON(t *testing.T) {
	b, err := json.Marshal(struct{ LSN change.LSN }{0x16b374d848})
	if err != nil || string(b) != `{"LSN":"16/B374D848"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back struct{ LSN change.LSN }
	if err := json.Unmarshal(b, &back); err != nil || back.LSN != 0x16b374d848 {
		t.Fatalf("%s, %v", back.LSN, err)
	}
	if err := json.Unmarshal([]byte(`{"LSN":"x"}`), &back); err == nil {
		t.Fatal("a broken LSN gives no error")
	}
}
