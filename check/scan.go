package check

import (
	"context"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// buckets is the number of parts that rows are divided into by the hash of their key.
const buckets = 1 << 16

// bucket is a digest of a set of rows that does not depend on their order: the number of rows, and the sums of both
// halves of their hashes.
type bucket struct {
	rows   int64
	hi, lo uint64
}

// pagesAtOnce is how much of a table one statement reads: what passes between two reports of progress.
const pagesAtOnce = 1 << 14

// scan digests the table on both sides and returns the buckets that differ, each with the number of rows in it on
// the side that has more. Both sides read at the same time, the replica a snapshot that shows at least what the
// master's does, and as little more as can be.
func (c *comparison) scan(ctx context.Context) (map[int32]int64, error) {
	c.opt.Progress(c.table.String(), 0, c.master.rel.rows+c.replica.rel.rows)
	mtx, err := c.master.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer mtx.Rollback(context.WithoutCancel(ctx))
	if err := c.catchUp(ctx); err != nil {
		return nil, err
	}
	rtx, err := c.replica.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer rtx.Rollback(context.WithoutCancel(ctx))

	var (
		wg         sync.WaitGroup
		failed     atomic.Bool
		mutex      sync.Mutex // guards read, and keeps calls of Progress apart
		read       int64
		m, r       []bucket
		merr, rerr error
		total      = c.master.rel.rows + c.replica.rel.rows
		passed     = func(rows int64) bool {
			mutex.Lock()
			defer mutex.Unlock()
			read += rows
			c.opt.Progress(c.table.String(), read, max(read, total))
			return !failed.Load()
		}
	)
	wg.Go(func() {
		if m, merr = c.master.digest(ctx, passed); merr != nil {
			failed.Store(true)
		}
	})
	wg.Go(func() {
		if r, rerr = c.replica.digest(ctx, passed); rerr != nil {
			failed.Store(true)
		}
	})
	wg.Wait()
	if merr != nil {
		return nil, merr
	}
	if rerr != nil {
		return nil, rerr
	}
	differ := map[int32]int64{}
	c.result.Rows = 0
	for i := range m {
		c.result.Rows += m[i].rows
		if m[i] != r[i] {
			differ[int32(i)] = max(m[i].rows, r[i].rows)
		}
	}
	c.opt.Progress(c.table.String(), read, read)
	return differ, nil
}

// snapshot begins a transaction that sees the database as it is now.
func (s *side) snapshot(ctx context.Context) (pgx.Tx, error) {
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("begin on %s: %w", s.name, err)
	}
	if _, err := tx.Exec(ctx, "select pg_current_snapshot()", pgx.QueryExecModeExec); err != nil {
		tx.Rollback(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("take a snapshot on %s: %w", s.name, err)
	}
	return tx, nil
}

// The inner select is fenced, or its hashes would be computed once for each use.
const digestSQL = `
select b, count(*), sum(hi)::text, sum(lo)::text
from (
    select ('x' || left(kh, 4))::bit(16)::int as b,
           ('x' || left(h, 16))::bit(64)::bigint as hi,
           ('x' || right(h, 16))::bit(64)::bigint as lo
    from (
        select %s
        from %s
        %s
        offset 0
    ) as hashed
) as halves
group by b`

// digest reads the whole table, within the transaction that is open, and tells passed how many rows it read each
// time; it gives up when passed returns false.
func (s *side) digest(ctx context.Context, passed func(rows int64) bool) ([]bucket, error) {
	hashes := s.rowHash() + " as h, " + s.keyHash() + " as kh"
	all := make([]bucket, buckets)
	for page := int64(0); ; page += pagesAtOnce {
		where := fmt.Sprintf("where t.ctid >= '(%d,0)'", page)
		last := page+pagesAtOnce >= s.rel.pages
		if !last {
			where += fmt.Sprintf(" and t.ctid < '(%d,0)'", page+pagesAtOnce)
		}
		rows, err := s.query(ctx, fmt.Sprintf(digestSQL, hashes, s.from, where))
		if err != nil {
			return nil, fmt.Errorf("digest on %s: %w", s.name, err)
		}
		n, err := addBuckets(rows, all)
		if err != nil {
			return nil, fmt.Errorf("digest on %s: %w", s.name, err)
		}
		if !passed(n) || last {
			return all, nil
		}
	}
}

// addBuckets adds rows of digestSQL to all.
func addBuckets(rows pgx.Rows, all []bucket) (total int64, err error) {
	defer rows.Close()
	var hi, lo big.Int
	for rows.Next() {
		var b int32
		var n int64
		var h, l string
		if err := rows.Scan(&b, &n, &h, &l); err != nil {
			return 0, err
		}
		if _, ok := hi.SetString(h, 10); !ok {
			return 0, fmt.Errorf("sum %q is not a number", h)
		}
		if _, ok := lo.SetString(l, 10); !ok {
			return 0, fmt.Errorf("sum %q is not a number", l)
		}
		all[b].rows += n
		all[b].hi += wrap(&hi)
		all[b].lo += wrap(&lo)
		total += n
	}
	return total, rows.Err()
}

var modulus = new(big.Int).Lsh(big.NewInt(1), 64)

// wrap returns n modulo 2^64. It overwrites n.
func wrap(n *big.Int) uint64 { return n.Mod(n, modulus).Uint64() }
