package itest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/pgserver"
)

// network stands between the bridge and one server, passes the bytes of its
// connections, and does to them what it is told.
type network struct {
	t        testing.TB
	address  *net.TCPAddr // where it is reached
	server   string
	pipes    sync.WaitGroup
	mu       sync.Mutex
	listener net.Listener // nil while the network is down
	open     map[*net.TCPConn]struct{}
	faults   [2]*fault     // by direction; nil passes everything
	changed  chan struct{} // closed when faults change
}

type direction int

const (
	upstream   direction = iota // to the server
	downstream                  // to the bridge
)

// fault is what becomes of the bytes of one direction.
type fault struct {
	delay, jitter time.Duration // each piece waits so long, up to jitter more or less
	piece         int           // pieces have at most so many bytes
	rate          int           // bytes a second
	limit         int           // a connection is closed when it has passed so many bytes more
	stall         bool          // nothing is passed, nor lost
	lose          bool          // all is lost; connections that lost something are closed when the network heals
	reset         time.Duration // connections are reset after so long
}

// behind puts a network in front of a server, and returns it and the URL that goes
// through it.
func behind(t testing.TB, s *pgserver.Server) (*network, config.URL) {
	t.Helper()
	// A socket that is bound and never listens keeps the port while the network is down:
	// connections to it are refused, and nobody else is given it.
	keep, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(keep)
	t.Cleanup(func() { syscall.Close(keep) })
	if err := syscall.SetsockoptInt(keep, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(keep, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(keep)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{
		t:       t,
		address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.(*syscall.SockaddrInet4).Port},
		server:  fmt.Sprintf("127.0.0.1:%d", s.Port()),
		open:    map[*net.TCPConn]struct{}{},
		changed: make(chan struct{}),
	}
	n.heal()
	t.Cleanup(func() {
		n.down()
		n.set(nil, nil)
		n.pipes.Wait()
	})
	u, err := url.Parse(s.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = n.address.String()
	return n, config.URL(u.String())
}

// heal lets everything pass, and new connections be made.
func (n *network) heal() {
	n.t.Helper()
	n.set(nil, nil)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener != nil {
		return
	}
	listener, err := net.ListenTCP("tcp4", n.address)
	if err != nil {
		n.t.Error(err)
		return
	}
	n.listener = listener
	n.pipes.Go(func() { n.accept(listener) })
}

// down closes all connections, and refuses new ones.
func (n *network) down() {
	n.mu.Lock()
	if n.listener != nil {
		n.listener.Close()
		n.listener = nil
	}
	n.mu.Unlock()
	n.cut(false)
}

// add makes the network bad in one direction.
func (n *network) add(d direction, f fault) {
	if d == upstream {
		n.set(&f, nil)
	} else {
		n.set(nil, &f)
	}
	if f.reset > 0 {
		// Connections that carry nothing meanwhile are reset as well.
		c := n.current(d)
		n.pipes.Go(func() {
			if !n.sleep(f.reset, c) {
				n.cut(true)
			}
		})
	}
}

// stall stops the data in both directions; connections stay.
func (n *network) stall() { n.set(&fault{stall: true}, &fault{stall: true}) }

// set takes the faults of both directions in the place of those that there were.
func (n *network) set(up, down *fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = [...]*fault{upstream: up, downstream: down}
	close(n.changed)
	n.changed = make(chan struct{})
}

// condition is what holds in one direction until changed is closed.
type condition struct {
	*fault
	changed <-chan struct{}
}

func (n *network) current(d direction) condition {
	n.mu.Lock()
	defer n.mu.Unlock()
	return condition{n.faults[d], n.changed}
}

// sleep returns true before its time when the condition changes.
func (n *network) sleep(t time.Duration, c condition) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-c.changed:
		return true
	}
}

// cut closes, or resets, every connection that there is.
func (n *network) cut(reset bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.open {
		shut(conn, reset)
	}
}

func shut(conn *net.TCPConn, reset bool) {
	if reset {
		conn.SetLinger(0)
	}
	conn.Close()
}

func (n *network) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		n.pipes.Go(func() { n.connect(listener, client.(*net.TCPConn)) })
	}
}

// connect passes one connection's bytes in both directions, and returns when it is over.
func (n *network) connect(listener net.Listener, client *net.TCPConn) {
	defer client.Close()
	conn, err := net.Dial("tcp", n.server)
	if err != nil {
		return // the server is down: so is the connection
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	n.mu.Lock()
	if n.listener != listener { // the network went down meanwhile
		n.mu.Unlock()
		return
	}
	n.open[client], n.open[server] = struct{}{}, struct{}{}
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.open, client)
		delete(n.open, server)
	}()
	var both sync.WaitGroup
	both.Go(func() { n.pass(upstream, client, server) })
	both.Go(func() { n.pass(downstream, server, client) })
	both.Wait()
}

// pass carries one direction's bytes until one of the ends, or the network, closes the
// connection, which it then closes altogether.
func (n *network) pass(d direction, from, to *net.TCPConn) {
	reset := false
	defer func() {
		shut(from, reset)
		shut(to, reset)
	}()
	buffer := make([]byte, 32<<10)
	var under *fault // what passed is counted under
	passed := 0
	for {
		read, end := from.Read(buffer)
		for data := buffer[:read]; len(data) > 0; {
			c := n.current(d)
			if c.fault != under {
				under, passed = c.fault, 0
			}
			piece := data
			if f := c.fault; f != nil {
				if f.piece > 0 {
					piece = piece[:min(len(piece), 1+rand.IntN(f.piece))]
				}
				wait := f.delay
				if f.jitter > 0 {
					wait += rand.N(2*f.jitter) - f.jitter
				}
				if f.rate > 0 {
					wait += time.Duration(len(piece)) * time.Second / time.Duration(f.rate)
				}
				switch {
				case f.reset > 0:
					if reset = !n.sleep(f.reset, c); reset {
						return
					}
					continue
				case f.stall:
					<-c.changed
					continue
				case f.lose:
					n.pipes.Go(func() { io.Copy(io.Discard, from) }) // until from is closed
					<-c.changed
					return
				case f.limit > 0 && passed+len(piece) > f.limit:
					to.Write(piece[:f.limit-passed])
					return
				case wait > 0:
					n.sleep(wait, c)
				}
			}
			if _, err := to.Write(piece); err != nil {
				return
			}
			passed += len(piece)
			data = data[len(piece):]
		}
		if end != nil {
			return
		}
	}
}
