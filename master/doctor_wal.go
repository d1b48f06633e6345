package master

import (
	"context"
	"fmt"
	"time"
)

func (d *doctor) checkSlot(ctx context.Context) ([]Finding, error) {
	if err := d.found.refuseSlot(d.o); err != nil {
		return tell(Error, err.Error(), "")
	}
	s := d.found.slot
	if s == nil {
		if d.found.version > 0 {
			return tell(Error, "replication slot "+d.o.Slot+" is missing", "run bridge init")
		}
		return fine("%s can be created", d.o.Slot)
	}
	var retained int64
	var safe *int64
	err := d.tx.QueryRow(ctx, `
		select case when pg_is_in_recovery() then 0 else coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) end::bigint, safe_wal_size
		from pg_replication_slots
		where slot_name = $1`, d.o.Slot).Scan(&retained, &safe)
	if err != nil {
		return nil, err
	}
	state := fmt.Sprintf("slot %s is %s and keeps %s of WAL", d.o.Slot, s.walStatus, size(retained))
	if safe != nil && *safe >= 0 {
		state += fmt.Sprintf("; %s more and it is lost", size(*safe))
	}
	switch s.walStatus {
	case "lost":
		return tell(Error, "slot "+d.o.Slot+" has lost the WAL that it needs", "run bridge init")
	case "unreserved":
		return tell(Warning, state, "start bridge run before the next checkpoint takes the WAL away")
	case "extended":
		return tell(Warning, state, "start bridge run, or find out why it does not keep up")
	}
	return fine("%s", state)
}

func (d *doctor) checkCapacity(ctx context.Context) ([]Finding, error) {
	var slots, maxSlots, senders, maxSenders int
	var libraries *string
	err := d.tx.QueryRow(ctx, `
		select (select count(*) from pg_replication_slots), current_setting('max_replication_slots')::integer,
			(select count(*) from pg_stat_get_wal_senders()), current_setting('max_wal_senders')::integer,
			current_setting('output_plugin_libraries', true)`).Scan(&slots, &maxSlots, &senders, &maxSenders, &libraries)
	if err != nil {
		return nil, err
	}
	var list []Finding
	if d.found.slot == nil && slots >= maxSlots {
		list = append(list, Finding{Severity: Error, Detail: fmt.Sprintf("all %d replication slots are in use", maxSlots),
			Remedy: "raise max_replication_slots and restart the master, or drop a slot that nobody needs"})
	}
	if (d.found.slot == nil || d.found.slot.pid == 0) && senders >= maxSenders {
		list = append(list, Finding{Severity: Error, Detail: fmt.Sprintf("all %d WAL senders are in use", maxSenders),
			Remedy: "raise max_wal_senders and restart the master"})
	}
	if libraries != nil && !listed(*libraries, "pgoutput") {
		list = append(list, Finding{Severity: Error, Detail: "output_plugin_libraries does not list pgoutput",
			Remedy: "add pgoutput to output_plugin_libraries"})
	}
	if len(list) > 0 {
		return list, nil
	}
	return fine("%d of %d replication slots and %d of %d WAL senders are in use", slots, maxSlots, senders, maxSenders)
}

func (d *doctor) checkRetention(ctx context.Context) ([]Finding, error) {
	var limit string
	if err := d.tx.QueryRow(ctx, `select current_setting('max_slot_wal_keep_size')`).Scan(&limit); err != nil {
		return nil, err
	}
	if limit == "-1" {
		return tell(Warning, "max_slot_wal_keep_size is -1: while the tap is down, WAL is kept until the disk is full",
			"alter system set max_slot_wal_keep_size = '…' to what the disk can spare; select pg_reload_conf()")
	}
	return fine("at most %s are kept while the tap is down", limit)
}

// longTransaction is how old a transaction must be to be told of.
const longTransaction = time.Minute

func (d *doctor) checkTransactions(ctx context.Context) ([]Finding, error) {
	if d.found.slot != nil {
		return nil, nil
	}
	blockers, err := writers(ctx, d.conn)
	if err != nil {
		return nil, err
	}
	old := blockers[:0]
	for _, b := range blockers {
		if b.Age >= longTransaction || b.PID == 0 {
			old = append(old, b)
		}
	}
	if len(old) > 0 {
		return tell(Warning, "the new slot waits for "+describe(old), "let them end before bridge init")
	}
	return nil, nil
}

func (d *doctor) checkSenderTimeout(ctx context.Context) ([]Finding, error) {
	var milliseconds int64
	if err := d.tx.QueryRow(ctx, `select setting::bigint from pg_settings where name = 'wal_sender_timeout'`).Scan(&milliseconds); err != nil {
		return nil, err
	}
	timeout := time.Duration(milliseconds) * time.Millisecond
	switch {
	case timeout == 0:
		return tell(Warning, "wal_sender_timeout is off: a tap that is cut off holds its slot until TCP gives up", "alter system set wal_sender_timeout = '1min'")
	case timeout < 20*time.Second:
		return tell(Warning, fmt.Sprintf("wal_sender_timeout is %s, which a slow network can exceed", timeout), "alter system set wal_sender_timeout = '1min'")
	}
	return fine("%s", timeout)
}

func (d *doctor) checkDecodingMemory(ctx context.Context) ([]Finding, error) {
	var kilobytes int64
	if err := d.tx.QueryRow(ctx, `select setting::bigint from pg_settings where name = 'logical_decoding_work_mem'`).Scan(&kilobytes); err != nil {
		return nil, err
	}
	if kilobytes < 8<<10 {
		return tell(Warning, fmt.Sprintf("it is %s: transactions of ordinary size are streamed in pieces", size(kilobytes<<10)),
			"alter system set logical_decoding_work_mem = '64MB'")
	}
	return fine("%s", size(kilobytes<<10))
}
