package decoder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entries collects what each gives.
func entries(t *testing.T, s *spool) (list []string) {
	t.Helper()
	if err := s.each(func(b []byte) error {
		list = append(list, string(b))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSpoolKeepsOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  int
		onDisk bool
	}{
		{"in memory", 1 << 20, false},
		{"in a file", 1, true},
		{"in a file, the end in memory", 300, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spool{dir: t.TempDir(), limit: c.limit}
			defer s.close()
			var want []string
			var total int64
			for i := range 200 {
				piece := strings.Repeat("x", i) // longer than a one byte length, too
				if err := s.add([]byte("entry "), fmt.Append(nil, i), []byte(piece)); err != nil {
					t.Fatal(err)
				}
				want = append(want, fmt.Sprintf("entry %d%s", i, piece))
				total += int64(len(want[i]))
			}
			if s.total != total {
				t.Errorf("total %d, want %d", s.total, total)
			}
			if (s.file != nil) != c.onDisk {
				t.Errorf("in a file: %v, want %v", s.file != nil, c.onDisk)
			}
			for range 2 {
				if got := entries(t, &s); strings.Join(got, "|") != strings.Join(want, "|") {
					t.Fatalf("got %d entries: %.100q", len(got), got)
				}
			}
			// Also behind a reading that ended early.
			stop := errors.New("stop")
			if err := s.each(func([]byte) error { return stop }); !errors.Is(err, stop) {
				t.Fatalf("got %v, want what the function returned", err)
			}
			if got := entries(t, &s); len(got) != len(want) {
				t.Fatalf("%d entries, want %d", len(got), len(want))
			}
		})
	}
}

func TestSpoolKeepsEmptyEntries(t *testing.T) {
	for _, limit := range []int{1, 1 << 20} {
		s := spool{dir: t.TempDir(), limit: limit}
		defer s.close()
		for range 3 {
			if err := s.add(); err != nil {
				t.Fatal(err)
			}
		}
		if got := entries(t, &s); len(got) != 3 {
			t.Errorf("limit %d: %d entries, want 3", limit, len(got))
		}
	}
}

func TestSpoolCopiesWhatItGets(t *testing.T) {
	s := spool{dir: t.TempDir(), limit: 1 << 20}
	b := []byte("before")
	if err := s.add(b); err != nil {
		t.Fatal(err)
	}
	copy(b, "behind")
	if got := entries(t, &s); got[0] != "before" {
		t.Errorf("got %s", got[0])
	}
}

func TestSpoolLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s := spool{dir: dir, limit: 1}
	if err := s.add(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	file := s.file
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("the file has a name: %v, %v", files, err)
	}
	s.close()
	s.close()
	if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open: %v", err)
	}
	if s.total != 0 || s.memory != nil || s.dir != dir || s.limit != 1 {
		t.Errorf("%+v can not be used again", s)
	}
	if err := s.add([]byte("again")); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, &s); len(got) != 1 || got[0] != "again" {
		t.Errorf("got %q", got)
	}
	s.close()
}

func TestSpoolNamesTheDirectoryThatFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not there")
	s := spool{dir: dir, limit: 1}
	err := s.add([]byte("x"))
	if err == nil || !strings.Contains(err.Error(), dir) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want an error that names %s", err, dir)
	}
	s.close()

	// A disk that fails while it is written.
	dir = t.TempDir()
	s = spool{dir: dir, limit: 1}
	defer s.close()
	if err := s.add([]byte("x")); err != nil {
		t.Fatal(err)
	}
	s.file.Close()
	for err = nil; err == nil && s.total < 1<<20; err = s.add(make([]byte, 64<<10)) {
	}
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names %s", err, dir)
	}
	if err := s.each(func([]byte) error { return nil }); err == nil {
		t.Error("each gives no error")
	}
}
