package commitlog_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/internal/gold"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var contents = []struct {
	name    string
	content []byte
}{
	{"empty", nil},
	{"one byte", []byte{'I'}},
	{"short", []byte("I\x05\x01\x04a")},
	{"too short to compress", bytes.Repeat([]byte("a"), 1023)},
	{"compressed", bytes.Repeat([]byte("a"), 1024)},
	{"text", []byte(strings.Repeat("what is worth saying is worth saying twice; ", 1000))},
	{"noise, which does not compress", noise(100_000)},
	{"a full part", bytes.Repeat(noise(1000), 2200)},
	{"zeros", make([]byte, 8<<20)},
}

func TestUnpackGivesWhatWasPacked(t *testing.T) {
	for _, c := range contents {
		packed := commitlog.Pack([]byte("before"), c.content)
		if !bytes.HasPrefix(packed, []byte("before")) {
			t.Fatalf("%s: what was there is gone", c.name)
		}
		packed = packed[6:]
		if len(packed) > len(c.content)+10 {
			t.Errorf("%s: %d bytes are packed into %d", c.name, len(c.content), len(packed))
		}
		for _, dst := range [][]byte{nil, []byte("before"), make([]byte, 3, 10<<20)} {
			got, err := commitlog.Unpack(dst, packed)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !bytes.HasPrefix(got, dst) || !bytes.Equal(got[len(dst):], c.content) {
				t.Fatalf("%s: %d bytes came back as %d others", c.name, len(c.content), len(got)-len(dst))
			}
		}
	}
}

// Small parts are stored as they are; these bytes do not change from version to version.
func TestRawPartsAreGolden(t *testing.T) {
	for _, c := range contents[:3] {
		gold.Bytes(t, "raw_"+strings.ReplaceAll(c.name, " ", "_"), commitlog.Pack(nil, c.content))
	}
}

// What one version has compressed, every later one must read.
func TestCompressedPartIsStillRead(t *testing.T) {
	content := bytes.Repeat([]byte("commit block "), 100)
	old := repack(1, 1, uint32(len(content)), compress(content))
	got, err := commitlog.Unpack(nil, old)
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func compress(content []byte) []byte {
	e, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return e.EncodeAll(content, nil)
}

// repack makes a part with a right checksum.
func repack(version, codec byte, size uint32, body []byte) []byte {
	b := []byte{version, codec, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint32(b, size)
	b = append(b, body...)
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[2:], crc32.Update(crc32.Checksum(b[:2], table), table, b[6:]))
	return b
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, c := range contents[:6] {
		packed := commitlog.Pack(nil, c.content)
		for n := range packed {
			if got, err := commitlog.Unpack(nil, packed[:n]); err == nil {
				t.Fatalf("%s: %d of %d bytes are taken for a part with %d bytes", c.name, n, len(packed), len(got))
			}
		}
		if _, err := commitlog.Unpack(nil, append(packed, 0)); err == nil {
			t.Fatalf("%s: a byte too many is taken", c.name)
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	for _, c := range contents[:6] {
		packed := commitlog.Pack(nil, c.content)
		for bit := range 8 * len(packed) {
			packed[bit/8] ^= 1 << (bit % 8)
			if _, err := commitlog.Unpack(nil, packed); err == nil {
				t.Fatalf("%s: bit %d of byte %d does not matter", c.name, bit%8, bit/8)
			}
			packed[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestBrokenPartsSayWhatIsWrong(t *testing.T) {
	frame := compress(make([]byte, 5000))
	for _, c := range []struct {
		name   string
		stored []byte
		want   string
	}{
		{"too short", make([]byte, 9), "9 bytes are too short for a payload"},
		{"a version of tomorrow", repack(2, 0, 1, []byte("a")), "payload version 2 is not known to this bridge, which knows 1: use a newer bridge"},
		{"a codec of tomorrow", repack(1, 2, 1, []byte("a")), "payload codec 2 is not known to this bridge: use a newer bridge"},
		{"fewer bytes than said", repack(1, 0, 2, []byte("a")), "payload holds 1 bytes, says 2"},
		{"more bytes than said", repack(1, 0, 0, []byte("a")), "payload holds 1 bytes, says 0"},
		{"fewer compressed bytes than said", repack(1, 1, 5001, frame), "payload holds 5000 bytes, says 5001"},
		{"more compressed bytes than said", repack(1, 1, 4999, frame), "decompress payload: decompressed size exceeds configured limit"},
		{"no zstd", repack(1, 1, 10, []byte("0123456789")), "decompress payload: invalid input: magic number mismatch"},
		{"a size that no part has", repack(1, 1, 1<<32-1, frame), "payload claims 4294967295 bytes"},
		{"a size that can not come of so few bytes", repack(1, 1, 1<<30, frame[:12]), "payload of 12 bytes claims 1073741824"},
	} {
		got, err := commitlog.Unpack([]byte("x"), c.stored)
		if err == nil || err.Error() != c.want || got != nil {
			t.Errorf("%s: got %d bytes, %v, want %s", c.name, len(got), err, c.want)
		}
	}
}

// A few bytes that claim or hold very much must not allocate more than what the part says.
func TestBombsDoNotAllocate(t *testing.T) {
	bomb := compress(make([]byte, 256<<20))
	huge := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x40, 0x01, 0x00, 0x00} // a frame that says 1 GiB and is empty
	streamed := new(bytes.Buffer)
	w, err := zstd.NewWriter(streamed, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil { // a frame that does not say how much it holds
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	small := compress(make([]byte, 5000))
	for _, c := range []struct {
		name   string
		stored []byte
	}{
		{"a bomb behind a modest claim", repack(1, 1, 5000, bomb)},
		{"a frame that claims much", repack(1, 1, 5000, huge)},
		{"a part that claims much", repack(1, 1, 1<<30, huge)},
		{"a frame that claims nothing", repack(1, 1, 5000, streamed.Bytes())},
		{"a second frame with a bomb", repack(1, 1, 5000, append(bytes.Clone(small), bomb...))},
		{"a second frame that claims nothing", repack(1, 1, 5000, append(bytes.Clone(small), streamed.Bytes()...))},
	} {
		commitlog.Unpack(nil, c.stored) // the decoder's own memory
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := commitlog.Unpack(nil, c.stored)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", c.name, n)
		}
	}
}

// Unpack takes nothing for granted, and what it gives packs to the same content again.
func FuzzUnpack(f *testing.F) {
	for _, c := range contents[:6] {
		packed := commitlog.Pack(nil, c.content)
		f.Add(packed[1], uint32(len(c.content)), packed[10:])
	}
	f.Add(byte(1), uint32(5000), append(compress(make([]byte, 4000)), compress(make([]byte, 1000))...))
	f.Fuzz(func(t *testing.T, codec byte, size uint32, body []byte) {
		// The checksum is made right, or nothing would come behind it.
		stored := repack(1, codec%3, size, body)
		content, err := commitlog.Unpack(nil, stored)
		if err != nil {
			return
		}
		if len(content) != int(size) {
			t.Fatalf("%d bytes, want %d", len(content), size)
		}
		again, err := commitlog.Unpack(nil, commitlog.Pack(nil, content))
		if err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%d bytes came back as %d, %v", len(content), len(again), err)
		}
	})
}
