package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Error is a configuration that can not be used: all that is wrong with it, at once.
// The command exits with status 2 on it.
type Error struct {
	Path   string // the file; empty when only the environment was read
	Faults []Fault
}

// Fault is one thing wrong in a configuration. It never contains a secret.
type Fault struct {
	Key     string // full path (replicas[0].url), or the variable's name; empty when the file as a whole is meant
	Source  string // file and line, or the variable the value came from; empty when the value is a default or missing
	Problem string // what is wrong
	Hint    string // what to do; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	subject := "configuration"
	if e.Path != "" {
		subject = "configuration " + e.Path
	}
	if len(e.Faults) == 1 {
		fmt.Fprintf(&b, "%s: 1 fault", subject)
	} else {
		fmt.Fprintf(&b, "%s: %d faults", subject, len(e.Faults))
	}
	for _, f := range e.Faults {
		b.WriteString("\n  ")
		b.WriteString(f.String())
	}
	return b.String()
}

// String is the fault on one line: key (source): problem; hint.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Key)
	if f.Source != "" && f.Source != f.Key {
		if f.Key != "" {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "(%s)", f.Source)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Hint != "" {
		b.WriteString("; ")
		b.WriteString(f.Hint)
	}
	return b.String()
}

// maxDisplayed is how much of a wrong value, in bytes, a fault repeats.
const maxDisplayed = 80

// display quotes a value for a fault. A connection string that strayed under another key does not show its secrets.
func display(text string) string {
	return strconv.Quote(shorten(text))
}

// displayKey is display without the quotes.
func displayKey(key string) string {
	quoted := display(key)
	return quoted[1 : len(quoted)-1]
}

func shorten(text string) string {
	if strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "password") {
		return mask
	}
	if len(text) > maxDisplayed {
		return strings.ToValidUTF8(text[:maxDisplayed], "") + "…"
	}
	return text
}
