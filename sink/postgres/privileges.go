package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/schema"
)

// Owners and privileges
//
// They come with the schema, as those of roles by their names. Which roles there are is the
// replica's own affair: what needs a role that it has not, or what the role that applies
// may not do, is left out, and the log says so. An object whose owner is missing belongs to
// the role that applies; what its owner has granted is granted by that one.

// isPrivileges says whether an object is one whose statements can be left out.
func isPrivileges(o *schema.Object) bool {
	return o.Kind == schema.KindPrivileges || o.Kind == schema.KindDefaultPrivileges
}

// roles is what is known of roles while a plan is carried out.
type roles struct {
	usable map[string]bool // false: the role that applies has not its privileges
	told   map[string]bool // what the log has said
}

// findRoles looks up those that are named.
func (t *Target) findRoles(ctx context.Context, names []string) (*roles, error) {
	found := &roles{map[string]bool{}, map[string]bool{}}
	if len(names) == 0 {
		return found, nil
	}
	rows, err := t.conn.Query(ctx, `select r.rolname::text, pg_catalog.pg_has_role(r.oid, 'usage') from pg_catalog.pg_roles r where r.rolname = any ($1::text[])`, names)
	if err != nil {
		return nil, t.wrap("look up roles", err)
	}
	var name string
	var usable bool
	_, err = pgx.ForEachRow(rows, []any{&name, &usable}, func() error {
		found.usable[name] = usable
		return nil
	})
	return found, t.wrap("look up roles", err)
}

// say warns, once for each reason.
func (f *roles) say(t *Target, reason string, about ...any) {
	if !f.told[reason] {
		f.told[reason] = true
		t.o.Log.Warn(reason, append([]any{"replica", t.o.Name}, about...)...)
	}
}

// setPrivileges executes a statement on owners or privileges within the open transaction,
// if it can be. inSchema is the object's schema, if it has one.
func (t *Target) setPrivileges(ctx context.Context, object, inSchema, sql string, needed []string, known *roles) error {
	for _, name := range needed {
		if _, there := known.usable[name]; !there {
			known.say(t, "role "+schema.Quote(name)+" is not there: what it owns or may do is left out", "object", object)
			return nil
		}
	}
	if strings.HasPrefix(sql, "alter ") && strings.Contains(sql, " owner to ") && !known.usable[needed[0]] {
		// It could be given away, and not be written to any more.
		known.say(t, "the role that applies has not the privileges of role "+schema.Quote(needed[0])+": what that one owns stays its own", "object", object)
		return nil
	}
	attempts := []string{sql}
	if strings.HasPrefix(sql, "set local role ") && inSchema != "" {
		// Who grants has to find the object, and may get what it needs for that later in the log.
		usage := " usage on schema " + schema.Quote(inSchema)
		grantor := schema.Quote(needed[len(needed)-1])
		attempts = append(attempts, "grant"+usage+" to "+grantor+"; "+sql+"; revoke"+usage+" from "+grantor)
	}
	var err error
	for _, sql := range attempts {
		_, err = t.conn.Exec(ctx, "savepoint bridge_privileges; "+sql+"; release savepoint bridge_privileges", pgx.QueryExecModeSimpleProtocol)
		if !forbidden(err) {
			return err
		}
		if _, err := t.conn.Exec(ctx, "rollback to savepoint bridge_privileges; release savepoint bridge_privileges", pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	t.o.Log.Warn("privileges are left out", "replica", t.o.Name, "object", object, "statement", sql, "reason", err)
	return nil
}

// forbidden says whether a statement on privileges failed for what the role that executes it, or the grantor, may do.
func forbidden(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "42501", "0LP01", "0L000", "0P000", "42704", "2BP01": // not allowed, no such role any more, something rests on it
		return true
	}
	return false
}

// findDefaults sets, before a plan is made, whether the role that applies has default
// privileges of its own: the objects that it makes shall not keep them.
func (t *Target) findDefaults(ctx context.Context) error {
	var own bool
	if err := t.conn.QueryRow(ctx, `select exists (select from pg_catalog.pg_default_acl where defaclrole = (select oid from pg_catalog.pg_roles where rolname = current_user))`).Scan(&own); err != nil {
		return t.wrap("look up default privileges", err)
	}
	if own != t.ownDefaults {
		t.ownDefaults = own
		t.schemas = schemas{}
	}
	return nil
}
