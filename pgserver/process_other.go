//go:build !linux

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"runtime"
)

// What follows keeps the program buildable elsewhere. open asks runsHere first, so that nothing else here is reached.

func runsHere() error {
	return fmt.Errorf("servers are run on Linux only, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func ownerOf(fs.FileInfo) (uid, gid int) { return -1, -1 }

func startProcess(*exec.Cmd, *account) (*process, error) { return nil, runsHere() }

func (p *process) signal(Mode) error { return runsHere() }

func (p *process) killGroup() error { return runsHere() }

func (p *process) kill(context.Context) error { return runsHere() }

func removeSegment(int) error { return nil }

func awaitDetached(context.Context, string) error { return nil }
