//go:build !linux

package dial

import (
	"net"
	"time"
)

func dialer(patience time.Duration) *net.Dialer { return keepAlive(patience) }

func newDirect(conn net.Conn) net.Conn { return conn }
