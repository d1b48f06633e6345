package demo

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// logEvents shows what the bridge logs as a warning or an error. Of what it says again and again about the same
// replica, in other words each time, only the first is shown; the log file has all.
type logEvents struct {
	ui *display

	mu   sync.Mutex
	last map[string]time.Time // when a message was logged last
}

// quietFor is how long a message must not have come to be shown again.
const quietFor = 15 * time.Second

// longestEvent bounds an event, in characters.
const longestEvent = 160

var _ slog.Handler = (*logEvents)(nil)

func (h *logEvents) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs and WithGroup change nothing: the bridge names what it speaks of in each record.
func (h *logEvents) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *logEvents) WithGroup(string) slog.Handler      { return h }

func (h *logEvents) Handle(_ context.Context, r slog.Record) error {
	about, reason := "", ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "replica":
			about = fmt.Sprintf(" (%s)", a.Value)
		case "error":
			reason = fmt.Sprintf(": %s", a.Value)
		}
		return true
	})
	if h.again(r.Message+about, r.Time) {
		return nil
	}
	text := oneLine("bridge log: " + r.Message + about + reason)
	if short := cut(text, longestEvent); short != text {
		text = short + "…"
	}
	h.ui.event("%s", text)
	return nil
}

// again notes a message, and says whether it has come a short time ago.
func (h *logEvents) again(message string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[string]time.Time{}
	}
	before, known := h.last[message]
	h.last[message] = now
	return known && now.Sub(before) < quietFor
}
