package master

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Severity says how bad a finding is.
type Severity string

const (
	OK      Severity = "ok"
	Warning Severity = "warning" // it works, with a limit or a cost that one should know
	Error   Severity = "error"   // it does not work
)

// Finding is what a check found.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`
	Detail   string   `json:"detail"`
	Remedy   string   `json:"remedy,omitempty"` // what to do about it
}

// check is one question. It may find nothing worth telling.
type check struct {
	name string
	ask  func(context.Context) ([]Finding, error)
}

// doctor examines one server, in a transaction that is rolled back.
type doctor struct {
	conn    *pgx.Conn
	tx      pgx.Tx // on conn
	o       Options
	found   *found
	release string // server_version
	super   bool
	tables  []candidate
}

// Doctor checks whether Init can do its work, and when it has, whether all is as it left it. It changes
// nothing. That something is wrong with the master is a finding; an error means that it could not be asked.
func Doctor(ctx context.Context, conn *pgx.Conn, o Options) ([]Finding, error) {
	d := &doctor{conn: conn, o: o.withDefaults()}
	return d.examine(ctx, []check{
		{"version", d.checkVersion},
		{"known bugs", d.checkBugs},
		{"encoding", d.checkEncoding},
		{"wal_level", d.checkWALLevel},
		{"role", d.checkRole},
		{"installation", d.checkInstallation},
		{"event triggers", d.checkTriggers},
		{"slot", d.checkSlot},
		{"capacity", d.checkCapacity},
		{"retained WAL", d.checkRetention},
		{"open transactions", d.checkTransactions},
		{"wal_sender_timeout", d.checkSenderTimeout},
		{"logical_decoding_work_mem", d.checkDecodingMemory},
		{"ownership", d.checkOwnership},
		{"keys", d.checkKeys},
		{"publication", d.checkPublication},
		{"not replicated", d.checkNotReplicated},
	})
}

// DoctorReplica checks whether a database can be a replica. Like Doctor, it changes nothing.
func DoctorReplica(ctx context.Context, conn *pgx.Conn) ([]Finding, error) {
	d := &doctor{conn: conn, o: Options{}.withDefaults()}
	return d.examine(ctx, []check{
		{"version", d.checkVersion},
		{"encoding", d.checkEncoding},
		{"writable", d.checkWritable},
		{"session_replication_role", d.checkReplicationRole},
		{"role", d.checkReplicaRole},
		{"installation", d.checkReplicaInstallation},
	})
}

