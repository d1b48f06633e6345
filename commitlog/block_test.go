package commitlog_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/internal/gold"
)

func header() commitlog.Header {
	return commitlog.Header{
		Epoch: 1, Seq: 42, XID: 747, LSN: 0x16b374d848, Commit: time.Date(2024, 2, 29, 12, 34, 56, 789_012_000, time.UTC),
		Model: change.Checksum{0xaa}, Parts: 2, Bytes: 3_000_000,
	}
}

// The chain of a log that exists must stay valid: not one of these may change.
func TestSumIsGolden(t *testing.T) {
	var b strings.Builder
	digest := sha256.Sum256([]byte("content"))
	for _, c := range []struct {
		name string
		edit func(*commitlog.Header)
	}{
		{"as it is", func(*commitlog.Header) {}},
		{"zero", func(h *commitlog.Header) { *h = commitlog.Header{Commit: time.Unix(0, 0)} }},
		{"before 1970", func(h *commitlog.Header) { h.Commit = time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC) }},
		{"large", func(h *commitlog.Header) {
			h.Epoch, h.Seq, h.XID, h.LSN, h.Parts, h.Bytes = 1<<31-1, 1<<63-1, 1<<32-1, 1<<64-1, 1<<31-1, 1<<63-1
		}},
	} {
		h := header()
		c.edit(&h)
		fmt.Fprintf(&b, "%s: %s\n", c.name, h.Sum(change.Checksum{0xbb}, digest))
	}
	gold.Text(t, "sums.txt", b.String())
}

func TestEveryFieldChangesTheSum(t *testing.T) {
	digest := sha256.Sum256([]byte("content"))
	base := header()
	sum := base.Sum(change.Checksum{0xbb}, digest)
	for name, edit := range map[string]func(*commitlog.Header){
		"epoch":  func(h *commitlog.Header) { h.Epoch++ },
		"seq":    func(h *commitlog.Header) { h.Seq++ },
		"xid":    func(h *commitlog.Header) { h.XID++ },
		"lsn":    func(h *commitlog.Header) { h.LSN++ },
		"commit": func(h *commitlog.Header) { h.Commit = h.Commit.Add(time.Microsecond) },
		"model":  func(h *commitlog.Header) { h.Model[31]++ },
		"parts":  func(h *commitlog.Header) { h.Parts++ },
		"bytes":  func(h *commitlog.Header) { h.Bytes++ },
	} {
		h := header()
		edit(&h)
		if h.Sum(change.Checksum{0xbb}, digest) == sum {
			t.Errorf("%s does not enter the sum", name)
		}
	}
	if base.Sum(change.Checksum{0xbc}, digest) == sum {
		t.Error("the block before does not enter the sum")
	}
	if base.Sum(change.Checksum{0xbb}, sha256.Sum256([]byte("Content"))) == sum {
		t.Error("the content does not enter the sum")
	}
	// What a database does not keep must not count.
	h := header()
	h.Commit = h.Commit.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	if h.Sum(change.Checksum{0xbb}, digest) != sum {
		t.Error("nanoseconds or the zone enter the sum")
	}
}

// block is a block as it is stored, with all its parts.
type block struct {
	commitlog.Block
	stored [][]byte
}

// chain makes blocks behind the position; each string is the parts of one, separated by "|".
func chain(prev change.Position, contents ...string) []block {
	var blocks []block
	for i, content := range contents {
		parts := strings.Split(content, "|")
		whole := strings.Join(parts, "")
		b := block{Block: commitlog.Block{Header: commitlog.Header{
			Epoch: prev.Epoch, Seq: prev.Seq + 1, XID: uint32(700 + i), LSN: prev.LSN + 100, Commit: time.UnixMicro(int64(i)),
			Model: change.Checksum{1}, Parts: int32(len(parts)), Bytes: int64(len(whole)),
		}}}
		b.Checksum = b.Sum(prev.Checksum, sha256.Sum256([]byte(whole)))
		for _, p := range parts {
			b.stored = append(b.stored, commitlog.Pack(nil, []byte(p)))
		}
		b.Payload = b.stored[0]
		blocks = append(blocks, b)
		prev = b.Position()
	}
	return blocks
}

func verify(v *commitlog.Verifier, b *block) (content string, err error) {
	var all []byte
	for _, stored := range b.stored {
		if all, err = v.Part(all, b.Seq, stored); err != nil {
			return "", err
		}
	}
	return string(all), v.Block(&b.Block)
}

