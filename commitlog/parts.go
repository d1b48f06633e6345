package commitlog

import (
	"io"
	"os"
)

// parts keeps byte strings one behind the other in an unnamed temporary file, for readers that come and go. Whoever has it guards it; what it
// has once given can be read without a lock, for what is written stays.
type parts struct {
	file *os.File // nil before there is one
	ends []int64  // where they end in the file
}

// open makes the file, which is gone when it is closed, or the process ends. It need not be called before add.
func (p *parts) open() error {
	f, err := os.CreateTemp("", "pgbridge-parts-*")
	if err != nil {
		return err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return err
	}
	p.file = f
	return nil
}

// size is how many bytes there are.
func (p *parts) size() int64 {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// add adds a part, from 0 on.
func (p *parts) add(part []byte) error {
	if p.file == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	start := p.size()
	if _, err := p.file.WriteAt(part, start); err != nil {
		return err
	}
	p.ends = append(p.ends, start+int64(len(part)))
	return nil
}

// part gives part n; nil: it is not there yet.
func (p *parts) part(n int) *io.SectionReader {
	if n >= len(p.ends) {
		return nil
	}
	start := int64(0)
	if n > 0 {
		start = p.ends[n-1]
	}
	return io.NewSectionReader(p.file, start, p.ends[n]-start)
}

func (p *parts) close() {
	if p.file != nil {
		p.file.Close() // it has no name: closing it frees it
	}
}

// readPart reads what part has given.
func readPart(r *io.SectionReader) ([]byte, error) {
	b := make([]byte, r.Size())
	_, err := io.ReadFull(r, b)
	return b, err
}
