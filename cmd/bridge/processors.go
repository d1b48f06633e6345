package main

import (
	"context"
	"os"
	"runtime"
	"time"
)

// processors decides how many threads run Go code at the same time: one while the work is less than what one can do, else as many as
// Go thinks right. A transaction goes through several goroutines, and each of them, when it wakes the next one, would wake
// another idle thread to see whether it finds something to do: that takes more time than a small transaction itself, of processors
// that the databases on the same machine need.
type processors struct {
	one  bool
	calm int // samples in a row in which one would have been enough
}

const (
	processorsEvery  = 100 * time.Millisecond
	processorsBusy   = 0.75 // of one processor: one is not enough from here on
	processorsCalm   = 0.45 // up to here it is
	processorsSettle = 10   // samples
)

// next takes the processor time that the process has used within a sample.
func (p *processors) next(used, elapsed time.Duration) {
	share := float64(used) / float64(elapsed)
	if p.calm++; share >= processorsCalm {
		p.calm = 0
	}
	switch {
	case share >= processorsBusy:
		p.one = false
	case p.calm >= processorsSettle:
		p.one = true
	}
}

// adaptProcessors goes on until ctx ends, unless the environment says how many it shall be.
func adaptProcessors(ctx context.Context) {
	if _, set := os.LookupEnv("GOMAXPROCS"); set {
		return
	}
	var p processors
	before, at := processorTime(), time.Now()
	tick := time.NewTicker(processorsEvery)
	defer tick.Stop()
	defer runtime.SetDefaultGOMAXPROCS()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		one, now, used := p.one, time.Now(), processorTime()
		p.next(used-before, now.Sub(at))
		before, at = used, now
		switch {
		case p.one == one:
		case p.one:
			runtime.GOMAXPROCS(1)
		default:
			runtime.SetDefaultGOMAXPROCS()
		}
	}
}
