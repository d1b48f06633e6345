package commitlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"time"

	"github.com/pgbridge/pgbridge/change"
)

// Header is what a block says of its transaction.
type Header struct {
	Epoch  int32
	Seq    int64
	XID    uint32
	LSN    change.LSN // end of the commit record
	Commit time.Time  // microseconds count, finer is not kept
	Model  change.Checksum
	Parts  int32 // at least 1
	Bytes  int64 // length of the content over all parts
}

// Block is a row of the sync table.
type Block struct {
	Header
	Checksum change.Checksum // of this block and, by the chain, of all before it
	Payload  []byte          // part 0 as it is stored: packed
}

// Position is the position of a log or a replica that ends with this block.
func (b *Block) Position() change.Position {
	return change.Position{Epoch: b.Epoch, Seq: b.Seq, LSN: b.LSN, Checksum: b.Checksum}
}

// chainVersion stands in front of everything that is hashed.
const chainVersion = "pgbridge block 1\n"

// Sum is the chain checksum of a block with this header, whose content has the
// SHA-256 digest, behind a block with checksum prev.
func (h *Header) Sum(prev change.Checksum, digest [sha256.Size]byte) change.Checksum {
	b := make([]byte, 0, 192)
	b = append(b, chainVersion...)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Seq))
	b = binary.BigEndian.AppendUint32(b, h.XID)
	b = binary.BigEndian.AppendUint64(b, uint64(h.LSN))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Commit.UnixMicro()))
	b = append(b, h.Model[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Parts))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Bytes))
	b = append(b, digest[:]...)
	return sha256.Sum256(b)
}

// CorruptError says which block is broken and how.
type CorruptError struct {
	Seq    int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("block %d is corrupt: %s", e.Seq, e.Reason)
}

// GapError says that blocks are not there.
type GapError struct {
	Want, Have int64 // Have is 0 when nothing follows
	Oldest     int64 // the log's first block; larger than Want when the log was trimmed
}

func (e *GapError) Error() string {
	if e.Oldest > e.Want {
		return fmt.Sprintf("the log no longer holds block %d: it starts at block %d", e.Want, e.Oldest)
	}
	return fmt.Sprintf("block %d is missing in the log: block %d comes next", e.Want, e.Have)
}

// Verifier checks blocks against the chain, part by part.
type Verifier struct {
	prev change.Position
	hash hash.Hash
	n    int64
	part int32
}

// NewVerifier checks the blocks behind the position.
func NewVerifier(prev change.Position) *Verifier {
	return &Verifier{prev: prev, hash: sha256.New()}
}

// Position is the last block that was verified.
func (v *Verifier) Position() change.Position { return v.prev }

// Part takes the next part of a block's content: packed as stored. It returns the
// content, appended to dst as Unpack does.
func (v *Verifier) Part(dst []byte, seq int64, stored []byte) ([]byte, error) {
	start := len(dst)
	dst, err := Unpack(dst, stored)
	if err != nil {
		defer v.reset()
		return nil, &CorruptError{seq, fmt.Sprintf("payload part %d: %v", v.part, err)}
	}
	v.hash.Write(dst[start:])
	v.n += int64(len(dst) - start)
	v.part++
	return dst, nil
}

// Block checks the header and the chain of the block whose parts were given
// to Part, and moves on.
func (v *Verifier) Block(b *Block) error {
	defer v.reset()
	var digest [sha256.Size]byte
	v.hash.Sum(digest[:0])
	switch {
	case b.Seq != v.prev.Seq+1:
		return &GapError{Want: v.prev.Seq + 1, Have: b.Seq}
	case b.Parts != v.part:
		return &CorruptError{b.Seq, fmt.Sprintf("it has %d parts, the header says %d", v.part, b.Parts)}
	case b.Bytes != v.n:
		return &CorruptError{b.Seq, fmt.Sprintf("it holds %d bytes, the header says %d", v.n, b.Bytes)}
	case b.Sum(v.prev.Checksum, digest) != b.Checksum:
		return &CorruptError{b.Seq, fmt.Sprintf("its checksum does not fit its content and block %d", v.prev.Seq)}
	}
	v.prev = b.Position()
	return nil
}

func (v *Verifier) reset() {
	v.hash.Reset()
	v.n, v.part = 0, 0
}
