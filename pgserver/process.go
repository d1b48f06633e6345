package pgserver

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is a child of ours. One goroutine, bound to one thread, starts it and waits for it.
type process struct {
	pid  int
	done chan struct{} // closed by that goroutine, when the process has ended
	err  error         // how it ended; to be read after done
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// exit is how the process ended, never nil. It is called after done.
func (p *process) exit() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// sharedSegment reads the id of the server's System V segment from postmaster.pid; 0 when there is none.
// A killed server leaves the segment behind; the next one on the same data directory finds it by a key made from the
// directory, and takes it over.
// See "Lock file" in https://www.postgresql.org/docs/current/storage-file-layout.html
func sharedSegment(dataDir string) int {
	text, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	lines := strings.Split(string(text), "\n")
	const keyAndID = 6 // after pid, directory, start time, port, socket directory and address
	if len(lines) <= keyAndID {
		return 0
	}
	fields := strings.Fields(lines[keyAndID])
	if len(fields) != 2 {
		return 0
	}
	id, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return id
}
