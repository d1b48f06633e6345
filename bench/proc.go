package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc; Linux shows 100 a second to programs, whatever the kernel counts in.
const clockTick = 10 * time.Millisecond

// serverCPU is the processor time that a server has used so far: of its postmaster, of the children that run, and of
// those that have ended.
func serverCPU(postmaster int) (time.Duration, error) {
	for {
		ended, err := readStat(postmaster)
		if err != nil {
			return 0, err
		}
		children, err := childrenOf(postmaster)
		if err != nil {
			return 0, err
		}
		own, err := readStat(postmaster)
		if err != nil {
			return 0, err
		}
		if own.ended != ended.ended {
			continue // a child ended in between: it may be counted with neither
		}
		ticks := own.self + own.ended
		for _, s := range children {
			ticks += s.self + s.ended
		}
		return time.Duration(ticks) * clockTick, nil
	}
}

// childrenOf reads the processes that have this parent.
func childrenOf(parent int) (children []stat, err error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.parent == parent { // one that has ended is no child
			children = append(children, s)
		}
	}
	return children, nil
}

// stat is what /proc/PID/stat tells of a process, in ticks.
type stat struct {
	parent      int
	self, ended int64 // its own time, and that of children it has waited for
}

func readStat(pid int) (s stat, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return stat{}, err
	}
	// The name, in parentheses, may hold anything; proc(5) counts the state behind it as field 3.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, parent, utime, stime, cutime, cstime = 3, 4, 14, 15, 16, 17
	if len(fields) <= cstime-state {
		return stat{}, fmt.Errorf("%s: %d fields", path, len(fields))
	}
	number := func(field int) (n int64) {
		n, e := strconv.ParseInt(fields[field-state], 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("%s: field %d: %w", path, field, e)
		}
		return n
	}
	s = stat{int(number(parent)), number(utime) + number(stime), number(cutime) + number(cstime)}
	return s, err
}

// peakMemory is the most that a process has had resident, in bytes.
func peakMemory(pid int) (int64, error) {
	kib, err := procNumber(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	return kib << 10, err
}

// procNumber reads the number behind a key in a file of /proc.
func procNumber(path, key string) (int64, error) {
	value, err := procText(path, key)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.Fields(value + " 0")[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s %w", path, key, err)
	}
	return n, nil
}

// procText reads what stands behind a key in a file of /proc.
func procText(path, key string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimLeft(strings.TrimSpace(value), ": \t"), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", path, key)
}
