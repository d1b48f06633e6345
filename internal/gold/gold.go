// Package gold compares what a test made with what is checked in under testdata.
//
// With -update the files are written anew, and the diff is read like code. Without
// it nothing is written: a file that is not there is a failure.
package gold

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files under testdata anew")

// Bytes compares with testdata/NAME.bin. Beside it stands NAME.hex, for who reviews.
func Bytes(t testing.TB, name string, got []byte) {
	t.Helper()
	file(t, name+".bin", got, func(b []byte) string { return hex.Dump(b) })
	file(t, name+".hex", []byte(hex.Dump(got)), func(b []byte) string { return string(b) })
}

// Text compares with testdata/NAME.
func Text(t testing.TB, name, got string) {
	t.Helper()
	file(t, name, []byte(got), func(b []byte) string { return string(b) })
}

func file(t testing.TB, name string, got []byte, show func([]byte) string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (-update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: got\n%s\nwant\n%s\n(-update accepts)", path, show(got), show(want))
	}
}

// Transcript runs testdata/NAME, a file of questions and answers: a question, a line
// of four dashes, what answer makes of it, an empty line. The first line of a
// question is its title, behind "# ".
func Transcript(t *testing.T, name string, answer func(t *testing.T, question string) string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var written strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		question, want, ok := strings.Cut(part+"\n", "\n----\n")
		if !ok && !*update {
			t.Fatalf("%s: no ---- behind %q (-update writes it)", path, part)
		}
		question = strings.TrimSpace(question)
		title, _, _ := strings.Cut(question, "\n")
		t.Run(strings.TrimPrefix(title, "# "), func(t *testing.T) {
			got := strings.TrimSpace(answer(t, question))
			if strings.Contains(got, "\n\n") {
				t.Fatalf("the answer has an empty line, which ends it:\n%s", got)
			}
			written.WriteString(question + "\n----\n" + got + "\n\n")
			if want := strings.TrimSpace(want); got != want && !*update {
				t.Errorf("got\n%s\nwant\n%s\n(-update accepts)", got, want)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(path, []byte(strings.TrimSpace(written.String())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
