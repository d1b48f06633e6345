package pgbridge

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// shortage is how short processors are on this machine. Small windows are applied soonest but take several times the processor time of large ones
// for each transaction, which is nobody's loss until others have to wait for a processor: the databases beside the bridge, mostly. Whether
// somebody has to, the bridge's own threads tell, which wait with them.
type shortage struct {
	share atomic.Uint64 // bits of a float64, from 0 to 1
}

const (
	shortageEvery = 100 * time.Millisecond
	shortageFrom  = 2.0 // times as long as they ran the threads waited; from here on processors are short …
	shortageFull  = 3.5 // … and from here on as short as can be
	shortageFresh = 0.2 // of the sum is the last sample; the sum is that of half a second, about
)

func newShortage() *shortage {
	s := &shortage{}
	s.set(1) // until it is known
	return s
}

func (s *shortage) set(share float64) { s.share.Store(math.Float64bits(share)) }
func (s *shortage) now() float64      { return math.Float64frombits(s.share.Load()) }

// watch looks until ctx ends. Where the kernel does not say how long threads wait, processors are as short as can be.
func (s *shortage) watch(ctx context.Context) error {
	tick := time.NewTicker(shortageEvery)
	defer tick.Stop()
	var ran, waited float64
	ranBefore, waitedBefore, err := threadTimes("/proc/self/task")
	for err == nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		var r, w time.Duration
		if r, w, err = threadTimes("/proc/self/task"); err != nil {
			break
		}
		if r >= ranBefore && w >= waitedBefore { // else a thread has ended
			ran += shortageFresh * (float64(r-ranBefore) - ran)
			waited += shortageFresh * (float64(w-waitedBefore) - waited)
			s.set(shareOf(ran, waited))
		}
		ranBefore, waitedBefore = r, w
	}
	s.set(1)
	<-ctx.Done()
	return context.Cause(ctx)
}

// shareOf is the shortage when threads have run and waited for so long.
func shareOf(ran, waited float64) float64 {
	if ran <= 0 {
		return 1
	}
	return min(max((waited/ran-shortageFrom)/(shortageFull-shortageFrom), 0), 1)
}

var errNoThreadTimes = errors.New("the kernel does not say how long threads wait")

// threadTimes is how long the threads of a process have run, and waited for a processor while they could have run: the first two numbers in
// each thread's schedstat (https://docs.kernel.org/scheduler/sched-stats.html).
func threadTimes(tasks string) (ran, waited time.Duration, err error) {
	paths, err := filepath.Glob(filepath.Join(tasks, "*", "schedstat"))
	if err != nil {
		return 0, 0, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		fields := bytes.Fields(text)
		if len(fields) < 2 {
			return 0, 0, errNoThreadTimes
		}
		r, errRan := strconv.ParseInt(string(fields[0]), 10, 64)
		w, errWaited := strconv.ParseInt(string(fields[1]), 10, 64)
		if errRan != nil || errWaited != nil {
			return 0, 0, errNoThreadTimes
		}
		ran, waited = ran+time.Duration(r), waited+time.Duration(w)
	}
	if ran == 0 {
		return 0, 0, errNoThreadTimes
	}
	return ran, waited, nil
}
