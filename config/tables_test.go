package config

import "testing"

func TestTablesMatch(t *testing.T) {
	tests := []struct {
		name             string
		include, exclude []string
		schema, table    string
		want             bool
	}{
		{name: "the zero value is every table", schema: "sales", table: "orders", want: true},
		{name: "a star is every schema", include: []string{"*"}, schema: "sales", table: "orders", want: true},
		{name: "a star is not the catalog", include: []string{"*"}, schema: "pg_catalog", table: "pg_class"},
		{name: "a star is not the information schema", include: []string{"*"}, schema: "information_schema", table: "tables"},
		{name: "a star is not temporary tables", include: []string{"*"}, schema: "pg_temp_3", table: "t"},
		{name: "a star is not our own schema", include: []string{"*"}, schema: "bridge", table: "commit_block"},
		{name: "our own schema can not be asked for", include: []string{"bridge.*"}, schema: "bridge", table: "commit_block"},
		{name: "a schema's tables", include: []string{"sales.*"}, schema: "sales", table: "orders", want: true},
		{name: "a schema's tables are not another's", include: []string{"sales.*"}, schema: "sales2", table: "orders"},
		{name: "a name alone is in public", include: []string{"orders"}, schema: "public", table: "orders", want: true},
		{name: "a name alone is in no other schema", include: []string{"orders"}, schema: "sales", table: "orders"},
		{name: "wildcards alone are in public", include: []string{"ord*"}, schema: "public", table: "orders", want: true},
		{name: "a table of any schema", include: []string{"*.orders"}, schema: "sales", table: "orders", want: true},
		{name: "a question mark is one character", include: []string{"a.t_?"}, schema: "a", table: "t_ß", want: true},
		{name: "a question mark is not two", include: []string{"a.t_?"}, schema: "a", table: "t_12"},
		{name: "a question mark is not none", include: []string{"a.t_?"}, schema: "a", table: "t_"},
		{name: "case counts", include: []string{"a.Orders"}, schema: "a", table: "orders"},
		{name: "a star goes back", include: []string{"a.*b*c"}, schema: "a", table: "xbxcxbxc", want: true},
		{name: "a star goes back in vain", include: []string{"a.*b*c"}, schema: "a", table: "xbxcx"},
		{name: "the first dot separates", include: []string{"a.b.c"}, schema: "a", table: "b.c", want: true},
		{name: "brackets are themselves", include: []string{"a.[x]"}, schema: "a", table: "[x]", want: true},
		{name: "exclude wins", include: []string{"*"}, exclude: []string{"*.audit"}, schema: "sales", table: "audit"},
		{name: "exclude alone leaves the rest", exclude: []string{"*.audit"}, schema: "sales", table: "orders", want: true},
		{name: "one of several", include: []string{"x", "sales.orders"}, schema: "sales", table: "orders", want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Tables{Include: tt.include, Exclude: tt.exclude}.Match(tt.schema, tt.table)
			if got != tt.want {
				t.Errorf("Match(%s, %s)=%v, want %v", tt.schema, tt.table, got, tt.want)
			}
		})
	}
}
