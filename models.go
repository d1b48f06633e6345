package pgbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// SchemaAt is the schema that a model of the log describes.
type SchemaAt struct {
	Seq   int64           // of the block that it was asked for
	Sum   change.Checksum // of the model
	Model *schema.Model

	model  *change.Model
	target int // the major version of the server that it is rendered for; 0: that of the master
}

// ErrNoModel says that the log has no model as it was asked for.
var ErrNoModel = errors.New("there is no such model")

// Schema gives the model in force behind a block: where is the block's number, the beginning
// of a model's checksum, or empty for the end of the log. With replica it is that of the replica's position
// and log.
func (b *Bridge) Schema(ctx context.Context, replica, where string) (*SchemaAt, error) {
	conn, err := b.Connect(ctx, replica)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return b.schemaAt(ctx, conn, where)
}

func (b *Bridge) schemaAt(ctx context.Context, conn *pgx.Conn, where string) (*SchemaAt, error) {
	s := &SchemaAt{}
	if seq, err := strconv.ParseInt(where, 10, 64); err == nil && len(where) < 19 {
		var sum []byte
		err := conn.QueryRow(ctx, `select model from bridge.commit_block where seq = $1`, seq).Scan(&sum)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, fmt.Errorf("%w: block %d is not in the log", ErrNoModel, seq)
		}
		if err != nil {
			return nil, fmt.Errorf("look up block %d: %w", seq, err)
		}
		s.Seq = seq
		if s.Sum, err = change.ParseChecksum(sum); err != nil {
			return nil, err
		}
	} else if where != "" {
		rows, err := conn.Query(ctx, `select checksum, seq from bridge.model where starts_with(encode(checksum, 'hex'), $1) limit 2`, strings.ToLower(where))
		if err != nil {
			return nil, fmt.Errorf("look up model %s: %w", where, err)
		}
		var sum []byte
		n := 0
		if _, err := pgx.ForEachRow(rows, []any{&sum, &s.Seq}, func() (err error) {
			n++
			s.Sum, err = change.ParseChecksum(sum)
			return err
		}); err != nil {
			return nil, fmt.Errorf("look up model %s: %w", where, err)
		}
		switch n {
		case 0:
			return nil, fmt.Errorf("%w: no model's checksum begins with %s", ErrNoModel, where)
		case 2:
			return nil, fmt.Errorf("%w: the checksums of several begin with %s", ErrNoModel, where)
		}
	} else {
		head, sum, err := commitlog.Head(ctx, conn)
		if err != nil {
			return nil, err
		}
		s.Seq, s.Sum = head.Seq, sum
	}
	return s, b.render(ctx, conn, s, nil)
}

// render fills in the model.
func (b *Bridge) render(ctx context.Context, conn *pgx.Conn, s *SchemaAt, near *change.Model) (err error) {
	if s.model, err = commitlog.LoadModel(ctx, conn, s.Sum, near); err != nil {
		return err
	}
	if s.model.Entry(change.Address{}) == nil {
		return fmt.Errorf("%w: model %s does not know the schema yet, which comes with the first block behind bridge init", ErrNoModel, s.Sum)
	}
	s.Model, err = schema.FromCatalog(schema.CatalogOf(s.model), schema.Options{Table: b.Config.Master.Tables.Match, Target: s.target})
	return err
}

// SchemaOnReplica compares what a replica has in its database with the model that it
// is at: what was changed by hand. The replica's own objects are no difference.
func (b *Bridge) SchemaOnReplica(ctx context.Context, replica string) ([]schema.Drift, error) {
	conn, err := b.Connect(ctx, replica)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for look := 1; ; look++ {
		before, err := replicaSchema(ctx, conn, replica)
		if err != nil {
			return nil, err
		}
		from := conn
		if before.ahead { // the replica's log will have that model later
			if from, err = b.Connect(ctx, ""); err != nil {
				return nil, err
			}
			defer from.Close(context.WithoutCancel(ctx))
		}
		at := &SchemaAt{Sum: before.model, target: before.version}
		if err := b.render(ctx, from, at, nil); err != nil {
			return nil, err
		}
		drift, err := postgres.FindDrift(ctx, conn, at.Model, before.early, before.incomplete)
		after, againErr := replicaSchema(ctx, conn, replica)
		switch {
		case againErr != nil:
			return nil, againErr
		case err == nil && before == after:
			return drift, nil
		case look == 5 || ctx.Err() != nil:
			return nil, fmt.Errorf("replica %s: %w", replica, cmp.Or(err, errors.New("the schema changes all the time")))
		}
	}
}

// schemaState is what a replica's schema should be.
type schemaState struct {
	model                    change.Checksum
	version                  int // of the server
	ahead, early, incomplete bool
}

