package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// account is the unprivileged user that servers run as when we are root, as PostgreSQL refuses to run as root.
// It is nil when we are not root: then servers run as ourselves.
type account struct {
	name     string
	uid, gid int
}

// serverAccount picks the user postgres, or else nobody.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		return &account{name: name, uid: uid, gid: gid}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")
}

// own gives a file or directory that we made to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// canReach tells whether the account may pass through path and every directory above it; the error names the one in its way.
func (a *account) canReach(path string) error {
	if a == nil {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for dir := real; ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !a.mayPass(fi) {
			return fmt.Errorf("user %s cannot reach %s: %s is %s", a.name, path, dir, fi.Mode())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a *account) mayPass(fi fs.FileInfo) bool {
	uid, gid := ownerOf(fi)
	switch {
	case uid == a.uid:
		return fi.Mode().Perm()&0o100 != 0
	case gid == a.gid:
		return fi.Mode().Perm()&0o010 != 0
	}
	return fi.Mode().Perm()&0o001 != 0
}

// TempDir creates a new directory that servers started by this process can use, even when we are root and they are not;
// os.MkdirTemp and testing's TempDir make ones that only their owner can enter.
// The caller removes it, after the servers in it are closed.
func TempDir(prefix string) (string, error) {
	acct, err := serverAccount()
	if err != nil {
		return "", fmt.Errorf("create a directory for a server: %w", err)
	}
	var bars []string
	for _, base := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if err := acct.canReach(base); err != nil {
			bars = append(bars, err.Error())
			continue
		}
		dir, err := os.MkdirTemp(base, prefix)
		if err != nil {
			bars = append(bars, err.Error())
			continue
		}
		if err := errors.Join(os.Chmod(dir, 0o755), acct.own(dir)); err != nil {
			return "", errors.Join(fmt.Errorf("open %s to the server: %w", dir, err), os.Remove(dir))
		}
		return dir, nil
	}
	return "", fmt.Errorf("create a directory for a server: %s", strings.Join(bars, "; "))
}

// CheckDir tells whether servers started by this process can live in a directory that is there: when we are root they
// are not, and may be barred from it. The error names the directory in the way.
func CheckDir(dir string) error {
	acct, err := serverAccount()
	if err != nil {
		return err
	}
	return acct.canReach(dir)
}

// makePublicDir creates dir, and what lacks above it, open for everyone to read. A directory that is there stays as it is.
func makePublicDir(dir string) error {
	if fi, err := os.Stat(dir); err == nil {
		if !fi.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makePublicDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return nil
		}
		return err
	}
	return os.Chmod(dir, 0o755) // the umask may have taken it away
}
