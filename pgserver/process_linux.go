package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often we look at what the kernel has no notice for.
const pollEvery = 5 * time.Millisecond

func runsHere() error { return nil }

func ownerOf(fi fs.FileInfo) (uid, gid int) {
	st := fi.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}

// startProcess starts a child that runs as the account, in a process group of its own, so that Ctrl-C on our terminal
// does not reach it, and that the kernel tells to quit when we die. That notice hangs on the thread that forked, not on
// the process; so the goroutine that starts the child keeps its thread until the child has ended.
func startProcess(cmd *exec.Cmd, acct *account) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,
		Pdeathsig: syscall.SIGQUIT, // immediate shutdown; SIGKILL would leave shared memory behind
	}
	if acct != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(acct.uid), Gid: uint32(acct.gid)}
	}
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// signal asks the postmaster to end. See https://www.postgresql.org/docs/current/server-shutdown.html
func (p *process) signal(mode Mode) error {
	sig := syscall.SIGINT
	if mode == Immediate {
		sig = syscall.SIGQUIT
	}
	return p.send(sig)
}

func (p *process) send(sig syscall.Signal) error {
	err := syscall.Kill(p.pid, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// killGroup kills the process and all that share its process group.
func (p *process) killGroup() error {
	err := syscall.Kill(-p.pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// kill kills the postmaster and its processes, and returns when all are gone.
func (p *process) kill(ctx context.Context) error {
	// A stopped postmaster forks no more, so that the list of its children is whole.
	if err := p.send(syscall.SIGSTOP); err != nil {
		return err
	}
	for p.running() && ctx.Err() == nil {
		st, ok := readStat(p.pid)
		if !ok || st.state == 'T' || st.state == 'Z' {
			break
		}
		pause(ctx)
	}
	children, listErr := childrenOf(p.pid)
	if err := errors.Join(p.send(syscall.SIGKILL), listErr); err != nil {
		return err
	}
	for _, id := range children {
		if id.gone() {
			continue
		}
		// Each leads a process group, to which the commands belong that it runs, such as archive_command.
		for _, target := range []int{-id.pid, id.pid} {
			if err := syscall.Kill(target, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill its process %d: %w", id.pid, err)
			}
		}
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, id := range children {
		for !id.gone() {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("wait for its process %d: %w", id.pid, err)
			}
			pause(ctx)
		}
	}
	return nil
}

// pause lets a moment pass, or less when the context ends.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pollEvery):
	}
}

// processID names one process for all time, as pids come back.
type processID struct {
	pid   int
	start string // in clock ticks since boot
}

// gone is true also for a zombie that nobody has waited for: it holds nothing any more.
func (id processID) gone() bool {
	st, ok := readStat(id.pid)
	return !ok || st.start != id.start || st.state == 'Z' || st.state == 'X'
}

type procStat struct {
	state  byte
	parent int
	start  string
}

// readStat reads /proc/PID/stat, see proc_pid_stat(5). It is false when there is no such process.
func readStat(pid int) (procStat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, false
	}
	_, after, ok := cutLast(string(text), ") ") // the command's name may hold anything
	if !ok {
		return procStat{}, false
	}
	fields := strings.Fields(after)
	const state, parent, start = 0, 1, 19
	if len(fields) <= start {
		return procStat{}, false
	}
	ppid, err := strconv.Atoi(fields[parent])
	if err != nil {
		return procStat{}, false
	}
	return procStat{state: fields[state][0], parent: ppid, start: fields[start]}, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func childrenOf(parent int) ([]processID, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []processID
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, ok := readStat(pid); ok && st.parent == parent {
			children = append(children, processID{pid: pid, start: st.start})
		}
	}
	return children, nil
}

// removeSegment gives back the System V shared memory that a killed server left, when no other will be started to do so.
// If the last process is still on its way out, the kernel removes the segment after it.
func removeSegment(id int) error {
	if id == 0 {
		return nil
	}
	_, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EIDRM) {
		return fmt.Errorf("remove shared memory segment %d: %w", id, err)
	}
	return nil
}

// awaitDetached waits until no process is attached to the shared memory of the data directory's last server.
func awaitDetached(ctx context.Context, dataDir string) error {
	segment := sharedSegment(dataDir)
	if segment == 0 {
		return nil
	}
	for {
		var desc unix.SysvShmDesc
		if _, err := unix.SysvShmCtl(segment, unix.IPC_STAT, &desc); err != nil || desc.Nattch == 0 {
			return nil // gone, or nobody's; of anything else PostgreSQL itself complains best
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for the end of the last server's processes: %w", err)
		}
		pause(ctx)
	}
}
