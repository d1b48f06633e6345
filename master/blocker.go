package master

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Blocker is a transaction that something waits for.
type Blocker struct {
	PID      int32  // 0 for a prepared transaction
	GID      string // of a prepared transaction
	XID      string // empty when it has not written
	Database string
	User     string
	State    string
	Age      time.Duration // of the transaction
	Query    string        // its last statement, shortened
	Started  time.Time     // when that statement began
}

func (b Blocker) String() string {
	var s strings.Builder
	if b.PID == 0 {
		fmt.Fprintf(&s, "prepared transaction %q", b.GID)
	} else {
		fmt.Fprintf(&s, "pid %d", b.PID)
	}
	fmt.Fprintf(&s, " (%s@%s", b.User, b.Database)
	if b.XID != "" {
		fmt.Fprintf(&s, ", xid %s", b.XID)
	}
	fmt.Fprintf(&s, ", open for %s", b.Age.Round(time.Second))
	if b.State != "" {
		fmt.Fprintf(&s, ", %s", b.State)
	}
	if b.Query != "" {
		fmt.Fprintf(&s, ", since %s: %s", b.Started.Format("15:04:05"), b.Query)
	}
	s.WriteString(")")
	return s.String()
}

func describe(blockers []Blocker) string {
	const shown = 5
	list := make([]string, 0, shown+1)
	for i, b := range blockers {
		if i == shown {
			list = append(list, fmt.Sprintf("%d more", len(blockers)-shown))
			break
		}
		list = append(list, b.String())
	}
	return strings.Join(list, "; ")
}

const blockerColumns = `
	a.pid, '', coalesce(a.backend_xid::text, ''), coalesce(a.datname, ''), coalesce(a.usename, ''), coalesce(a.state, ''),
	coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::float8,
	left(regexp_replace(coalesce(a.query, ''), '[[:space:]]+', ' ', 'g'), 80), coalesce(a.query_start, a.backend_start, now())`

// writers are the transactions of the whole server that have written something, oldest first: a new
// slot waits for those that were running when it began.
func writers(ctx context.Context, conn *pgx.Conn) ([]Blocker, error) {
	return queryBlockers(ctx, conn, `
		select `+blockerColumns+`
		from pg_stat_activity a
		where a.backend_xid is not null and a.pid <> pg_backend_pid()
		union all
		select 0, gid, transaction::text, database, owner, 'prepared',
			extract(epoch from clock_timestamp() - prepared)::float8, '', prepared
		from pg_prepared_xacts
		order by 7 desc`)
}

// holders are the sessions that hold a lock on a table.
func holders(ctx context.Context, conn *pgx.Conn, table uint32) ([]Blocker, error) {
	return queryBlockers(ctx, conn, `
		select distinct on (a.pid) `+blockerColumns+`
		from pg_locks l
		join pg_stat_activity a on a.pid = l.pid
		where l.relation = $1 and l.granted and a.pid <> pg_backend_pid()
			and l.database = (select oid from pg_database where datname = current_database())`, table)
}

func queryBlockers(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]Blocker, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list blocking transactions: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Blocker, err error) {
		var seconds float64
		err = row.Scan(&b.PID, &b.GID, &b.XID, &b.Database, &b.User, &b.State, &seconds, &b.Query, &b.Started)
		b.Age = time.Duration(seconds * float64(time.Second))
		return b, err
	})
}
