package config

import (
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	good := map[string]int64{
		"0": 0, "4096": 4096, "1B": 1, "512kB": 512 << 10, "512KiB": 512 << 10, "8MiB": 8 << 20, "8mb": 8 << 20,
		"10GiB": 10 << 30, "2 TB": 2 << 40, " 7 ": 7, "9223372036854775807": math.MaxInt64, "8388607TiB": 8388607 << 40,
	}
	for text, want := range good {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("parseSize(%q)=%d, %v, want %d", text, got, err, want)
		}
		again, err := parseSize(formatSize(got))
		if err != nil || again != got {
			t.Errorf("%q comes back as %s", text, formatSize(got))
		}
	}
	for _, text := range []string{"", "B", "-1", "+1", "1.5GiB", "1e3", "8 megs", "8388608TiB", "9223372036854775808", "0x10", "1k"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q)=%d, want an error", text, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	good := map[string]time.Duration{
		"0": 0, "0s": 0, "24h": day, "7d": 7 * day, "1d12h": 36 * time.Hour, "0d1ms": time.Millisecond,
		"-1s": -time.Second, "106751d": 106751 * day,
	}
	for text, want := range good {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q)=%s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "24", "d", "1.5d", "-1d", "1d-1h", "1d+1h", "1h1d", "1d1d", "106752d", "106751d24h", "99999999999d", "1w"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("parseDuration(%q)=%s, want an error", text, got)
		}
	}
}
