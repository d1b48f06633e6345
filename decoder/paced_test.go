package decoder

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// pacedPair connects a paced connection and its other side.
func pacedPair(t *testing.T) (c *paced, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if c = newPaced(dialed); c.raw == nil {
		t.Fatal("the socket can not be had")
	}
	return c, server
}

// What is read through a paced connection is what was written, whether there is a backlog or not, to the last byte before
// a silence and before the end.
func TestPacedReadsEverything(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c, server := pacedPair(t)
	next := byte(0)
	for round := range 60 {
		c.pause.Store(random.Int64N(3) * int64(pacePause) / 2)
		var sent bytes.Buffer
		pieces := make([][]byte, 1+random.IntN(200))
		for i := range pieces {
			pieces[i] = make([]byte, 1+random.IntN(1+random.IntN(5000)))
			for k := range pieces[i] {
				pieces[i][k] = next
				next++
			}
			sent.Write(pieces[i])
		}
		written := make(chan error, 1)
		go func() {
			for _, p := range pieces {
				if _, err := server.Write(p); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		got := make([]byte, sent.Len())
		for at := 0; at < len(got); {
			n, err := c.Read(got[at:min(len(got), at+1+random.IntN(20000))])
			if err != nil {
				t.Fatalf("round %d, byte %d of %d: %v", round, at, len(got), err)
			}
			at += n
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent.Bytes()) {
			t.Fatalf("round %d: other bytes", round)
		}
	}
	c.pause.Store(int64(pacePause))
	server.Close()
	if n, err := c.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d bytes, %v", n, err)
	}
}

// A read that waits behind a backlog ends with its deadline, and with the connection.
func TestPacedReadEnds(t *testing.T) {
	c, _ := pacedPair(t)
	c.pause.Store(int64(pacePause))
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 10)); err == nil {
		t.Error("the deadline ended nothing")
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 10))
		ended <- err
	}()
	c.Close()
	if err := <-ended; err == nil {
		t.Error("the end of the connection ended nothing")
	}
}

// What was sent soon behind its commit is read at once, and what was not waits for a small part of how late it is, and never long.
func TestPauseGrowsWithHowLateItIs(t *testing.T) {
	for late, want := range map[time.Duration]time.Duration{
		-time.Second:          0, // a clock that was set back
		0:                     0,
		paceFrom - 1:          0,
		paceFrom:              paceFrom / paceShare,
		paceFrom * 3:          paceFrom * 3 / paceShare,
		paceShare * pacePause: pacePause,
		1000 * time.Hour:      pacePause,
	} {
		if got := pauseBehind(late); got != want {
			t.Errorf("%s late: a pause of %s, want %s", late, got, want)
		}
	}
}
