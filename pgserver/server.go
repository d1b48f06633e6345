// Package pgserver runs real PostgreSQL servers on this machine, for the demo, the tests and the benchmarks.
// A server that Start returned accepts connections; when it is closed, or when this process dies in whatever way,
// nothing of it keeps running.
//
// Servers trust every connection from this machine: they are for throw-away data, not for operation.
// Servers run on Linux only; elsewhere Start returns an error.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// closePatience is how long Close waits for an orderly end before it kills, and then for the end after that.
const closePatience = 10 * time.Second

// Options say what server to start. The zero value starts the system's newest supported one in a temporary directory.
type Options struct {
	// Install holds the binaries; the zero value means Find(0).
	Install Install
	// Dir is where the server lives: its data in Dir/data, its unix socket in Dir/run, its log in Dir/server.log.
	// It is created if need be. Data that is already there is used as it is; its major version must be Install's.
	// Empty: a new temporary directory.
	Dir string
	// Keep leaves Dir behind on Close. Without it, Close removes Dir if Start made it; a Dir that was there before stays.
	Keep bool
	// Port on 127.0.0.1; 0: a free one, which stays the server's when it is stopped and started again.
	Port int
	// Settings override or add to the defaults in postgresql.conf. ALTER SYSTEM overrides them in turn.
	Settings map[string]string
	// User is the superuser's name; empty: postgres.
	User string
	// InitdbArgs are added to initdb's command line.
	InitdbArgs []string
	// LogFile gets what the server writes, added at its end; empty: Dir/server.log.
	LogFile string
}

// Server is one PostgreSQL server with its own data directory. It outlives stops and kills: Start brings it back on the
// same data and the same port. All methods may be called concurrently; those that start or end the server take turns.
type Server struct {
	opts    Options
	acct    *account
	port    int
	madeDir bool

	turn    chan struct{} // holds one token; whoever has it may change what follows
	closed  bool
	segment int // shared memory that a killed server left, until the next start or Close; 0: none
	proc    atomic.Pointer[process]
}

// Mode says how Stop ends a server.
type Mode int

const (
	// Fast breaks off open transactions, writes a checkpoint and ends in order.
	Fast Mode = iota
	// Immediate ends without a checkpoint, so that the next start has to recover from the WAL.
	Immediate
)

// Start prepares the data directory if there is none yet, starts the server and returns when it accepts connections.
// The context bounds the starting only; the server runs until it is stopped, killed or closed, or this process ends.
// After an error nothing is left running, and a directory that Start made is gone.
func Start(ctx context.Context, opts Options) (_ *Server, err error) {
	s, err := open(opts)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.initialize(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.opts.Install, err)
	}
	const attempts = 10 // each with another port; two processes may pick the same one at the same time
	for n := 1; ; n++ {
		err := s.Start(ctx)
		if err == nil {
			return s, nil
		}
		if opts.Port != 0 || n == attempts || !errors.Is(err, errPortTaken) {
			return nil, err
		}
		if s.port, err = freePort(); err != nil {
			return nil, fmt.Errorf("start %s: %w", s.opts.Install, err)
		}
	}
}

