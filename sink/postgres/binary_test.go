package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
)

func TestCanBeBinary(t *testing.T) {
	column := func(oid uint32) schema.Column { return schema.Column{TypeOID: oid} }
	generated := schema.Column{TypeOID: change.FirstUserOID, Generated: "s"}
	for _, c := range []struct {
		name     string
		columns  []schema.Column
		from, to string
		binary   bool
	}{
		{"built-in types", []schema.Column{column(pgtype.Int8OID), column(pgtype.TextArrayOID)}, "15", "15", true},
		{"one of a user", []schema.Column{column(pgtype.Int8OID), column(change.FirstUserOID)}, "15", "15", false},
		{"one whose text says more than its bytes", []schema.Column{column(pgtype.XMLOID)}, "15", "15", false},
		{"a generated column is not copied", []schema.Column{column(pgtype.Int8OID), generated}, "15", "15", true},
		{"other versions", []schema.Column{column(pgtype.Int8OID)}, "17", "15", false},
	} {
		if got := canBeBinary(&schema.Table{Columns: c.columns}, c.from, c.to); got != c.binary {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if canBeBinary(nil, "15", "15") {
		t.Error("a table that is not known can be")
	}
}
