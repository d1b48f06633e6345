package pgserver

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// settingsFile is included from postgresql.conf and written anew at every start.
const settingsFile = "pgserver.conf"

// maxSocketPath is the longest path of a unix socket that Linux takes.
const maxSocketPath = 107

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$]*$`)

// settings returns what goes into postgresql.conf: the defaults, with what the options say on top.
func (s *Server) settings() map[string]string {
	all := map[string]string{
		// In the data directory, so that what a killed server leaves goes with it, not in /dev/shm.
		"dynamic_shared_memory_type": "mmap",

		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": s.SocketDir(),
		"max_connections":         "100",
		"shared_buffers":          "128MB",
		"wal_level":               "logical",
		"max_wal_senders":         "20",
		"max_replication_slots":   "20",
		"fsync":                   "on",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"log_line_prefix":         "%m [%p] %q%u@%d ",
		"lc_messages":             "C",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	for name, value := range s.opts.Settings {
		all[strings.ToLower(name)] = value
	}
	all["port"] = strconv.Itoa(s.port)
	return all
}

func checkSettings(settings map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		switch lower := strings.ToLower(name); {
		case !settingName.MatchString(name):
			errs = append(errs, fmt.Errorf("setting %q: this is not a parameter's name", name))
		case lower == "port" || lower == "data_directory":
			errs = append(errs, fmt.Errorf("setting %s: it is chosen by the options Port and Dir", name))
		case strings.ContainsAny(settings[name], "\n\r\x00"):
			errs = append(errs, fmt.Errorf("setting %s: the value %q has a line break", name, settings[name]))
		}
	}
	return errors.Join(errs...)
}

// writeSettings puts the settings into the data directory, where postgresql.conf includes them.
func (s *Server) writeSettings() error {
	var b strings.Builder
	b.WriteString("# Written anew whenever the server is started.\n")
	all := s.settings()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = %s\n", name, quoteSetting(all[name]))
	}
	path := filepath.Join(s.dataDir(), settingsFile)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return err
	}
	if err := s.acct.own(path); err != nil {
		return err
	}

	conf := filepath.Join(s.dataDir(), "postgresql.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	include := "include = '" + settingsFile + "'\n"
	if strings.Contains(string(text), "\n"+include) {
		return nil
	}
	return os.WriteFile(conf, []byte(string(text)+"\n"+include), 0o600)
}

// quoteSetting writes a value as postgresql.conf's scanner reads it: in single quotes, with backslash escapes.
func quoteSetting(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}
