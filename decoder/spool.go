package decoder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps byte strings in order: in memory up to a limit, then in an unnamed
// temporary file that is gone when it is closed or the process ends.
// Not for concurrent use.
type spool struct {
	dir    string
	limit  int
	memory []byte
	file   *os.File
	w      *bufio.Writer
	total  int64
}

// add appends a copy of the joined pieces as one entry.
func (s *spool) add(pieces ...[]byte) error {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	s.memory = binary.AppendUvarint(s.memory, uint64(size))
	for _, p := range pieces {
		s.memory = append(s.memory, p...)
	}
	s.total += int64(size)
	if len(s.memory) < s.limit {
		return nil
	}
	return s.spill()
}

func (s *spool) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "pgbridge-transaction-*")
		if err != nil {
			return fmt.Errorf("create a file for a large transaction: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			f.Close()
			return fmt.Errorf("unlink the file of a large transaction: %w", err)
		}
		s.file, s.w = f, bufio.NewWriterSize(f, 256<<10)
	}
	if _, err := s.w.Write(s.memory); err != nil {
		return fmt.Errorf("write a large transaction to a temporary file in %s: %w", s.where(), err)
	}
	s.memory = s.memory[:0]
	return nil
}

func (s *spool) where() string {
	if s.dir != "" {
		return s.dir
	}
	return os.TempDir()
}

// each calls f with every entry in order; the bytes are valid during the call.
// It can be called more than once, but not between calls of add.
func (s *spool) each(f func([]byte) error) error {
	rest := s.memory
	if s.file != nil {
		if err := s.spill(); err != nil {
			return err
		}
		if err := s.w.Flush(); err != nil {
			return fmt.Errorf("write a large transaction to a temporary file in %s: %w", s.where(), err)
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("rewind the file of a large transaction: %w", err)
		}
		r := bufio.NewReaderSize(s.file, 256<<10)
		var entry []byte
		for {
			size, err := binary.ReadUvarint(r)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read back a large transaction: %w", err)
			}
			if uint64(cap(entry)) < size {
				entry = make([]byte, size)
			}
			entry = entry[:size]
			if _, err := io.ReadFull(r, entry); err != nil {
				return fmt.Errorf("read back a large transaction: %w", err)
			}
			if err := f(entry); err != nil {
				return err
			}
		}
	}
	for len(rest) > 0 {
		size, n := binary.Uvarint(rest)
		if err := f(rest[n : n+int(size)]); err != nil {
			return err
		}
		rest = rest[n+int(size):]
	}
	return nil
}

// close frees the memory and the file.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close() // the file has no name: closing it frees it
	}
	*s = spool{dir: s.dir, limit: s.limit}
}
