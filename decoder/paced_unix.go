//go:build unix

package decoder

import "syscall"

// lowWater sets from how many bytes on a socket reports that there is something to read.
func lowWater(fd uintptr, bytes int) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes)
}

func readNow(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }
