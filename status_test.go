package pgbridge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/config"
)

// Servers that take a connection and say nothing are asked at the same time, and not for long.
func TestStatusIsNotHeldUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	url := func(database string) config.URL {
		return config.URL(fmt.Sprintf("postgres://x:hush@%s/%s?sslmode=disable", silent.Addr(), database))
	}
	b := New(&config.Config{
		Master:   config.Master{URL: url("m"), Slot: "bridge"},
		Replicas: []config.Replica{{Name: "a", URL: url("a")}, {Name: "b", URL: url("b")}},
	}, slog.New(slog.DiscardHandler))
	began := time.Now()
	s := b.Status(t.Context())
	if took := time.Since(began); took > 2*probeTimeout {
		t.Errorf("it took %s", took)
	}
	if s.Master.Reachable || s.Master.Error == "" || s.Master.Slot.Name != "bridge" {
		t.Errorf("master: %+v", s.Master)
	}
	for i, name := range []string{"a", "b"} {
		if r := s.Replicas[i]; r.Name != name || r.Reachable || r.State != StateUnreachable || r.Error == "" || r.Lag.Blocks != nil {
			t.Errorf("replica: %+v", r)
		}
	}
}

func TestJudge(t *testing.T) {
	const broken = "block 7 does not fit"
	at := func(seq int64) change.Position { return change.Position{Epoch: 1, Seq: seq} }
	for _, row := range []struct {
		name           string
		probe          replicaProbe
		told           toldState
		state, problem string
	}{
		{name: "streams", probe: replicaProbe{installed: true, applying: true, state: StateStreaming}, state: StateStreaming},
		{name: "does not answer", probe: replicaProbe{err: errors.New("refused")}, told: toldState{state: StateStreaming}, state: StateUnreachable, problem: "refused"},
		{name: "is copied", probe: replicaProbe{installed: true, applying: true, state: StateCopying}, state: StateCopying},
		{name: "is about to be copied", probe: replicaProbe{applying: true}, state: StateCopying},
		{name: "was never begun", state: StateStopped, problem: noBridge},
		{name: "was left alone", probe: replicaProbe{installed: true, state: StateStreaming}, told: toldState{state: StateStreaming}, state: StateStopped, problem: noBridge},
		{name: "has stopped", probe: replicaProbe{installed: true, state: StateStreaming, problem: broken}, state: StateStopped, problem: broken},
		{name: "has stopped and tries again", probe: replicaProbe{installed: true, applying: true, state: StateStreaming, problem: broken}, state: StateStopped, problem: broken},
		{name: "could not begin", told: toldState{state: StateStopped, error: "its table has rows"}, state: StateStopped, problem: "its table has rows"},
		{name: "could only tell the master", probe: replicaProbe{installed: true, applying: true, state: StateStreaming, position: at(5)},
			told: toldState{state: StateStopped, error: broken, position: at(5)}, state: StateStopped, problem: broken},
		{name: "has gone on since it told the master", probe: replicaProbe{installed: true, applying: true, state: StateStreaming, position: at(9)},
			told: toldState{state: StateStopped, error: broken, position: at(5)}, state: StateStreaming},
		{name: "the bridge could not reach it", probe: replicaProbe{installed: true, state: StateStreaming},
			told: toldState{state: StateUnreachable, error: "refused"}, state: StateStopped, problem: noBridge + "; the last one could not reach it: refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if state, problem := row.probe.judge(row.told); state != row.state || problem != row.problem {
				t.Errorf("got %q, %q; want %q, %q", state, problem, row.state, row.problem)
			}
		})
	}
}

func TestFarBehindIsCatchingUp(t *testing.T) {
	blocks, few, late, soon := int64(1001), int64(1000), 10.5, 9.5
	for _, row := range []struct {
		lag  Lag
		want bool
	}{
		{Lag{}, false},
		{Lag{Blocks: &few, Seconds: &soon}, false},
		{Lag{Blocks: &blocks, Seconds: &soon}, true},
		{Lag{Blocks: &few, Seconds: &late}, true},
	} {
		if got := row.lag.far(1000); got != row.want {
			t.Errorf("%+v: far is %t, want %t", row.lag, got, row.want)
		}
	}
}
