package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// state is what one side has for a key at one moment; the zero value: nothing.
type state struct {
	rows    int64
	value   string // digest of the rows; of a table without a key, their number
	version string // identifies the row versions
}

// candidate is a key that was seen to differ, and may only have been on its way.
type candidate struct {
	key             []string
	master, replica state           // at the last look
	seen            map[string]bool // values the master has had
	proofs          int             // looks in a row that proved the same difference
	since           time.Time       // of the first of these proofs
}

const (
	// proofsNeeded is more than one because of a commit's last moments, in which a replica can have it and the master
	// does not show it yet.
	proofsNeeded = 3
	// rounds is how often a candidate is looked at with a pause in between.
	rounds = 20
	// What is left after the first rounds changes all the time, or differs. It is followed on the master, if it is few
	// rows; and after all rounds in any case, hotGroup rows at a time, for hotTime or hotLooks looks.
	restless        = 2
	hotGroup        = 100
	hotLooks        = 200
	hotLooksAtLeast = 5
	hotTime         = 20 * time.Second
)

// look takes what both sides have after a wait for the replica, the replica read first, and says whether the
// candidate is equal after all. DESIGN.md proves the rules.
func (k *candidate) look(replica, master state, keyed bool, now time.Time) (equal bool) {
	m0, r0 := k.master, k.replica
	if differs(m0, replica, keyed, m0.version == master.version, r0.version == replica.version) {
		same := m0.value == master.value && r0.value == replica.value
		if k.proofs == 0 || !same {
			k.proofs, k.since = 0, now
		}
		k.proofs++
	} else {
		k.proofs = 0
		equal = replica.value == m0.value || replica.value == master.value || k.seen[replica.value]
	}
	k.remember(m0.value)
	k.remember(master.value)
	k.master, k.replica = master, replica
	return equal
}

func (k *candidate) remember(value string) {
	if k.seen == nil {
		k.seen = map[string]bool{}
	}
	k.seen[value] = true
}

// differs says whether a replica that had taken over all of the master's commits in order could not have shown r.
// m was read on the master before the replica was waited for, r after it. masterStill says that the master's row
// versions were the same after r was read, replicaStill that the replica's were the same before m was read.
func differs(m, r state, keyed, masterStill, replicaStill bool) bool {
	if m.value == r.value {
		return false
	}
	if keyed {
		return m.rows > 0 && masterStill || r.rows > 0 && replicaStill
	}
	return m.rows > r.rows && masterStill || r.rows > m.rows && replicaStill
}

// settle finds out which of the keys differ indeed and reports them.
func (c *comparison) settle(ctx context.Context, keys [][]string) error {
	pending := make([]*candidate, len(keys))
	for i, key := range keys {
		pending[i] = &candidate{key: key}
	}
	replica, err := c.replica.states(ctx, pending)
	if err != nil {
		return err
	}
	master, err := c.master.states(ctx, pending)
	if err != nil {
		return err
	}
	for i, k := range pending {
		k.replica, k.master = replica[i], master[i]
	}
	keyed := len(c.master.key) > 0
	for round := range rounds {
		wait := c.catchUp
		if keyed && round >= restless && len(pending) <= hotGroup {
			wait = func(ctx context.Context) error { return c.follow(ctx, pending) }
		}
		if err := wait(ctx); err != nil {
			return err
		}
		if pending, err = c.lookAgain(ctx, pending, func(k *candidate, replica, master state) bool {
			return k.look(replica, master, keyed, time.Now())
		}); err != nil {
			return err
		}
		if pending, err = c.confirm(ctx, pending); err != nil {
			return err
		}
		if len(pending) == 0 {
			return nil
		}
		if err := pause(ctx, lookPause); err != nil {
			return err
		}
	}
	for group := range slices.Chunk(pending, hotGroup) {
		unsettled, err := c.settleHot(ctx, group)
		if err != nil {
			return err
		}
		c.unsettled(unsettled)
	}
	return nil
}

// unsettled reports candidates that changed too fast.
func (c *comparison) unsettled(pending []*candidate) {
	for _, k := range pending {
		if len(c.result.Unsettled) < c.opt.Limit {
			c.result.Unsettled = append(c.result.Unsettled, c.keyText(k.key))
		} else {
			c.result.UnsettledMore++
		}
	}
}

