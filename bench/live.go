package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// pace is a load on the master while lag is measured.
type pace struct {
	name string
	rate int // transactions per second
}

var paces = []pace{{"idle", 0}, {"500 tps", 500}, {"2,000 tps", 2000}}

// lags measures how long commits take from their acknowledgement until they are visible, at each pace.
func lags(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	w, err := b.world(ctx, c, 1)
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.fillTPCB(ctx); err != nil {
		return s, err
	}
	if err := w.define(ctx, "create table probe (id bigint primary key)"); err != nil {
		return s, err
	}
	if err := w.attach(ctx); err != nil {
		return s, err
	}
	p := prober{w: w}
	for _, pace := range paces {
		seen, err := p.during(ctx, pace, b.duration(10*time.Second))
		if err != nil {
			return s, fmt.Errorf("at %s: %w", pace.name, err)
		}
		s.traces = append(s.traces, seen)
		var all []float64
		for _, p := range seen {
			all = append(all, milliseconds(p.lag))
		}
		s.add(quantile(all, 0.5), quantile(all, 0.99))
	}
	// The load has gone on behind the last probe.
	if _, err := w.mark(ctx, done); err != nil {
		return s, err
	}
	if err := w.marked(ctx, done, 0); err != nil {
		return s, err
	}
	return s, w.finish(ctx, &s, append([]string{"probe"}, tpcbTables...)...)
}

// probe is one commit and how long it took to become visible.
type probe struct {
	at, lag time.Duration // since the measuring began; since the commit was acknowledged
}

// prober commits rows on the master and looks for them on the replica.
type prober struct {
	w    *world
	last int64 // of the rows
}

// probeEvery is the time from one commit of the prober to the next. The commits keep to it however far the replica
// is behind: one that lags must not be asked less often.
const probeEvery = 10 * time.Millisecond

// during probes for so long under a load.
func (p *prober) during(ctx context.Context, load pace, d time.Duration) ([]probe, error) {
	group, ctx := errgroup.WithContext(ctx)
	if load.rate > 0 {
		group.Go(func() error {
			_, err := p.w.pgbench(ctx, "-c", "4", "-n", "-R", strconv.Itoa(load.rate), "-T", strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))))
			return err
		})
		select { // its connections and first transactions are no steady load
		case <-time.After(d / 10):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), group.Wait())
		}
		d -= d / 5
	}
	acknowledged := make(chan commit, 1<<16)
	began := time.Now()
	var seen []probe
	group.Go(func() error {
		defer close(acknowledged)
		return p.commit(ctx, began, d, acknowledged)
	})
	group.Go(func() (err error) {
		seen, err = p.watch(ctx, began, acknowledged)
		return err
	})
	return seen, group.Wait()
}

// commit is a row of the prober on the master.
type commit struct {
	id int64
	at time.Time // when it was acknowledged
}

func (p *prober) commit(ctx context.Context, began time.Time, d time.Duration, acknowledged chan<- commit) error {
	conn, err := pgx.Connect(ctx, p.w.master.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for time.Since(began) < d {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.last++
		if _, err := conn.Exec(ctx, "insert into probe values ($1)", p.last); err != nil {
			return err
		}
		acknowledged <- commit{p.last, time.Now()}
	}
	return nil
}

// watchPause is the part of a commit's lag so far for which the replica is not asked: what is seconds behind, and so short of
// processors, must not be asked thousands of times meanwhile. It makes a lag too long by as much, at most.
const (
	watchPause = 10
	watchRest  = 100 * time.Microsecond // what is shorter is no pause
)

// watch asks the replica as long as there is a commit that it has not shown, with hardly a pause.
func (p *prober) watch(ctx context.Context, began time.Time, acknowledged <-chan commit) (seen []probe, err error) {
	conn, err := pgx.Connect(ctx, p.w.replicas[0].URL(database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Prepare(ctx, "newest", "select coalesce(max(id), 0) from probe"); err != nil {
		return nil, err
	}
	var newest int64
	var at time.Time // when newest was seen first
	for c := range acknowledged {
		for newest < c.id {
			if pause := time.Since(c.at) / watchPause; pause >= watchRest {
				time.Sleep(pause)
			}
			if err := conn.QueryRow(ctx, "newest").Scan(&newest); err != nil {
				return nil, err
			}
			at = time.Now()
		}
		seen = append(seen, probe{at: c.at.Sub(began), lag: max(0, at.Sub(c.at))})
	}
	return seen, nil
}

// quantile is the value that a share q of all does not exceed.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// attached measures the master under full load: what it achieves with one replica attached, and what each further one
// costs its server until it is up to date.
func attached(ctx context.Context, b *bench, c *contender) (s sample, err error) {
	const many = 4
	one, err := b.fullLoad(ctx, c, 1, &s)
	if err != nil {
		return s, err
	}
	more, err := b.fullLoad(ctx, c, many, &s)
	if err != nil {
		return s, err
	}
	s.add(one.tps, (more.cpu-one.cpu).Seconds()/(many-1))
	return s, nil
}

// loaded is what a run under full load came to.
type loaded struct {
	tps float64
	cpu time.Duration // of the master's server, without the sessions that are the load
}

func (b *bench) fullLoad(ctx context.Context, c *contender, replicas int, s *sample) (l loaded, err error) {
	w, err := b.world(ctx, c, replicas)
	if err != nil {
		return l, err
	}
	defer w.close()
	if err := w.fillTPCB(ctx); err != nil {
		return l, err
	}
	if err := w.attach(ctx); err != nil {
		return l, err
	}
	before, err := serverCPU(w.master.Pid())
	if err != nil {
		return l, err
	}
	const clients = 8
	group, inner := errgroup.WithContext(ctx)
	ended := make(chan struct{})
	group.Go(func() (err error) {
		defer close(ended)
		l.tps, err = w.pgbench(inner, "-c", strconv.Itoa(clients), "-j", "2", "-n", "-t", strconv.Itoa(b.scaled(60_000)/clients))
		return err
	})
	var load time.Duration
	group.Go(func() (err error) {
		load, err = w.sessionsCPU(inner, "pgbench", clients, ended)
		return err
	})
	if err := group.Wait(); err != nil {
		return l, err
	}
	if _, err := w.mark(ctx, done); err != nil {
		return l, err
	}
	if err := w.marked(ctx, done, w.all()...); err != nil {
		return l, err
	}
	after, err := serverCPU(w.master.Pid())
	if err != nil {
		return l, err
	}
	l.cpu = after - before - load
	return l, w.finish(ctx, s, tpcbTables...)
}

// sessionsCPU waits for so many sessions of an application on the master, and returns the processor time that they had
// used a few hundredths of a second before ended was closed. A load that ends before they are all there has used none.
func (w *world) sessionsCPU(ctx context.Context, application string, sessions int, ended <-chan struct{}) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, w.master.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	used := map[int]int64{} // in ticks, by process ID
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-ended:
			var ticks int64
			for _, n := range used {
				ticks += n
			}
			return time.Duration(ticks) * clockTick, nil
		case <-look.C:
		}
		if len(used) == 0 {
			rows, err := conn.Query(ctx, "select pid from pg_stat_activity where application_name = $1", application)
			if err != nil {
				return 0, err
			}
			pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if err != nil {
				return 0, err
			}
			if len(pids) < sessions {
				continue
			}
			for _, pid := range pids {
				used[pid] = 0
			}
		}
		for pid := range used {
			if s, err := readStat(pid); err == nil && s.parent == w.master.Pid() { // one that has ended keeps what it had
				used[pid] = s.self
			}
		}
	}
}
