package check

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// add reports a difference, or counts it when there are enough.
func (c *comparison) add(d Difference) {
	if len(c.result.Differences) >= c.opt.Limit {
		c.result.More++
		return
	}
	d.Table = c.table.String()
	c.result.Differences = append(c.result.Differences, d)
}

// found is a row as one side has it, with its values as literals. Values and text are cut to longestRead characters;
// hashes tell those apart that begin alike.
type found struct {
	rows   int64
	text   string
	values []string
	hashes []string
	value  string // as in state
}

const longestRead = 2000

// report reads the values of candidates that differ and reports them. It returns those that have changed since,
// which are to be looked at again.
func (c *comparison) report(ctx context.Context, proven []*candidate) (again []*candidate, err error) {
	room := min(max(c.opt.Limit-len(c.result.Differences), 0), len(proven))
	c.result.More += int64(len(proven) - room)
	proven = proven[:room]
	if room == 0 {
		return nil, nil
	}
	master, err := c.master.values(ctx, proven)
	if err != nil {
		return nil, err
	}
	replica, err := c.replica.values(ctx, proven)
	if err != nil {
		return nil, err
	}
	for i, k := range proven {
		m, r := master[i], replica[i]
		if m.value != k.master.value || r.value != k.replica.value {
			k.proofs = 0
			again = append(again, k)
			continue
		}
		c.add(c.difference(k, m, r))
	}
	return again, nil
}

func (c *comparison) difference(k *candidate, m, r found) Difference {
	d := Difference{Key: c.keyText(k.key), What: Differs}
	switch {
	case r.rows == 0:
		d.What = MissingRow
	case m.rows == 0:
		d.What = OnlyOnReplica
	}
	if len(c.master.key) == 0 {
		text := m.text
		if m.rows == 0 {
			text = r.text
		}
		d.Key = shorten(text, 100)
		d.Master, d.Replica = fmt.Sprintf("%d×", m.rows), fmt.Sprintf("%d×", r.rows)
		return d
	}
	switch {
	case d.What == MissingRow:
		d.Master = shorten(m.text, 100)
	case d.What == OnlyOnReplica:
		d.Replica = shorten(r.text, 100)
	case m.rows != 1 || r.rows != 1:
		d.Master, d.Replica = fmt.Sprintf("%d×", m.rows), fmt.Sprintf("%d×", r.rows)
	default:
		var mv, rv []string
		for i, col := range c.master.columns {
			if m.hashes[i] == r.hashes[i] {
				continue
			}
			a, b := window(bare(m.values[i], col), bare(r.values[i], c.replica.columns[i]), 40)
			d.Columns = append(d.Columns, col.name)
			mv, rv = append(mv, a), append(rv, b)
		}
		d.Master, d.Replica = shorten(strings.Join(mv, ", "), 200), shorten(strings.Join(rv, ", "), 200)
	}
	return d
}

// values reads the rows of candidates.
func (s *side) values(ctx context.Context, candidates []*candidate) ([]found, error) {
	keys := make([][]string, len(candidates))
	for i, k := range candidates {
		keys[i] = k.key
	}
	literal := func(c column) string { return "format('%L', " + ref(c) + ")" }
	short := func(c column) string { return fmt.Sprintf("left(%s, %d) collate \"C\"", literal(c), longestRead) }
	hash := func(c column) string { return s.hash(literal(c)) }
	sql := fmt.Sprintf("select k.ord, %s collate \"C\", left(%s, %d), %s::text[], %s::text[]\nfrom %s\norder by 1, 2",
		s.rowHash(), rowText(s.columns), longestRead, array(s.columns, short), array(s.columns, hash), s.byKeysOrHashes())
	if len(s.key) == 0 {
		sql = fmt.Sprintf("select k.ord, count(*)::text, min(left(%s, %d) collate \"C\"), '{}'::text[], '{}'::text[]\nfrom %s\ngroup by 1",
			rowText(s.columns), longestRead, s.byKeysOrHashes())
	}
	rows, err := s.query(ctx, sql, s.keyArgs(keys)...)
	if err != nil {
		return nil, fmt.Errorf("read values of %s: %w", s.name, err)
	}
	defer rows.Close()
	all := make([]found, len(candidates))
	hashes := make([][]string, len(candidates))
	for rows.Next() {
		var ord int64
		var hash string
		var f found
		if err := rows.Scan(&ord, &hash, &f.text, &f.values, &f.hashes); err != nil {
			return nil, fmt.Errorf("read values of %s: %w", s.name, err)
		}
		i := ord - 1
		if len(s.key) == 0 {
			f.value = hash
			if _, err := fmt.Sscan(hash, &f.rows); err != nil {
				return nil, fmt.Errorf("read values of %s: %w", s.name, err)
			}
			all[i] = f
			continue
		}
		hashes[i] = append(hashes[i], hash)
		f.rows, f.value = int64(len(hashes[i])), digestOf(hashes[i]...)
		all[i] = f
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read values of %s: %w", s.name, err)
	}
	return all, nil
}

// keyText writes a key for people: id=17, or (a=1, b='x').
func (c *comparison) keyText(key []string) string {
	if len(c.master.key) == 0 {
		return "row with md5 " + key[0]
	}
	parts := make([]string, len(key))
	for i, col := range c.master.key {
		value := key[i]
		if !col.bare() {
			value = quote(value)
		}
		parts[i] = col.name + "=" + shorten(value, 100)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + list(parts) + ")"
}

// bare takes the quotes off the literal of a number or a boolean.
func bare(literal string, col column) string {
	if literal == "NULL" {
		return "null"
	}
	if col.bare() {
		return strings.Trim(literal, "'")
	}
	return literal
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func list(s []string) string { return strings.Join(s, ", ") }

// shorten cuts s to about n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

// window shortens two values to about n characters each, around the place where they begin to differ.
func window(a, b string, n int) (string, string) {
	x, y := []rune(a), []rune(b)
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	from := 0
	if same > n/2 && (len(x) > n || len(y) > n) {
		from = same - n/4
	}
	cut := func(r []rune) string {
		head, tail := "", ""
		r = r[from:]
		if from > 0 {
			head = "…"
		}
		if len(r) > n {
			r, tail = r[:n], "…"
		}
		return head + string(r) + tail
	}
	return cut(x), cut(y)
}
