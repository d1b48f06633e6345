package itest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pgbridge/pgbridge/pgserver"
)

// tinyDisk mounts a small file system that a server can keep a tablespace in. Where
// that is not permitted the test is skipped.
func tinyDisk(t testing.TB, s *pgserver.Server, size string) string {
	t.Helper()
	dir := filepath.Join(s.Dir(), "tiny")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENODEV) {
		t.Skipf("NOT TESTED, needs the privilege to mount a file system: %v", err)
	}
	if err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	// The server's files belong to whom its data belongs.
	var owner unix.Stat_t
	if err := unix.Stat(filepath.Join(s.Dir(), "data"), &owner); err != nil {
		t.Fatal(err)
	}
	space := filepath.Join(dir, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, space} {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFullDiskOfAReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 2)
	disk := tinyDisk(t, w.replicas[0], "48M")
	admin := w.replicas[0].URL("postgres")
	w.exec(admin, "drop database app")
	w.exec(admin, "create tablespace tiny location '"+filepath.Join(disk, "space")+"'")
	w.exec(admin, "create database app tablespace tiny")
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	w.run()
	w.wait()
	ballast := filepath.Join(disk, "ballast")
	free := func() int64 {
		var fs unix.Statfs_t
		if err := unix.Statfs(disk, &fs); err != nil {
			t.Fatal(err)
		}
		return int64(fs.Bavail) * fs.Bsize
	}
	for round := range 2 {
		if err := os.WriteFile(ballast, make([]byte, free()-2<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		w.onMaster(fmt.Sprintf(`insert into a values (-%d, 'fits')`, round+1))
		w.wait()
		w.onMaster(fmt.Sprintf(`insert into a select i, md5(i::text) || md5((i + 1)::text) from generate_series(%d, %d) i`, round*40_000+1, (round+1)*40_000))
		w.told(0, "stopped: ", "No space left on device")
		rows := w.query(w.master.URL("app"), "select error from bridge.replica where name = 'r1'")
		if strings.Contains(rows[0], "bridge repair") || !strings.Contains(rows[0], "block ") {
			t.Errorf("a full disk is reported as %q", rows[0])
		}
		w.waitOne(1)
		if n := w.number(w.replicas[0].URL("app"), "select count(*) from a"); n != int64(round*40_000+round+1) {
			t.Errorf("replica shows %d rows with a full disk, want %d", n, round*40_000+round+1)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		w.wait()
		w.told(0, "streaming: ")
	}
	w.same()
}