// settleHot follows rows that change faster than a replica can be waited for, and drops those for which the replica
// shows a value that the master had meanwhile. It returns the others.
func (c *comparison) settleHot(ctx context.Context, pending []*candidate) ([]*candidate, error) {
	start := time.Now()
	for look := range hotLooks {
		if len(pending) == 0 || look >= hotLooksAtLeast && time.Since(start) > hotTime {
			break
		}
		if err := c.follow(ctx, pending); err != nil {
			return nil, err
		}
		var err error
		if pending, err = c.lookAgain(ctx, pending, func(k *candidate, replica, master state) bool {
			k.remember(master.value)
			return k.seen[replica.value]
		}); err != nil {
			return nil, err
		}
	}
	return pending, nil
}

// follow waits for the replica, and remembers the values that the master has until then: the replica shows one of
// them afterwards, or a later one.
func (c *comparison) follow(ctx context.Context, pending []*candidate) (err error) {
	caught := make(chan error, 1)
	go func() { caught <- c.catchUp(ctx) }()
	for {
		master, readErr := c.master.states(ctx, pending)
		if readErr != nil {
			return errors.Join(readErr, <-caught)
		}
		for i, k := range pending {
			k.remember(master[i].value)
		}
		select {
		case err := <-caught:
			return err
		default:
		}
	}
}

// lookAgain reads the candidates on the replica and then on the master and keeps those that are not equal.
func (c *comparison) lookAgain(ctx context.Context, pending []*candidate, equal func(k *candidate, replica, master state) bool) ([]*candidate, error) {
	replica, err := c.replica.states(ctx, pending)
	if err != nil {
		return nil, err
	}
	master, err := c.master.states(ctx, pending)
	if err != nil {
		return nil, err
	}
	kept := pending[:0]
	for i, k := range pending {
		if !equal(k, replica[i], master[i]) {
			kept = append(kept, k)
		}
	}
	return kept, nil
}

// confirm reports the candidates that are proven to differ and returns the others.
func (c *comparison) confirm(ctx context.Context, pending []*candidate) ([]*candidate, error) {
	var proven, rest []*candidate
	var oldest time.Time
	for _, k := range pending {
		if k.proofs < proofsNeeded {
			rest = append(rest, k)
			continue
		}
		proven = append(proven, k)
		if oldest.IsZero() || k.since.Before(oldest) {
			oldest = k.since
		}
	}
	if len(proven) == 0 {
		return rest, nil
	}
	stuck, err := c.master.stuckCommit(ctx, time.Since(oldest))
	if err != nil {
		return nil, err
	}
	if stuck {
		return pending, nil
	}
	again, err := c.report(ctx, proven)
	return append(rest, again...), err
}

// stuckCommit says whether a commit has waited for a synchronous standby all the time since age ago: replicas have
// it, and the master will not show it until the standby is back.
func (s *side) stuckCommit(ctx context.Context, age time.Duration) (stuck bool, err error) {
	err = s.conn.QueryRow(ctx, `
select exists (
    select
    from pg_stat_activity
    where wait_event = 'SyncRep'
    and state_change < clock_timestamp() - $1 * interval '1 millisecond'
)`, pgx.QueryExecModeExec, age.Milliseconds()).Scan(&stuck)
	if err != nil {
		return false, fmt.Errorf("look for commits that wait on %s: %w", s.name, err)
	}
	return stuck, nil
}

// A row version is known by its place and the transaction that made it: while the sum over a set of versions is the
// same, none of them has been updated or deleted. The inner select is fenced, or hashes would be computed twice.
const statesSQL = `
select ord, count(*), %s, sum(('x' || left(md5(version), 15))::bit(60)::bigint)::text
from (
    select k.ord, %s as h, concat_ws(' ', t.tableoid, t.ctid, t.xmin) as version
    from %s
    offset 0
) as found
group by ord`

// states reads what the side has for each candidate now, in the candidates' order.
func (s *side) states(ctx context.Context, candidates []*candidate) ([]state, error) {
	keys := make([][]string, len(candidates))
	for i, k := range candidates {
		keys[i] = k.key
	}
	value := `md5(string_agg(h, '' order by h collate "C"))`
	if len(s.key) == 0 {
		value = "count(*)::text"
	}
	sql := fmt.Sprintf(statesSQL, value, s.rowHash(), s.byKeysOrHashes())
	rows, err := s.query(ctx, sql, s.keyArgs(keys)...)
	if err != nil {
		return nil, fmt.Errorf("read differing rows of %s again: %w", s.name, err)
	}
	defer rows.Close()
	states := make([]state, len(candidates))
	for rows.Next() {
		var ord int64
		var st state
		if err := rows.Scan(&ord, &st.rows, &st.value, &st.version); err != nil {
			return nil, fmt.Errorf("read differing rows of %s again: %w", s.name, err)
		}
		states[ord-1] = st
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read differing rows of %s again: %w", s.name, err)
	}
	return states, nil
}
