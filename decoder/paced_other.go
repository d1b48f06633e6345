//go:build !unix

package decoder

import "syscall"

func lowWater(uintptr, int) error { return syscall.EINVAL }

func readNow(uintptr, []byte) (int, error) { return 0, syscall.EINVAL }
