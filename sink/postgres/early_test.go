package postgres

import (
	"testing"
	"testing/synctest"
	"time"
)

// Early rows whose server does not answer hold nobody up: their connection is cut.
func TestDropEarly(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			e := &early{leave: make(chan struct{}), left: make(chan struct{}), stop: func() {}}
			cut := false
			e.cut = func() { cut = true; close(e.left) }
			if answers {
				go func() {
					<-e.leave
					time.Sleep(earlyPatience / 2)
					close(e.left)
				}()
			}
			target := &Target{early: e}
			began := time.Now()
			target.dropEarly()
			if took := time.Since(began); cut == answers || took > earlyPatience || target.early != nil {
				t.Errorf("the server answers: %v, the connection is cut: %v, after %s", answers, cut, took)
			}
		})
	}
}
