package main

import (
	"testing"
	"time"
)

func TestOneProcessorWhileItSuffices(t *testing.T) {
	const quiet, between, busy = 0.1, 0.6, 0.9 // of one processor
	var p processors
	samples := func(n int, share float64, want bool) {
		t.Helper()
		for range n {
			p.next(time.Duration(share*float64(processorsEvery)), processorsEvery)
		}
		if p.one != want {
			t.Errorf("behind %d samples of %g of a processor: one = %v, want %v", n, share, p.one, want)
		}
	}
	samples(processorsSettle-1, quiet, false)
	samples(1, between, false) // it begins to count again
	samples(processorsSettle-1, quiet, false)
	samples(1, quiet, true)
	samples(100, between, true) // as it was
	samples(1, busy, false)
	samples(100, between, false)
	samples(processorsSettle, quiet, true)
}

func TestProcessorTimeGrows(t *testing.T) {
	before := processorTime()
	for n := 0; processorTime() == before; n++ {
		if n == 1<<30 {
			t.Fatal("it stays as it is, however much is done")
		}
	}
}
