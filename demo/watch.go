package demo

import (
	"context"
	"sync"
	"time"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// watchEvery is the pace at which the picture changes.
const watchEvery = 500 * time.Millisecond

// watcher asks the bridge where everything stands, and shows it.
type watcher struct {
	system   *system
	work     *workload
	began    time.Time
	duration time.Duration

	copied  chan struct{} // closed when every replica has its copy
	waiting map[string]bool

	history map[string][]int64 // lags in blocks, the newest last
	rates   []rate

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// rate is the workload's count at a time.
type rate struct {
	at   time.Time
	done int64
}

const (
	historyLength = 60
	rateSpan      = 3 * time.Second
)

func newWatcher(s *system, w *workload, began time.Time, duration time.Duration) *watcher {
	watch := &watcher{system: s, work: w, began: began, duration: duration, copied: make(chan struct{}),
		waiting: map[string]bool{}, history: map[string][]int64{}, cancel: func() {}}
	for _, n := range s.replicas {
		watch.waiting[n.name] = true
	}
	return watch
}

func (w *watcher) start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.ended.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			if p := w.look(ctx); ctx.Err() == nil {
				w.system.ui.show(p)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
}

// stop ends the watching; it may be called again.
func (w *watcher) stop() {
	w.cancel()
	w.ended.Wait()
}

// look makes the picture of this moment.
func (w *watcher) look(ctx context.Context) picture {
	status := w.system.bridge.Status(ctx)
	now := time.Now()
	p := picture{
		Elapsed: now.Sub(w.began), Duration: w.duration,
		Transactions: w.work.done.Load(), Failed: w.work.failed.Load(),
		Master: status.Master, Bridge: w.system.bridgeRuns(), Ended: w.work.ended.Load(),
	}
	w.rates = append(w.rates, rate{now, p.Transactions})
	for len(w.rates) > 2 && now.Sub(w.rates[0].at) > rateSpan {
		w.rates = w.rates[1:]
	}
	if first := w.rates[0]; now.After(first.at) {
		p.Rate = float64(p.Transactions-first.done) / now.Sub(first.at).Seconds()
	}
	for _, r := range status.Replicas {
		copying := w.system.copies.of(r.Name)
		blocks := int64(-1)
		if r.Lag.Blocks != nil {
			blocks = *r.Lag.Blocks
		}
		history := append(w.history[r.Name], blocks)
		w.history[r.Name] = history[max(0, len(history)-historyLength):]
		if w.waiting[r.Name] && (r.State == pgbridge.StateCatchingUp || r.State == pgbridge.StateStreaming) {
			delete(w.waiting, r.Name)
			if copying.rows > 0 {
				w.system.ui.event("replica %s was copied: about %s in %s", r.Name, count(max(copying.rows, copying.total), "row"),
					seconds(copying.last.Sub(copying.began)))
			} else {
				w.system.ui.event("replica %s has its data from before and goes on", r.Name)
			}
			if len(w.waiting) == 0 {
				close(w.copied)
			}
		}
		p.Replicas = append(p.Replicas, replicaPicture{ReplicaStatus: r, Rows: copying.rows, Total: copying.total, History: w.history[r.Name]})
	}
	return p
}

// copies keeps what the bridge tells of copies.
type copies struct {
	mu sync.Mutex
	by map[string]copying
}

// copying is how far the copy of a replica is.
type copying struct {
	rows, total int64 // total is an estimate
	began, last time.Time
}

// step takes news of a copy; the bridge calls it from several goroutines.
func (c *copies) step(p postgres.Progress) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]copying{}
	}
	k, known := c.by[p.Replica]
	if !known {
		k.began = now
	}
	k.last = now
	if p.Phase == "rows" {
		k.rows, k.total = p.Done, p.Total
	}
	c.by[p.Replica] = k
}

func (c *copies) of(replica string) copying {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[replica]
}
