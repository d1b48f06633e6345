package itest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pgbridge "github.com/pgbridge/pgbridge"
)

// What the fault tests have in common.

// journal keeps what a bridge logs.
type journal struct {
	t testing.TB

	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.t.Logf("%s", bytes.TrimRight(b, "\n"))
	return j.text.Write(b)
}

// count is how many lines hold the words.
func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

// start starts a bridge as run does, with a patience, and returns what it logs.
func (w *world) start(patience time.Duration, roles ...pgbridge.Role) (*running, *journal) {
	j := &journal{t: w.t}
	b := pgbridge.New(w.config, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
	b.Patience = patience
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- b.Run(ctx, roles...) }()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, r)
	return r, j
}

// waitOne waits until one replica shows what is committed now.
func (w *world) waitOne(i int) {
	w.t.Helper()
	lsn := w.query(w.master.URL("app"), "select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')")[0]
	w.eventually(fmt.Sprintf("replica %d catches up", i+1), func() bool {
		r, err := tryQuery(w.t.Context(), w.replicas[i].URL("app"), "select commit_lsn >= '"+lsn+"' and state = 'streaming' from bridge.position")
		return err == nil && len(r) > 0 && r[0] == "t"
	})
}

// lastBlock is the number of the last block.
func (w *world) lastBlock() int64 {
	w.t.Helper()
	return w.number(w.master.URL("app"), "select coalesce(max(seq), 0) from bridge.commit_block")
}

// position is the number of the last block that a replica has applied.
func (w *world) position(i int) int64 {
	w.t.Helper()
	return w.number(w.replicas[i].URL("app"), "select seq from bridge.position")
}

func (w *world) number(url, sql string) int64 {
	w.t.Helper()
	n, err := strconv.ParseInt(w.query(url, sql)[0], 10, 64)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// block waits until block seq is in the log.
func (w *world) block(seq int64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("block %d is stored", seq), func() bool { return w.lastBlock() >= seq })
}

// stands waits until a replica stands still for a reason that holds all the words, and
// says so itself and on the master. It returns the reason.
func (w *world) stands(i int, words ...string) string {
	w.t.Helper()
	reason, told := "", ""
	has := func(text string) bool {
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return text != ""
	}
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if rows, err := tryQuery(w.t.Context(), w.replicas[i].URL("app"), "select error from bridge.position"); err == nil && len(rows) > 0 {
			reason = rows[0]
		}
		rows := w.query(w.master.URL("app"), fmt.Sprintf("select state || ': ' || error from bridge.replica where name = 'r%d'", i+1))
		if len(rows) > 0 {
			told = rows[0]
		}
		if has(reason) && has(told) && strings.HasPrefix(told, "stopped: ") {
			return reason
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("replica %d says %q, the master was told %q, want both with %q", i+1, reason, told, words)
	return ""
}
