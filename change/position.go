package change

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Checksum is a SHA-256: of a block and all before it (the chain), of a model, or of a relation.
type Checksum [sha256.Size]byte

// ParseChecksum copies the 32 bytes of a stored checksum.
func ParseChecksum(b []byte) (c Checksum, err error) {
	if len(b) != len(c) {
		return c, fmt.Errorf("checksum of %d bytes, want %d", len(b), len(c))
	}
	copy(c[:], b)
	return c, nil
}

func (c Checksum) String() string { return hex.EncodeToString(c[:]) }

// IsZero says whether the checksum is unset.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// MarshalText gives hexadecimal text; an unset checksum is empty.
func (c Checksum) MarshalText() ([]byte, error) {
	if c.IsZero() {
		return nil, nil
	}
	return []byte(c.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (c *Checksum) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = Checksum{}
		return nil
	}
	if hex.DecodedLen(len(b)) != len(c) {
		return fmt.Errorf("parse checksum: %d digits, want %d", len(b), hex.EncodedLen(len(c)))
	}
	if _, err := hex.Decode(c[:], b); err != nil {
		return fmt.Errorf("parse checksum: %w", err)
	}
	return nil
}

// Position is how far a log or a replica is. Positions are commit boundaries:
// there is none inside a transaction.
type Position struct {
	Epoch    int32    `json:"epoch"`
	Seq      int64    `json:"seq"`
	LSN      LSN      `json:"commit_lsn"` // end of the commit record of block Seq
	Checksum Checksum `json:"checksum"`   // chain checksum of block Seq
}

func (p Position) String() string {
	return fmt.Sprintf("epoch %d, seq %d, %s", p.Epoch, p.Seq, p.LSN)
}
