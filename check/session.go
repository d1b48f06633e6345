package check

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Everything that changes the text of a value, or cuts a long statement short. A setting that a server does not have
// (transaction_timeout came with 17) is passed over.
const pinSQL = `
select set_config(v.name, v.value, false)
from (values
    ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'),
    ('TimeZone', 'UTC'),
    ('extra_float_digits', '3'),
    ('bytea_output', 'hex'),
    ('lc_monetary', 'C'),
    ('quote_all_identifiers', 'off'),
    ('search_path', ''),
    ('client_encoding', case current_setting('server_encoding') when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end),
    ('row_security', 'off'),
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_read_only', 'on'),
    ('statement_timeout', '0'),
    ('lock_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', '0'),
    ('transaction_timeout', '0')
) as v(name, value)
where current_setting(v.name, true) is not null`

// Pin sets what a connection needs for Tables and Data: one text for every value whatever the defaults of server,
// database and role, no time limits, read only, and an error rather than fewer rows where row security would hide
// some. It lasts as long as the session.
func Pin(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, pinSQL, pgx.QueryExecModeExec); err != nil {
		return fmt.Errorf("pin session settings: %w", err)
	}
	return nil
}
