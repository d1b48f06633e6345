package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errPortTaken means that the server ended because another process has its port.
var errPortTaken = errors.New("the port is taken")

// initialize runs initdb unless the data directory is already filled.
func (s *Server) initialize(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(s.dataDir(), "PG_VERSION"))
	if err == nil {
		if has := strings.TrimSpace(string(text)); has != strconv.Itoa(s.opts.Install.Major) {
			return fmt.Errorf("the data in %s is of PostgreSQL %s", s.dataDir(), has)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	messages, err := s.initdb(ctx, "C.UTF-8")
	if err != nil && strings.Contains(messages, "invalid locale") {
		messages, err = s.initdb(ctx, "C")
	}
	if err != nil {
		return fmt.Errorf("initdb in %s: %w: %s", s.dataDir(), err, strings.TrimSpace(messages))
	}
	return nil
}

// initdb returns what the program of this name had to say.
func (s *Server) initdb(ctx context.Context, locale string) (string, error) {
	args := []string{
		"--pgdata=" + s.dataDir(),
		"--username=" + s.opts.User,
		"--auth=trust",
		"--encoding=UTF8",
		"--locale=" + locale,
		"--no-sync",
		"--no-instructions",
	}
	cmd := s.command("initdb", append(args, s.opts.InitdbArgs...)...)
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &messages, &messages
	cmd.WaitDelay = 5 * time.Second
	p, err := startProcess(cmd, s.acct)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
		err = p.err
	case <-ctx.Done():
		err = errors.Join(ctx.Err(), p.killGroup())
		<-p.done
	}
	return messages.String(), err
}

// command prepares one of the server's programs, with a working directory that it can read (ours may be closed to it)
// and without the variables that would change what it does.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.opts.Install.Bin, name), args...)
	cmd.Dir = s.dataDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG")
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	return cmd
}

// Start brings a server back that was stopped or killed, on the same data and port, and returns when it accepts
// connections, recovery included. It is an error if the server runs. After an error it does not run.
func (s *Server) Start(ctx context.Context) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.yieldTurn()
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("start %s on port %d: %w", s.opts.Install, s.port, err)
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	if last := s.proc.Load(); last != nil {
		if last.running() {
			return errors.New("it runs already")
		}
		// The processes of a postmaster that died without our doing may still be on their way out.
		if err := awaitDetached(ctx, s.dataDir()); err != nil {
			return err
		}
		if err := s.removeLockFiles(); err != nil {
			return err
		}
	}
	if err := s.writeSettings(); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	logFile, err := os.OpenFile(s.opts.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer logFile.Close()
	fi, err := logFile.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}

	cmd := s.command("postgres", "-D", s.dataDir())
	cmd.Stdout, cmd.Stderr = logFile, logFile
	p, err := startProcess(cmd, s.acct)
	if err != nil {
		return err
	}
	s.proc.Store(p)
	err = s.awaitReady(ctx, p)
	if err == nil {
		s.segment = 0 // the new server has taken it over
		return nil
	}
	said, _ := s.logFrom(fi.Size()) // without it the error says less
	if strings.Contains(said, "could not bind") {
		err = errors.Join(errPortTaken, err)
	}
	err = fmt.Errorf("%w; its log %s ends:\n%s", err, s.opts.LogFile, s.LogTail(20))
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	return errors.Join(err, s.kill(patience))
}

// awaitReady returns when the server answers a query, has ended, or answers what cannot change by waiting.
func (s *Server) awaitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %w", p.exit())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-tick.C:
		}
		if last = s.ask(ctx); last == nil {
			return nil
		}
		const cannotConnectNow = "57P03"
		if pg, ok := errors.AsType[*pgconn.PgError](last); ok && pg.Code != cannotConnectNow {
			return last
		}
	}
}

// ask connects, and makes sure that it is this server that answers, not another that has taken the port.
func (s *Server) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "show data_directory").Scan(&dir); err != nil {
		return err
	}
	if filepath.Clean(dir) != s.dataDir() {
		return fmt.Errorf("%w by the server of %s", errPortTaken, dir)
	}
	return nil
}

// freePort picks a port below those that the kernel gives to outgoing connections. Among those, a client that tries to
// reconnect to a killed server can be given the server's own port, connect to itself, and keep the server from coming back.
func freePort() (int, error) {
	const lowest = 10000
	highest := 32767
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) == 2 {
			if n, err := strconv.Atoi(fields[0]); err == nil && n > lowest+1000 {
				highest = n - 1
			}
		}
	}
	var last error
	for range 100 {
		port := lowest + rand.IntN(highest-lowest+1)
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}
