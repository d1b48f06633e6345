package master

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sql"
)

// Print is the SQL that Init runs, as a script for psql. What Init does beside it, checking and waiting,
// stands in comments.
func Print(o Options) string {
	o = o.withDefaults()
	publication := pgx.Identifier{o.Publication}.Sanitize()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("-- What bridge init does on the master. It needs wal_level = logical.")
	line("-- Everything is in schema bridge, or is publication %s, replication slot %s,", o.Publication, o.Slot)
	line("-- or one of the event triggers bridge_ddl, bridge_drop, bridge_alter and bridge_rewrite.")
	line("")
	line("set search_path = pg_catalog, pg_temp;")
	line("set standard_conforming_strings = on;")
	line("set lock_timeout = '2s';")
	line("")
	line("begin;")
	line("")
	line("%s", strings.TrimSpace(sql.Log))
	line("")
	line("%s", strings.TrimSpace(sql.Master))
	line("")
	line("%s;", schema.CaptureFunctions())
	line("")
	line("%s", strings.TrimSpace(sql.Capture))
	line("%s;", storeVersion)
	line("%s;", strings.NewReplacer("$1", literal(o.Slot), "$2", literal(o.Publication), "$3", array(o.Include), "$4", array(o.Exclude)).Replace(storeSettings))
	line("%s;", forgetDropped)
	line("")
	line("-- If it is not there yet. Never for all tables: statements on tables without a key would fail.")
	line("create publication %s with (%s);", publication, publishesAll)
	line("")
	line("-- Needs a superuser; without one, tables made later are replicated after another init.")
	line("select bridge.install_triggers();")
	line("")
	line("commit;")
	line("")
	line("-- A transaction for each table, so that nobody waits for more than one. These are the tables:")
	line("%s;", toDo)
	line("do $$")
	line("declare")
	line("  table_id oid;")
	line("begin")
	line("  foreach table_id in array array(select relid from bridge.table_to_do order by schema_name, table_name) loop")
	line("    perform bridge.publish(table_id);")
	line("    commit;")
	line("  end loop;")
	line("end")
	line("$$;")
	line("")
	line("-- If it is not there yet. It waits for the transactions that are open.")
	line("select pg_create_logical_replication_slot(%s, 'pgoutput');", literal(o.Slot))
	line("")
	line("-- Last of all, bridge init writes where the log begins into bridge.epoch, with the model of the")
	line("-- published tables: the tap does not start without it, so run bridge init after this script.")
	return b.String()
}

// literal is a string constant under standard_conforming_strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func array(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = literal(s)
	}
	return "array[" + strings.Join(quoted, ", ") + "]::text[]"
}