var anchor = change.Position{Epoch: 1, Seq: 7, LSN: 1000, Checksum: change.Checksum{0xee}}

func TestVerifierTakesAChain(t *testing.T) {
	contents := []string{"first", "", "in|three|parts", strings.Repeat("x", 5000), "last"}
	v := commitlog.NewVerifier(anchor)
	for i, b := range chain(anchor, contents...) {
		content, err := verify(v, &b)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(contents[i], "|", ""); content != want {
			t.Fatalf("block %d: %q, want %q", b.Seq, content, want)
		}
		if v.Position() != b.Position() {
			t.Fatalf("position %s, want %s", v.Position(), b.Position())
		}
	}
}

func TestVerifierRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func([]block) []block
		want string // the error, and 0 blocks of three are verified where the first is broken
		good int
	}{
		{"a block that is missing", func(b []block) []block { return append(b[:1:1], b[2:]...) }, "block 9 is missing in the log: block 10 comes next", 1},
		{"a first block that is missing", func(b []block) []block { return b[1:] }, "block 8 is missing in the log: block 9 comes next", 0},
		{"blocks in the wrong order", func(b []block) []block { b[0], b[1] = b[1], b[0]; return b }, "block 8 is missing in the log: block 9 comes next", 0},
		{"a block twice", func(b []block) []block { b[1] = b[0]; return b }, "block 9 is missing in the log: block 8 comes next", 1},
		{"swapped content", func(b []block) []block {
			b[0].stored, b[2].stored = b[2].stored, b[0].stored
			return b
		}, "block 8 is corrupt: its checksum does not fit its content and block 7", 0},
		{"other content", func(b []block) []block {
			b[1].stored[1] = commitlog.Pack(nil, []byte("PART"))
			return b
		}, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
		{"parts in the wrong order", func(b []block) []block {
			b[1].stored[0], b[1].stored[1] = b[1].stored[1], b[1].stored[0]
			return b
		}, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
		{"a part that is missing", func(b []block) []block { b[1].stored = b[1].stored[:1]; return b }, "block 9 is corrupt: it has 1 parts, the header says 2", 1},
		{"a part too many", func(b []block) []block {
			b[0].stored = append(b[0].stored, commitlog.Pack(nil, nil))
			return b
		}, "block 8 is corrupt: it has 2 parts, the header says 1", 0},
		{"content that is shorter", func(b []block) []block {
			b[0].stored[0] = commitlog.Pack(nil, []byte("on"))
			return b
		}, "block 8 is corrupt: it holds 2 bytes, the header says 3", 0},
		{"a payload that is broken", func(b []block) []block {
			b[1].stored[1][5] ^= 1
			return b
		}, "block 9 is corrupt: payload part 1: payload checksum mismatch", 1},
		{"another header", func(b []block) []block { b[1].XID++; return b }, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
		{"another checksum", func(b []block) []block { b[1].Checksum[0]++; return b }, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
		{"a block of another epoch", func(b []block) []block { b[1].Epoch++; return b }, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
		{"a block of another log", func(b []block) []block {
			return append(b[:1:1], chain(change.Position{Epoch: 1, Seq: 8, LSN: 1100}, "two")...)
		}, "block 9 is corrupt: its checksum does not fit its content and block 8", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := chain(anchor, "one", "two |part", "end")
			v := commitlog.NewVerifier(anchor)
			good := 0
			var err error
			for _, b := range c.edit(chain(anchor, "one", "two |part", "end")) {
				if _, err = verify(v, &b); err != nil {
					break
				}
				good++
			}
			if err == nil || err.Error() != c.want || good != c.good {
				t.Fatalf("%d blocks, then %v; want %d, then %s", good, err, c.good, c.want)
			}
			var gap *commitlog.GapError
			var corrupt *commitlog.CorruptError
			if !errors.As(err, &gap) && !errors.As(err, &corrupt) {
				t.Fatalf("the error is a %T", err)
			}
			// What was refused leaves no trace: the right blocks are taken.
			for i := range whole[good:] {
				if _, err := verify(v, &whole[good+i]); err != nil {
					t.Fatalf("behind the error: %v", err)
				}
			}
		})
	}
}

func TestGapErrorSaysWhereTheLogStarts(t *testing.T) {
	err := &commitlog.GapError{Want: 5, Have: 100, Oldest: 100}
	if want := "the log no longer holds block 5: it starts at block 100"; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}
