package schema_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// catalogs are all that PostgreSQL 14 to 18 have, and what becomes of what they hold. Who adds one
// decides: it is read, or named in Model.NotCovered, or it is no matter of a replica's schema.
var catalogs = map[string]string{
	"pg_aggregate":             "read",
	"pg_am":                    "named",
	"pg_amop":                  "read: members of operator classes and families",
	"pg_amproc":                "read: members of operator classes and families",
	"pg_attrdef":               "read",
	"pg_attribute":             "read",
	"pg_cast":                  "read",
	"pg_class":                 "read: tables, indexes, views, sequences; foreign tables are named",
	"pg_collation":             "read",
	"pg_constraint":            "read",
	"pg_conversion":            "named",
	"pg_depend":                "read",
	"pg_description":           "read",
	"pg_enum":                  "read",
	"pg_event_trigger":         "named",
	"pg_extension":             "read",
	"pg_foreign_data_wrapper":  "named",
	"pg_foreign_server":        "named",
	"pg_foreign_table":         "named: by pg_class",
	"pg_index":                 "read",
	"pg_inherits":              "read",
	"pg_language":              "named",
	"pg_largeobject":           "named: by pg_largeobject_metadata",
	"pg_largeobject_metadata":  "named",
	"pg_namespace":             "read",
	"pg_default_acl":           "read",
	"pg_opclass":               "read",
	"pg_operator":              "read",
	"pg_opfamily":              "read",
	"pg_partitioned_table":     "read: by pg_get_partkeydef",
	"pg_policy":                "read",
	"pg_proc":                  "read",
	"pg_publication":           "named",
	"pg_publication_namespace": "named: by pg_publication",
	"pg_publication_rel":       "named: by pg_publication",
	"pg_range":                 "read",
	"pg_rewrite":               "read",
	"pg_seclabel":              "named",
	"pg_sequence":              "read",
	"pg_statistic_ext":         "read",
	"pg_subscription":          "named",
	"pg_subscription_rel":      "named: by pg_subscription",
	"pg_transform":             "named",
	"pg_trigger":               "read",
	"pg_ts_config":             "read",
	"pg_ts_config_map":         "read",
	"pg_ts_dict":               "read",
	"pg_ts_parser":             "read",
	"pg_ts_template":           "read",
	"pg_type":                  "read; base types are named",
	"pg_user_mapping":          "named",

	"pg_statistic":          "no schema: what ANALYZE found",
	"pg_statistic_ext_data": "no schema: what ANALYZE found",

	"pg_init_privs": "privileges that extensions come with",

	"pg_auth_members":       "the server's: roles",
	"pg_authid":             "the server's: roles",
	"pg_database":           "the server's",
	"pg_db_role_setting":    "the server's: settings",
	"pg_parameter_acl":      "the server's: privileges",
	"pg_replication_origin": "the server's: replication",
	"pg_shdepend":           "the server's",
	"pg_shdescription":      "the server's: comments on databases, roles and tablespaces",
	"pg_shseclabel":         "the server's: labels of databases, roles and tablespaces",
	"pg_tablespace":         "the server's",
}

func TestEveryCatalogIsDecidedUpon(t *testing.T) {
	for _, major := range pgtest.Versions(t) {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, major)))
			rows, err := conn.Query(t.Context(), `select relname::text from pg_class where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace order by 1`)
			if err != nil {
				t.Fatal(err)
			}
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if catalogs[name] == "" {
					t.Errorf("PostgreSQL %d has catalog %s: is what it holds read, named, or no matter of a replica's schema?", major, name)
				}
			}
			if major == wording && !slices.Contains(names, "pg_class") {
				t.Error("the catalogs are not listed")
			}
		})
	}
}
