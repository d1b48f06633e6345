package change

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
)

// LSN is a position in the master's write-ahead log, in bytes.
// See https://www.postgresql.org/docs/current/datatype-pg-lsn.html
type LSN uint64

// ParseLSN reads PostgreSQL's notation, two hexadecimal halves: 16/B374D848.
func ParseLSN(s string) (LSN, error) {
	high, low, found := strings.Cut(s, "/")
	if !found {
		return 0, fmt.Errorf("parse LSN %q: no slash", s)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("parse LSN %q: %w", s, err)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("parse LSN %q: %w", s, err)
	}
	return LSN(h<<32 | l), nil
}

func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// IsZero says whether the position is unset; PostgreSQL never uses 0/0.
func (l LSN) IsZero() bool { return l == 0 }

// MarshalText gives PostgreSQL's notation.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads PostgreSQL's notation.
func (l *LSN) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLSN(string(b))
	return err
}

// Scan reads a pg_lsn column; null gives zero.
func (l *LSN) Scan(src any) (err error) {
	switch v := src.(type) {
	case nil:
		*l = 0
		return nil
	case string:
		*l, err = ParseLSN(v)
		return err
	case []byte:
		*l, err = ParseLSN(string(v))
		return err
	}
	return fmt.Errorf("scan LSN from %T", src)
}

// Value gives the text form, for a pg_lsn parameter.
func (l LSN) Value() (driver.Value, error) { return l.String(), nil }
