package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/sink"
)

// storedBytes is how much of a large block's stored parts waits for the COPY to end.
const storedBytes = 8 << 20

// keep notes a part of a large block for the replica's own log.
func (r *run) keep(b *commitlog.Block, part int32, stored []byte) error {
	r.parts = append(r.parts, storedPart{part, stored})
	size := 0
	for _, p := range r.parts {
		size += len(p.stored)
	}
	if size < storedBytes {
		return nil
	}
	return r.storeParts(b)
}

type storedPart struct {
	part   int32
	stored []byte
}

// large applies the parts of a large block as they come; memory holds a few at a time.
func (r *run) large(w *sink.Window) error {
	b := &w.Blocks[0].Block
	w.StoredParts = func(part int32, stored []byte) error { return r.keep(b, part, stored) }
	r.bulk = !r.inOrder
	err := w.Parts(r.ctx, func(content []byte) error {
		if err := r.changes(b, content); err != nil {
			return err
		}
		if r.pouring != nil {
			return nil // nothing else is gathered
		}
		if err := r.flush(); err != nil {
			return err
		}
		// The content is the puller's again.
		r.batches, r.order = map[*table]*batch{}, nil
		r.values.reset()
		return r.flight.land()
	})
	if err != nil {
		return err
	}
	return r.storeParts(b)
}

// storeParts stores the parts that wait for it.
func (r *run) storeParts(b *commitlog.Block) error {
	if err := r.poured(); err != nil {
		return err
	}
	for _, p := range r.parts {
		r.flight.execIn([]int16{0, 0, 1}, `insert into bridge.commit_part (seq, part, payload) values ($1, $2, $3)`,
			[]uint32{pgtype.Int8OID, pgtype.Int4OID, pgtype.ByteaOID}, [][]byte{fmt.Append(nil, b.Seq), fmt.Append(nil, p.part), p.stored}, nil, nil)
	}
	r.parts = r.parts[:0]
	return r.flight.land()
}
