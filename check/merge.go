package check

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// rowsAtOnce is how many rows of a server are sorted in one go, so that a table that differs everywhere does not
// fill the master's disk with its sort.
const rowsAtOnce = 5_000_000

// parts divides the buckets that differ so that each part has about rowsAtOnce rows.
func parts(differ map[int32]int64) (all [][]int32) {
	var part []int32
	var rows int64
	for _, b := range slices.Sorted(maps.Keys(differ)) {
		if len(part) > 0 && rows+differ[b] > rowsAtOnce {
			all = append(all, part)
			part, rows = nil, 0
		}
		part = append(part, b)
		rows += differ[b]
	}
	if len(part) > 0 {
		all = append(all, part)
	}
	return all
}

// entry is a row's key and the hash of the row; of a table without a key, a row's hash and how often it is there.
type entry struct {
	key  []string
	hash string
}

// merge reads the buckets from both sides in the same order and calls differs with each key that one side lacks or
// has another row for. The two sides need not be at the same point in time.
func (c *comparison) merge(ctx context.Context, buckets []int32, differs func(key []string) error) error {
	var m, r *stream
	var merr, rerr error
	var wg sync.WaitGroup
	wg.Go(func() { m, merr = c.master.stream(ctx, buckets) })
	wg.Go(func() { r, rerr = c.replica.stream(ctx, buckets) })
	wg.Wait()
	if m != nil {
		defer m.rows.Close()
	}
	if r != nil {
		defer r.rows.Close()
	}
	if merr != nil {
		return merr
	}
	if rerr != nil {
		return rerr
	}
	a, err := m.next()
	if err != nil {
		return err
	}
	b, err := r.next()
	if err != nil {
		return err
	}
	for a != nil || b != nil {
		order := 0
		switch {
		case b == nil:
			order = -1
		case a == nil:
			order = 1
		default:
			order = slices.Compare(a.key, b.key)
		}
		key := []string(nil)
		switch {
		case order < 0:
			key = a.key
		case order > 0:
			key = b.key
		case a.hash != b.hash:
			key = a.key
		}
		if key != nil {
			if err := differs(key); err != nil {
				return err
			}
		}
		if order <= 0 {
			if a, err = m.next(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if b, err = r.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// stream is a side's entries in order of their keys.
type stream struct {
	name   string
	rows   pgx.Rows
	ahead  *entry
	failed error
}

func (s *side) stream(ctx context.Context, buckets []int32) (*stream, error) {
	in := fmt.Sprintf("('x' || left(%s, 4))::bit(16)::int = any($1::int[])", s.keyHash())
	sql := fmt.Sprintf("select %s, %s collate \"C\"\nfrom %s\nwhere %s\norder by %s, 2",
		s.keyArray(), s.rowHash(), s.from, in, s.keyOrder())
	if len(s.key) == 0 {
		sql = fmt.Sprintf("select array[h], count(*)::text\nfrom (select %s as h from %s offset 0) as hashed\n"+
			"where ('x' || left(h, 4))::bit(16)::int = any($1::int[])\ngroup by h\norder by h collate \"C\"",
			s.rowHash(), s.from)
	}
	rows, err := s.query(ctx, sql, buckets)
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", s.name, err)
	}
	st := &stream{name: s.name, rows: rows}
	st.advance()
	return st, nil
}

func (st *stream) advance() {
	st.ahead = nil
	if !st.rows.Next() {
		st.failed = st.rows.Err()
		return
	}
	e := &entry{}
	if st.failed = st.rows.Scan(&e.key, &e.hash); st.failed == nil {
		st.ahead = e
	}
}

// next returns the next entry, or nil at the end. Rows with the same key, which a replica can have when its unique
// index is missing, make one entry.
func (st *stream) next() (*entry, error) {
	e := st.ahead
	for e != nil {
		st.advance()
		if st.ahead == nil || !slices.Equal(st.ahead.key, e.key) {
			break
		}
		e.hash = digestOf(e.hash, st.ahead.hash)
	}
	if st.failed != nil {
		return nil, fmt.Errorf("read rows of %s: %w", st.name, st.failed)
	}
	return e, nil
}

// digestOf is the md5 of hashes, one after the other, as PostgreSQL writes it.
func digestOf(hashes ...string) string {
	sum := md5.Sum([]byte(strings.Join(hashes, "")))
	return hex.EncodeToString(sum[:])
}
