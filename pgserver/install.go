package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinMajor and MaxMajor bound the PostgreSQL versions that pgbridge supports.
const (
	MinMajor = 14
	MaxMajor = 18
)

// ErrNotInstalled is what Find's error wraps when no suitable server binaries are on this machine.
var ErrNotInstalled = errors.New("PostgreSQL server not found")

// Install is one set of PostgreSQL server binaries.
type Install struct {
	Major   int
	Version string // as postgres --version says it: "15.18"
	Bin     string // directory that holds initdb, postgres and pg_ctl
	Cached  bool   // downloaded by Fetch, rather than installed on the system
}

// String reads like "PostgreSQL 15.18 in /usr/lib/postgresql/15/bin".
func (in Install) String() string {
	return fmt.Sprintf("PostgreSQL %s in %s", in.Version, in.Bin)
}

// Tool returns the path of a program that comes with PostgreSQL (psql, pg_dump, pgbench, …).
// Downloaded servers lack most of them; then the system's, of the same or else of the newest version, is returned:
// psql and pgbench work with any server, pg_dump with servers that are not newer than itself.
func (in Install) Tool(name string) (string, error) {
	dirs := []string{in.Bin}
	system := systemBins()
	same := "/" + strconv.Itoa(in.Major) + "/"
	slices.SortStableFunc(system, func(a, b string) int {
		return boolOrder(strings.Contains(b, same), strings.Contains(a, same))
	})
	dirs = append(dirs, system...)
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: in none of %s", name, strings.Join(dirs, ", "))
}

// Find returns the server binaries of a major version that are on this machine: the system's, or else those that
// Fetch has put into the cache. Major 0 asks for the newest supported version of the system, or else of the cache.
// It downloads nothing. When root asks, binaries that the unprivileged server user cannot reach do not count.
func Find(major int) (Install, error) {
	if major != 0 && (major < MinMajor || major > MaxMajor) {
		return Install{}, fmt.Errorf("find PostgreSQL %d: supported are %d to %d", major, MinMajor, MaxMajor)
	}
	acct, err := serverAccount()
	if err != nil {
		return Install{}, fmt.Errorf("find PostgreSQL: %w", err)
	}
	var passed []string // what was there but did not do, and why
	pick := func(bins []string, cached bool) (Install, bool) {
		var best Install
		for _, bin := range bins {
			in, err := probe(bin)
			if err != nil {
				passed = append(passed, err.Error())
				continue
			}
			in.Cached = cached
			switch {
			case in.Major < MinMajor || in.Major > MaxMajor:
				passed = append(passed, fmt.Sprintf("%s is not supported", in))
			case major != 0 && in.Major != major:
				passed = append(passed, fmt.Sprintf("%s is another version", in))
			case in.Major <= best.Major:
			default:
				if err := acct.canReach(bin); err != nil {
					passed = append(passed, fmt.Sprintf("%s: %v", in, err))
					continue
				}
				best = in
			}
		}
		return best, best.Major != 0
	}
	system := systemBins()
	if in, ok := pick(system, false); ok {
		return in, nil
	}
	cached := cachedBins()
	if in, ok := pick(cached, true); ok {
		return in, nil
	}
	return Install{}, notFound(major, append(system, cached...), passed)
}

// Get returns the server binaries of a major version: those that Find finds, or else those that Fetch downloads.
// Major 0 is never downloaded.
func Get(ctx context.Context, major int) (Install, error) {
	in, err := Find(major)
	if err == nil || major == 0 || !errors.Is(err, ErrNotInstalled) {
		return in, err
	}
	if _, ok := packageVersion(major); !ok {
		return Install{}, err
	}
	return Fetch(ctx, major)
}

func notFound(major int, bins, passed []string) error {
	what := fmt.Sprintf("PostgreSQL %d", major)
	deb, rpm := fmt.Sprintf("postgresql-%d", major), fmt.Sprintf("postgresql%d-server", major)
	if major == 0 {
		what = fmt.Sprintf("PostgreSQL %d to %d", MinMajor, MaxMajor)
		deb, rpm = "postgresql", "postgresql-server"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "looked for initdb and postgres of %s in %s, PATH, pg_config --bindir and the cache %s",
		what, strings.Join(systemPatterns(), ", "), CacheDir())
	if len(bins) == 0 {
		b.WriteString("; there is no PostgreSQL server in any of them")
	}
	for _, p := range passed {
		b.WriteString("; " + p)
	}
	fmt.Fprintf(&b, "; to install: make setup, or apt-get install %s, or dnf install %s", deb, rpm)
	return fmt.Errorf("%w: %s", ErrNotInstalled, b.String())
}

// systemPatterns lists where distributions put the server binaries.
func systemPatterns() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",       // Debian, Ubuntu
		"/usr/pgsql-*/bin",                // PGDG on Red Hat and kin
		"/usr/libexec/postgresql*",        // Alpine
		"/usr/local/pgsql/bin",            // built from source
		"/usr/lib/postgresql*/bin",        // SUSE
		"/opt/homebrew/opt/postgres*/bin", // Homebrew
		"/usr/local/opt/postgres*/bin",
	}
}

// systemBins returns the directories outside of the cache that hold initdb and postgres, the newest first.
func systemBins() []string {
	var dirs []string
	for _, pattern := range systemPatterns() {
		found, _ := filepath.Glob(pattern) // fails only on a malformed pattern
		slices.SortFunc(found, func(a, b string) int { return lastNumber(b) - lastNumber(a) })
		dirs = append(dirs, found...)
	}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	if out, err := runShort("pg_config", "--bindir"); err == nil {
		dirs = append(dirs, out)
	}
	return serverBins(dirs)
}

func cachedBins() []string {
	var dirs []string
	for _, major := range slices.Backward(Fetchable()) {
		dirs = append(dirs, filepath.Join(cachedInstall(major), "bin"))
	}
	return serverBins(dirs)
}

// serverBins keeps the directories that hold server binaries, each once.
func serverBins(dirs []string) []string {
	var bins []string
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || !isExecutable(filepath.Join(dir, "initdb")) {
			continue
		}
		// A link to initdb in /usr/bin stands for the directory it points into.
		target, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb"))
		if err != nil {
			continue
		}
		bin := filepath.Dir(target)
		if isExecutable(filepath.Join(bin, "postgres")) && !slices.Contains(bins, bin) {
			bins = append(bins, bin)
		}
	}
	return bins
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// probe asks the binaries in bin for their version.
func probe(bin string) (Install, error) {
	path := filepath.Join(bin, "postgres")
	out, err := runShort(path, "--version")
	if err != nil {
		return Install{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return Install{}, fmt.Errorf("ask %s for its version: it says %q", path, out)
	}
	major, err := strconv.Atoi(m[2])
	if err != nil {
		return Install{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return Install{Major: major, Version: m[1], Bin: bin}, nil
}

// runShort runs a program that answers at once and returns its trimmed standard output.
func runShort(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

func isExecutable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode().Perm()&0o111 != 0
}

var digits = regexp.MustCompile(`\d+`)

// lastNumber is the version number in a path such as /usr/lib/postgresql/15/bin; 0 when there is none.
func lastNumber(path string) int {
	all := digits.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1]) // a number too long for an int is no version
	return n
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
