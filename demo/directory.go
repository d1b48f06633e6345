package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgbridge/pgbridge/pgserver"
)

// directory is where a demo lives: a directory for each server, and the files below. It belongs to one process at a
// time.
type directory struct {
	path      string
	temporary bool
	reused    bool // it held a demo already
	note      note
	unlock    func()
}

const (
	noteFile   = "demo.json"
	lockFile   = "demo.lock"
	logFile    = "bridge.log"
	configFile = "bridge.yaml"
)

// note is what a directory says of its demo, in demo.json.
type note struct {
	Format   int      `json:"format"` // 1
	Postgres int      `json:"postgres,omitempty"`
	Replicas []string `json:"replicas"`
	Made     []string `json:"made"` // servers that have their databases; others are made anew
}

const masterName = "master"

// replicaNames are given in this order.
var replicaNames = [MaxReplicas]string{"eu", "us", "asia", "africa", "brazil", "canada", "india", "japan"}

// openDirectory takes a directory for a demo with so many replicas; 0 leaves that to what is there. An *OptionError
// says why it can not be had.
func openDirectory(path string, replicas int) (_ *directory, err error) {
	if _, err := pgserver.Find(0); err != nil {
		return nil, err // before anything is made
	}
	d := &directory{path: path, temporary: path == "", note: note{Format: 1}, unlock: func() {}}
	if d.temporary {
		d.path, err = pgserver.TempDir("bridge-demo-")
	} else {
		d.path, err = filepath.Abs(path)
		if err == nil {
			err = d.take()
		}
	}
	if err == nil {
		err = d.setReplicas(replicas)
	}
	if err == nil {
		err = d.save()
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// take makes the directory, or looks whether the one that is there can be used, and locks it.
func (d *directory) take() error {
	entries, err := os.ReadDir(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDirectory(d.path); err != nil {
			return err
		}
	case err != nil:
		return refuse("look into the directory: %w", err)
	}
	if err := pgserver.CheckDir(d.path); err != nil {
		return refuse("%w; name another directory", err)
	}
	text, err := os.ReadFile(filepath.Join(d.path, noteFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		foreign := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == lockFile })
		if len(foreign) > 0 {
			return refuse("%s is not empty and holds no demo (it has %s): name an empty directory, or one that is not there yet",
				d.path, foreign[0].Name())
		}
	case err != nil:
		return refuse("read what demo the directory holds: %w", err)
	default:
		d.reused = true
		if err := json.Unmarshal(text, &d.note); err != nil {
			return refuse("%s can not be read: %w", filepath.Join(d.path, noteFile), err)
		}
		if err := d.note.check(); err != nil {
			return refuse("%s: %w", filepath.Join(d.path, noteFile), err)
		}
	}
	unlock, err := lock(filepath.Join(d.path, lockFile))
	if err != nil {
		return refuse("%w", err)
	}
	d.unlock = unlock
	return nil
}

// makeDirectory makes a directory that servers can live in. After an error it is not there.
func makeDirectory(path string) error {
	above := filepath.Dir(path)
	for {
		if _, err := os.Stat(above); err == nil || above == filepath.Dir(above) {
			break
		}
		above = filepath.Dir(above)
	}
	if err := pgserver.CheckDir(above); err != nil {
		return refuse("%w; name another directory", err)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return refuse("make the directory: %w", err)
	}
	if err := os.Chmod(path, 0o755); err != nil { // the umask may have taken it away
		return refuse("make the directory: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// check refuses what this program did not write.
func (n *note) check() error {
	if n.Format != 1 {
		return fmt.Errorf("format %d is not known to this program", n.Format)
	}
	if len(n.Replicas) > MaxReplicas || !slices.Equal(n.Replicas, replicaNames[:len(n.Replicas)]) {
		return fmt.Errorf("unknown replicas %s", strings.Join(n.Replicas, ", "))
	}
	return nil
}

func (d *directory) setReplicas(n int) error {
	has := len(d.note.Replicas)
	switch {
	case n == 0:
		n = max(has, 1)
		if has == 0 {
			n = DefaultReplicas
		}
	case n < has:
		return refuse("%s holds a demo with %d replicas, not %d: the log would be kept for those that are left out; "+
			"ask for %d or more, or name another directory", d.path, has, n, has)
	}
	d.note.Replicas = replicaNames[:n]
	return nil
}

// save writes demo.json.
func (d *directory) save() error {
	text, err := json.MarshalIndent(d.note, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", noteFile, err)
	}
	if err := os.WriteFile(filepath.Join(d.path, noteFile), append(text, '\n'), 0o644); err != nil {
		return refuse("write %s: %w", noteFile, err)
	}
	return nil
}

// server is the directory of one server. What an earlier demo left half made is removed.
func (d *directory) server(name string) (string, error) {
	path := filepath.Join(d.path, name)
	if slices.Contains(d.note.Made, name) {
		return path, nil
	}
	if err := os.RemoveAll(path); err != nil {
		return "", fmt.Errorf("remove what is left of server %s: %w", name, err)
	}
	return path, nil
}

// made notes that a server has its databases.
func (d *directory) made(name string) error {
	if slices.Contains(d.note.Made, name) {
		return nil
	}
	d.note.Made = append(d.note.Made, name)
	return d.save()
}

// farewell says what is left.
func (d *directory) farewell(program string) string {
	if d.temporary {
		return "Nothing is left behind: the servers have ended and " + d.path + " is removed."
	}
	return fmt.Sprintf("The servers have ended. The data stays in %s; %s demo --dir %s goes on with it.", d.path, program, d.path)
}

// close gives the directory back; a temporary one is removed.
func (d *directory) close() error {
	d.unlock()
	if !d.temporary || d.path == "" {
		return nil
	}
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("remove the temporary directory: %w", err)
	}
	return nil
}