func replicaSchema(ctx context.Context, conn *pgx.Conn, replica string) (s schemaState, err error) {
	var sum []byte
	err = conn.QueryRow(ctx, `
		select coalesce(ahead, model), ahead is not null, current_setting('server_version_num')::int / 10000, reduced, exists (select from bridge.copy_table)
		from bridge.position`).Scan(&sum, &s.ahead, &s.version, &s.early, &s.incomplete)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, fmt.Errorf("replica %s has no log yet: bridge run copies it first", replica)
	}
	if err != nil {
		return s, logError(replica, err)
	}
	s.model, err = change.ParseChecksum(sum)
	return s, err
}

// SchemaAhead is the plan from the schema that a replica is at to that of the master's log.
func (b *Bridge) SchemaAhead(ctx context.Context, replica string) (schema.Steps, error) {
	from, err := b.Schema(ctx, replica, "")
	if err != nil {
		return schema.Steps{}, err
	}
	to, err := b.Schema(ctx, "", "")
	if err != nil {
		return schema.Steps{}, err
	}
	return schema.Plan(from.Model, to.Model)
}

// SchemaChange is a block that changed the schema.
type SchemaChange struct {
	Seq         int64           `json:"seq"`
	CommitTime  time.Time       `json:"commit_time"`
	XID         uint32          `json:"xid"`
	LSN         change.LSN      `json:"commit_lsn"`
	Model       change.Checksum `json:"model"`
	Differences []string        `json:"changes"`
}

// SchemaHistory lists the blocks of the log that changed the schema, the newest first, at most limit.
func (b *Bridge) SchemaHistory(ctx context.Context, limit int) ([]SchemaChange, error) {
	conn, err := b.Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `
		select seq, commit_time, xid, commit_lsn::text, model, before
		from (select seq, commit_time, xid, commit_lsn, model, lag(model) over (order by seq) as before from bridge.commit_block) b
		where model <> before
		order by seq desc`)
	if err != nil {
		return nil, fmt.Errorf("look for changes of the schema: %w", err)
	}
	type row struct {
		SchemaChange
		before change.Checksum
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c row, err error) {
		var xid int64
		var model, before []byte
		if err = r.Scan(&c.Seq, &c.CommitTime, &xid, &c.LSN, &model, &before); err != nil {
			return c, err
		}
		c.XID = uint32(xid)
		if c.Model, err = change.ParseChecksum(model); err == nil {
			c.before, err = change.ParseChecksum(before)
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for changes of the schema: %w", err)
	}
	var list []SchemaChange
	var near *change.Model
	for _, c := range found {
		if len(list) == limit {
			break
		}
		after, before := &SchemaAt{Sum: c.Model}, &SchemaAt{Sum: c.before}
		if err := b.render(ctx, conn, after, near); err != nil {
			return nil, err
		}
		if err := b.render(ctx, conn, before, after.model); errors.Is(err, ErrNoModel) {
			c.Differences = []string{"the schema is known from here on"}
			list = append(list, c.SchemaChange)
			continue
		} else if err != nil {
			return nil, err
		}
		near = before.model
		if before.model.SameSchema(after.model) {
			continue
		}
		c.Differences = SchemaDifferences(before.Model, after.Model)
		list = append(list, c.SchemaChange)
	}
	return list, nil
}

// SchemaDifferences tells in words what became of the objects of one schema in another. An object is
// the same as long as it lives, whatever it is called.
func SchemaDifferences(before, after *schema.Model) []string {
	type id struct {
		class, oid uint32
		kind       schema.Kind
		name       string // of what has no OID of its own
	}
	identify := func(o *schema.Object) id {
		if o.OID != 0 && o.Class != 0 {
			return id{o.Class, o.OID, o.Kind, ""}
		}
		return id{0, 0, o.Kind, o.String()}
	}
	old := map[id]*schema.Object{}
	for _, o := range before.Objects {
		if o.Definition != "" {
			old[identify(o)] = o
		}
	}
	var list []string
	for _, o := range after.Objects {
		if o.Definition == "" {
			continue
		}
		was := old[identify(o)]
		delete(old, identify(o))
		switch {
		case was == nil && o.Kind == schema.KindPrivileges: // comes with the object
		case was == nil:
			list = append(list, "+ "+o.String())
		case was.String() != o.String():
			list = append(list, "~ "+was.String()+" → "+o.String())
		case was.Definition != o.Definition:
			list = append(list, "~ "+o.String())
		}
	}
	for _, o := range before.Objects {
		if _, left := old[identify(o)]; left && o.Definition != "" && o.Kind != schema.KindPrivileges {
			list = append(list, "- "+o.String())
		}
	}
	return list
}
