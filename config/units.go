package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseSize reads 8MiB, 512kB, 100 B or 4096. As in PostgreSQL, a kB is 1024 bytes; case counts for nothing.
func parseSize(text string) (int64, error) {
	text = strings.TrimSpace(text)
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a size", display(text))
	}
	shift := 0
	switch strings.ToLower(strings.TrimSpace(text[end:])) {
	case "", "b":
	case "kb", "kib":
		shift = 10
	case "mb", "mib":
		shift = 20
	case "gb", "gib":
		shift = 30
	case "tb", "tib":
		shift = 40
	default:
		return 0, fmt.Errorf("%s is not a size", display(text))
	}
	if n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s is too large", display(text))
	}
	return n << shift, nil
}

// formatSize writes what parseSize reads, in the largest unit that leaves a whole number.
func formatSize(bytes int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for unit < len(units)-1 && bytes != 0 && bytes%1024 == 0 {
		bytes /= 1024
		unit++
	}
	return strconv.FormatInt(bytes, 10) + units[unit]
}

// parseDuration reads what time.ParseDuration reads, with whole days before it: 7d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	text = strings.TrimSpace(text)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("%s is not a duration", display(text))
		}
		return d, nil
	}
	n, err := strconv.ParseUint(days, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s is not a duration", display(text))
	}
	var d time.Duration
	if rest != "" {
		if d, err = time.ParseDuration(rest); err != nil || d < 0 || rest[0] == '+' {
			return 0, fmt.Errorf("%s is not a duration", display(text))
		}
	}
	if n > uint64((math.MaxInt64-d)/day) {
		return 0, fmt.Errorf("%s is too long", display(text))
	}
	return time.Duration(n)*day + d, nil
}