func (d *doctor) examine(ctx context.Context, checks []check) ([]Finding, error) {
	tx, err := d.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("examine the server: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // nothing was changed
	d.tx = tx
	if _, err := tx.Exec(ctx, `set local search_path = pg_catalog, pg_temp; set local statement_timeout = '60s'; set local lock_timeout = '5s'`); err != nil {
		return nil, fmt.Errorf("examine the server: %w", err)
	}
	err = tx.QueryRow(ctx, `
		select current_setting('server_version'), rolsuper
		from pg_roles
		where rolname = current_user`).Scan(&d.release, &d.super)
	if err != nil {
		return nil, fmt.Errorf("examine the server: %w", err)
	}
	if d.found, err = look(ctx, d.conn, d.o); err != nil {
		return nil, err
	}
	var findings []Finding
	for _, c := range checks {
		var some []Finding
		err := pgx.BeginFunc(ctx, tx, func(pgx.Tx) (err error) {
			some, err = c.ask(ctx)
			return err
		})
		if err != nil {
			if ctx.Err() != nil || d.conn.IsClosed() {
				return findings, fmt.Errorf("check %s: %w", c.name, err)
			}
			some = []Finding{{Severity: Warning, Detail: "could not be checked: " + err.Error()}}
		}
		for _, f := range some {
			f.Check = c.name
			findings = append(findings, f)
		}
	}
	return findings, nil
}

func tell(s Severity, detail, remedy string) ([]Finding, error) {
	return []Finding{{Severity: s, Detail: detail, Remedy: remedy}}, nil
}

func fine(format string, args ...any) ([]Finding, error) {
	return tell(OK, fmt.Sprintf(format, args...), "")
}

func (d *doctor) checkVersion(context.Context) ([]Finding, error) {
	switch major := d.found.serverVersion / 10000; {
	case major < 14:
		return tell(Error, "PostgreSQL "+d.release+" is too old", "upgrade to PostgreSQL 14 or later")
	case major > 18:
		return tell(Warning, "PostgreSQL "+d.release+" is newer than what this bridge was tested with", "look for a newer bridge")
	}
	return fine("PostgreSQL %s", d.release)
}

// publicationFix is the minor version of each major that no longer loses changes of a transaction that was
// open when its table was added to a publication (commit "Fix data loss in logical replication", 2025).
var publicationFix = map[int]int{14: 18, 15: 13, 16: 9, 17: 5}

func (d *doctor) checkBugs(context.Context) ([]Finding, error) {
	major, minor := d.found.serverVersion/10000, d.found.serverVersion%10000
	if fixed, ok := publicationFix[major]; ok && minor < fixed {
		return tell(Warning,
			fmt.Sprintf("PostgreSQL %s can lose the changes of a transaction that was open when its table was published by another", d.release),
			fmt.Sprintf("update to %d.%d or later", major, fixed))
	}
	return nil, nil
}

func (d *doctor) checkEncoding(ctx context.Context) ([]Finding, error) {
	var encoding string
	if err := d.tx.QueryRow(ctx, `select getdatabaseencoding()`).Scan(&encoding); err != nil {
		return nil, err
	}
	switch encoding {
	case "UTF8":
		return fine("UTF8")
	case "SQL_ASCII", "MULE_INTERNAL":
		return tell(Error, "the database's encoding is "+encoding+", so its text has no known meaning", "move it into a database with encoding UTF8")
	}
	return tell(Warning, "the database's encoding is "+encoding+"; text is carried as UTF8", "let master and replicas have the same encoding, best UTF8")
}

func (d *doctor) checkWALLevel(context.Context) ([]Finding, error) {
	if d.found.recovery {
		return tell(Error, "the server is a standby", "give the address of the primary")
	}
	if d.found.walLevel != "logical" {
		return tell(Error, "wal_level is "+d.found.walLevel, "alter system set wal_level = logical; then restart the master")
	}
	return fine("logical")
}

func (d *doctor) checkRole(ctx context.Context) ([]Finding, error) {
	var name string
	var replication, create bool
	err := d.tx.QueryRow(ctx, `
		select rolname, rolreplication, has_database_privilege(current_database(), 'create')
		from pg_roles
		where rolname = current_user`).Scan(&name, &replication, &create)
	if err != nil {
		return nil, err
	}
	if d.super {
		return fine("%s is a superuser", name)
	}
	var list []Finding
	quoted := pgx.Identifier{name}.Sanitize()
	if !replication {
		list = append(list, Finding{Severity: Error, Detail: name + " may not use replication slots",
			Remedy: "as a superuser: alter role " + quoted + " replication"})
	}
	if !create {
		list = append(list, Finding{Severity: Error, Detail: name + " may not create a schema and a publication",
			Remedy: "grant create on database " + pgx.Identifier{d.conn.Config().Database}.Sanitize() + " to " + quoted})
	}
	if len(list) > 0 {
		return list, nil
	}
	return fine("%s has replication, and may create schema and publication", name)
}

func (d *doctor) checkInstallation(ctx context.Context) ([]Finding, error) {
	if err := d.found.refuseInstallation(d.o); err != nil {
		return tell(Error, err.Error(), "")
	}
	switch {
	case d.found.version == 0:
		return fine("bridge init has not run yet")
	case !d.found.anchored:
		return tell(Warning, "bridge init has not come to its end: the log has no beginning", "run bridge init")
	}
	return fine("version %d", d.found.version)
}

// withoutTriggers is what to expect where the event triggers can not be.
const withoutTriggers = "tables made later are replicated only after another bridge init, and until then update and delete fail on a table that lost its primary key"

func (d *doctor) checkTriggers(ctx context.Context) ([]Finding, error) {
	var off bool
	if err := d.tx.QueryRow(ctx, `select coalesce(current_setting('event_triggers', true) = 'off', false)`).Scan(&off); err != nil {
		return nil, err
	}
	if off {
		return tell(Warning, "event_triggers is off: "+withoutTriggers, "set event_triggers to on")
	}
	if d.found.version == 0 {
		if !d.super {
			return tell(Warning, "event triggers need a superuser; without them "+withoutTriggers,
				"let a superuser run bridge init, or run it after each change of the schema")
		}
		return fine("can be created")
	}
	rows, err := d.tx.Query(ctx, `
		select w.name || case when e.evtname is null then ' is missing' else ' is not enabled always' end
		from unnest(array['bridge_ddl', 'bridge_drop', 'bridge_alter', 'bridge_rewrite']) as w (name)
		left join pg_event_trigger e on e.evtname = w.name
		where e.evtenabled is distinct from 'A'`)
	if err != nil {
		return nil, err
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return tell(Warning, strings.Join(wrong, ", ")+": "+withoutTriggers, "run bridge init as a superuser")
	}
	return fine("enabled")
}

func (d *doctor) checkWritable(ctx context.Context) ([]Finding, error) {
	if d.found.recovery {
		return tell(Error, "the server is a physical standby, which takes no writes", "give a server of its own, or promote it")
	}
	return nil, nil
}

func (d *doctor) checkReplicationRole(ctx context.Context) ([]Finding, error) {
	// In a subtransaction, which is rolled back by the error that is returned.
	errRollback := errors.New("done")
	err := pgx.BeginFunc(ctx, d.tx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local session_replication_role = replica`); err != nil {
			return err
		}
		return errRollback
	})
	switch {
	case errors.Is(err, errRollback):
		return fine("may be set")
	case !hasCode(err, codeInsufficientPrivilege):
		return nil, err
	}
	remedy := "connect as a superuser"
	if d.found.serverVersion >= 150000 {
		remedy = "as a superuser: grant set on parameter session_replication_role to " + pgx.Identifier{d.conn.Config().User}.Sanitize()
	}
	return tell(Error, "session_replication_role may not be set, so triggers and foreign keys would work a second time", remedy)
}

func (d *doctor) checkReplicaRole(ctx context.Context) ([]Finding, error) {
	var create bool
	if err := d.tx.QueryRow(ctx, `select has_database_privilege(current_database(), 'create')`).Scan(&create); err != nil {
		return nil, err
	}
	if !create {
		return tell(Error, "the role may not create schemas", fmt.Sprintf("grant create on database %s to %s",
			pgx.Identifier{d.conn.Config().Database}.Sanitize(), pgx.Identifier{d.conn.Config().User}.Sanitize()))
	}
	return fine("may create schemas")
}

func (d *doctor) checkReplicaInstallation(ctx context.Context) ([]Finding, error) {
	switch {
	case !d.found.replica && d.found.slotName != "":
		return tell(Error, "this database is a master", "give the address of another database, or run bridge drop")
	case d.found.version > Version:
		return tell(Error, fmt.Sprintf("schema bridge is of version %d, this program knows %d", d.found.version, Version), "use a newer bridge")
	case !d.found.replica && d.found.version == 0 && len(d.found.foreign) > 0:
		return tell(Error, fmt.Sprintf("there is a schema bridge that is not ours (it holds %q)", d.found.foreign), "rename it, the name is needed")
	case d.found.replica:
		return fine("is a replica already")
	}
	return fine("not a replica yet")
}
