package dial

import (
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialer opens connections that the kernel ends when the other side has not
// acknowledged anything for twice the patience. See tcp(7), TCP_USER_TIMEOUT.
func dialer(patience time.Duration) *net.Dialer {
	d := keepAlive(patience)
	d.Control = func(network, _ string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		var err error
		if failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((2 * patience).Milliseconds()))
		}); failed != nil {
			return failed
		}
		return err
	}
	return d
}
