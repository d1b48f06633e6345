package dial

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair is a direct connection and its other side.
func pair(t *testing.T) (conn net.Conn, other *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	plain, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn = newDirect(plain)
	if _, is := conn.(*direct); !is {
		t.Fatalf("a TCP connection is %T, and not direct", conn)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); accepted.Close() })
	return conn, accepted.(*net.TCPConn)
}

func TestDirectCarriesMoreThanBuffersHold(t *testing.T) {
	conn, other := pair(t)
	want := make([]byte, 20<<20)
	r := rand.NewChaCha8([32]byte{})
	r.Read(want)
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(other, other) // what is sent comes back while more is sent
		other.CloseWrite()
		echoed <- err
	}()
	sent := make(chan error, 1)
	go func() {
		n, err := conn.Write(want)
		if err == nil && n != len(want) {
			err = io.ErrShortWrite
		}
		conn.(*direct).Conn.(*net.TCPConn).CloseWrite()
		sent <- err
	}()
	got, err := io.ReadAll(conn)
	if err := errors.Join(err, <-sent, <-echoed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes have come back, and are not the %d that were sent", len(got), len(want))
	}
}

func TestDirectKeepsDeadlines(t *testing.T) {
	conn, _ := pair(t)
	conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	var network net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &network) || !network.Timeout() {
		t.Errorf("read: %v, want a timeout", err)
	}
	conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := conn.Write(make([]byte, 100<<20)) // nobody reads
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: %v, want a timeout", err)
	}
	if n == 0 || n == 100<<20 {
		t.Errorf("%d bytes are said to be written, want what buffers hold", n)
	}
}

func TestDirectSaysThatAConnectionIsGone(t *testing.T) {
	t.Run("closed here", func(t *testing.T) {
		conn, _ := pair(t)
		read := make(chan error, 1)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			read <- err
		}()
		conn.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v, want %v", err, net.ErrClosed)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v, want %v", err, net.ErrClosed)
		}
	})
	t.Run("reset there", func(t *testing.T) {
		conn, other := pair(t)
		other.SetLinger(0)
		other.Close()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v, want %v", err, syscall.ECONNRESET)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write: %v, want %v", err, syscall.EPIPE)
		}
	})
}
