package dial

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// direct is a connection whose system calls the Go scheduler is not told of. They never block, since its sockets do not, and so
// the scheduler has nothing to do: but whenever it is told of one in a process that was idle, it wakes a thread that looks every 20 µs
// for calls that do block, for a millisecond at least (runtime.sysmon). With small messages and a moderate
// load that is a quarter of the processor time of the process.
type direct struct {
	net.Conn
	raw syscall.RawConn
}

func newDirect(conn net.Conn) net.Conn {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return conn
	}
	return &direct{Conn: conn, raw: raw}
}

// SyscallConn makes it a syscall.Conn, as what it wraps.
func (d *direct) SyscallConn() (syscall.RawConn, error) { return d.raw, nil }

func (d *direct) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	var errno syscall.Errno
	err = d.raw.Read(func(fd uintptr) bool {
		n, errno = call(syscall.SYS_READ, fd, b)
		return errno != syscall.EAGAIN
	})
	if err = d.failed("read", err, errno); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (d *direct) Write(b []byte) (written int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	var errno syscall.Errno
	err = d.raw.Write(func(fd uintptr) bool {
		for errno == 0 && written < len(b) {
			var n int
			n, errno = call(syscall.SYS_WRITE, fd, b[written:])
			written += n
		}
		if errno == syscall.EAGAIN {
			errno = 0
			return false
		}
		return true
	})
	return written, d.failed("write", err, errno)
}

// call reads or writes without blocking; b is not empty.
func call(number, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// failed makes of what went wrong the error that package net would have made.
func (d *direct) failed(op string, err error, errno syscall.Errno) error {
	if err == nil && errno == 0 {
		return nil
	}
	if err == nil {
		err = os.NewSyscallError(op, errno)
	}
	var known *net.OpError
	if errors.As(err, &known) {
		err = known.Err // of "raw-read"
	}
	return &net.OpError{Op: op, Net: d.RemoteAddr().Network(), Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: err}
}