// open completes the options and makes the directory.
func open(opts Options) (*Server, error) {
	if err := errors.Join(runsHere(), checkSettings(opts.Settings)); err != nil {
		return nil, err
	}
	s := &Server{opts: opts, port: opts.Port, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	var err error
	if s.opts.Install.Bin == "" {
		if s.opts.Install, err = Find(0); err != nil {
			return nil, err
		}
	}
	if s.opts.User == "" {
		s.opts.User = "postgres"
	}
	if s.acct, err = serverAccount(); err != nil {
		return nil, err
	}
	if s.port == 0 {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) makeDir() (err error) {
	if s.opts.Dir == "" {
		s.opts.Dir, err = TempDir("pgserver-")
		s.madeDir = err == nil
	} else {
		if s.opts.Dir, err = filepath.Abs(s.opts.Dir); err != nil {
			return err
		}
		if _, err := os.Stat(s.opts.Dir); errors.Is(err, fs.ErrNotExist) {
			s.madeDir = true
		}
		err = makePublicDir(s.opts.Dir)
	}
	if err != nil {
		return err
	}
	if s.opts.LogFile == "" {
		s.opts.LogFile = filepath.Join(s.opts.Dir, "server.log")
	}
	if err := s.acct.canReach(s.opts.Dir); err != nil {
		return errors.Join(fmt.Errorf("%w; pgserver.TempDir makes directories that it can", err), s.removeDir())
	}
	for dir, mode := range map[string]os.FileMode{s.dataDir(): 0o700, s.runDir(): 0o755} {
		err := os.Mkdir(dir, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err := errors.Join(err, os.Chmod(dir, mode), s.acct.own(dir)); err != nil {
			return errors.Join(err, s.removeDir())
		}
	}
	return nil
}

func (s *Server) removeDir() error {
	if !s.madeDir || s.opts.Keep {
		return nil
	}
	return os.RemoveAll(s.opts.Dir)
}

// Install returns the binaries that the server runs.
func (s *Server) Install() Install { return s.opts.Install }

// Dir returns the directory that holds everything of this server.
func (s *Server) Dir() string { return s.opts.Dir }

// SocketDir returns the directory of the server's unix socket, or "" when it has none because the path would be too long.
func (s *Server) SocketDir() string {
	if len(s.runDir())+len("/.s.PGSQL.65535") > maxSocketPath {
		return ""
	}
	return s.runDir()
}

func (s *Server) dataDir() string { return filepath.Join(s.opts.Dir, "data") }
func (s *Server) runDir() string  { return filepath.Join(s.opts.Dir, "run") }

// Port is the server's port on 127.0.0.1, the same for its whole life.
func (s *Server) Port() int { return s.port }

// URL returns the address of a database as the superuser, whether or not the server runs at the moment.
func (s *Server) URL(db string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(s.opts.User),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + db,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Pid returns the postmaster's process id, or 0 when the server does not run.
func (s *Server) Pid() int {
	if p := s.proc.Load(); p != nil && p.running() {
		return p.pid
	}
	return 0
}

// LogFile returns the path of the server's log.
func (s *Server) LogFile() string { return s.opts.LogFile }

// LogTail returns the last lines of the server's log for an error message; it says so when it cannot be read.
func (s *Server) LogTail(lines int) string {
	text, err := s.logFrom(0)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// logFrom returns what the log has from an offset on, at most the last 64 KiB of it.
func (s *Server) logFrom(offset int64) (string, error) {
	f, err := os.Open(s.opts.LogFile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	offset = max(offset, fi.Size()-64<<10)
	text, err := io.ReadAll(io.NewSectionReader(f, offset, fi.Size()-offset))
	return string(text), err
}

// Stop ends the server and returns when it has ended; it is nothing to a server that does not run.
// When the context ends first the server is still on its way down; Close or Kill make an end of it.
func (s *Server) Stop(ctx context.Context, mode Mode) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.yieldTurn()
	return s.stop(ctx, mode)
}

func (s *Server) stop(ctx context.Context, mode Mode) error {
	p := s.proc.Load()
	if p == nil || !p.running() {
		return nil
	}
	if err := p.signal(mode); err != nil {
		return fmt.Errorf("stop PostgreSQL, pid %d: %w", p.pid, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop PostgreSQL, pid %d: %w", p.pid, ctx.Err())
	}
}

// Kill ends the server as a crash would: the postmaster and all its processes get SIGKILL at once, between any two of
// their instructions. It returns when all of them are gone, so that Start can follow at once.
// What they had handed to the kernel is kept, as after a crash of PostgreSQL, not as after a loss of power.
func (s *Server) Kill(ctx context.Context) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.yieldTurn()
	return s.kill(ctx)
}

func (s *Server) kill(ctx context.Context) error {
	p := s.proc.Load()
	if p == nil || !p.running() {
		return nil
	}
	s.segment = sharedSegment(s.dataDir())
	if err := p.kill(ctx); err != nil {
		return fmt.Errorf("kill PostgreSQL, pid %d: %w", p.pid, err)
	}
	if err := s.removeLockFiles(); err != nil {
		return fmt.Errorf("clean up after the kill of PostgreSQL: %w", err)
	}
	return nil
}

// removeLockFiles takes away what tells the next server that this one runs. Left alone they would harm when another
// process has got the old pid: PostgreSQL takes it for a running server and refuses to start.
func (s *Server) removeLockFiles() error {
	locks, err := filepath.Glob(filepath.Join(s.runDir(), ".s.PGSQL.*"))
	if err != nil {
		return err
	}
	for _, path := range append(locks, filepath.Join(s.dataDir(), "postmaster.pid")) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close ends the server, quickly and by force if it must, and removes the directory if Start made it.
// Closing twice is fine; nothing else can be done with a closed server.
func (s *Server) Close() error {
	<-s.turn
	defer s.yieldTurn()
	if s.closed {
		return nil
	}
	s.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	err := s.stop(ctx, Immediate)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		err = s.kill(ctx)
	}
	if s.proc.Load() != nil {
		if s.segment == 0 {
			s.segment = sharedSegment(s.dataDir()) // of a postmaster that died without our doing
		}
		err = errors.Join(err, removeSegment(s.segment))
	}
	if err := errors.Join(err, s.removeDir()); err != nil {
		return fmt.Errorf("close PostgreSQL in %s: %w", s.opts.Dir, err)
	}
	return nil
}

func (s *Server) takeTurn(ctx context.Context) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return fmt.Errorf("wait for another call on PostgreSQL in %s: %w", s.opts.Dir, ctx.Err())
	}
	if s.closed {
		s.yieldTurn()
		return fmt.Errorf("PostgreSQL in %s is closed", s.opts.Dir)
	}
	return nil
}

func (s *Server) yieldTurn() { s.turn <- struct{}{} }
