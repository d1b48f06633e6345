package decoder

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// paced is a connection that is read with pauses while there is a backlog. A walsender writes each message on its
// own, and wakes who waits for it, for every row: that costs both sides more than the rows do. In a pause
// nobody is woken, and behind it there are many to read at a time. What is late already does not notice.
type paced struct {
	net.Conn
	raw   syscall.RawConn // nil: it can not be had
	pause atomic.Int64    // nanoseconds; 0: what comes is read at once
	quiet bool            // the socket reports less than much
	buf   []byte          // what was read behind a pause …
	rest  []byte          // … and not asked for yet
}

const (
	paceFrom   = 5 * time.Millisecond  // so late is what comes out of a backlog; what is less late may have waited for a disk
	paceShare  = 8                     // for this part of how late it is it can wait
	pacePause  = 10 * time.Millisecond // at most
	paceBuffer = 256 << 10             // bytes
)

// pauseBehind is the pause behind a transaction that was sent so long after its commit.
func pauseBehind(late time.Duration) time.Duration {
	if late < paceFrom {
		return 0
	}
	return min(late/paceShare, pacePause)
}

func newPaced(conn net.Conn) *paced {
	c := &paced{Conn: conn}
	if s, ok := conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	return c
}

func (c *paced) Read(b []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	for paused := false; c.raw != nil && c.pause.Load() > 0 && c.hush(true); paused = true {
		n, err := c.there()
		if n > 0 || err != nil {
			c.rest = c.buf[copy(b, c.buf[:n]):n]
			return min(n, len(b)), err
		}
		if paused {
			break // it may be a while
		}
		time.Sleep(time.Duration(c.pause.Load()))
	}
	if !c.hush(false) {
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: errors.New("the socket can not be made to report what it has")}
	}
	return c.Conn.Read(b)
}

// hush has the socket keep to itself that there is something to read, or report it again.
func (c *paced) hush(quiet bool) bool {
	if c.quiet == quiet {
		return true
	}
	from := 1
	if quiet {
		from = paceBuffer / 2
	}
	var err error
	if e := c.raw.Control(func(fd uintptr) { err = lowWater(fd, from) }); e != nil || err != nil {
		return false
	}
	c.quiet = quiet
	return true
}

// there reads what is there into buf; nothing is no error.
func (c *paced) there() (n int, err error) {
	if c.buf == nil {
		c.buf = make([]byte, paceBuffer)
	}
	e := c.raw.Read(func(fd uintptr) bool {
		n, err = readNow(fd, c.buf)
		return true
	})
	switch {
	case e != nil:
		return 0, e
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return 0, nil
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: err}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
