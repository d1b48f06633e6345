package check

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps keys in a temporary file, in the order they were added: first all are added, then all are taken.
// Without a key there is no file.
type spool struct {
	file *os.File
	w    *bufio.Writer
	r    *bufio.Reader
}

// Add puts a key at the end.
func (s *spool) Add(key []string) error {
	if s.file == nil {
		file, err := os.CreateTemp("", "bridge-check-")
		if err != nil {
			return fmt.Errorf("make a file for differing keys: %w", err)
		}
		s.file, s.w = file, bufio.NewWriter(file)
	}
	b := binary.AppendUvarint(nil, uint64(len(key)))
	for _, k := range key {
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("keep a differing key: %w", err)
	}
	return nil
}

// Next takes up to n keys; none are left when it returns none.
func (s *spool) Next(n int) ([][]string, error) {
	if s.file == nil {
		return nil, nil
	}
	if s.r == nil {
		if err := s.w.Flush(); err != nil {
			return nil, fmt.Errorf("keep differing keys: %w", err)
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read differing keys: %w", err)
		}
		s.r = bufio.NewReader(s.file)
	}
	var keys [][]string
	for len(keys) < n {
		key, err := s.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read differing keys: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// read returns io.EOF at the end, and only there.
func (s *spool) read() ([]string, error) {
	n, err := binary.ReadUvarint(s.r)
	if err != nil {
		return nil, err
	}
	key := make([]string, n)
	for i := range key {
		size, err := binary.ReadUvarint(s.r)
		if err != nil {
			return nil, noEOF(err)
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return nil, noEOF(err)
		}
		key[i] = string(b)
	}
	return key, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close removes the file.
func (s *spool) Close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
