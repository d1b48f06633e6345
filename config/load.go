package config

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/viper"
)

// Load reads the file at path and the environment over it; with path "" it reads only the environment.
// Any error is an *Error that lists every fault.
func Load(path string) (*Config, error) {
	f := &file{}
	if path != "" {
		f = readFile(path)
	}
	if f.unreadable {
		return nil, &Error{Path: path, Faults: f.faults}
	}
	l := &loader{viper: viper.New(), lines: f.lines, faults: f.faults}
	if err := l.viper.MergeConfigMap(f.values); err != nil {
		l.fault("", err.Error(), "")
	}
	l.bind(f.replicas)
	c := l.config()
	if len(l.faults) > 0 {
		return nil, &Error{Path: path, Faults: l.faults}
	}
	return c, nil
}

// loader turns viper's text into a Config and collects the faults.
//
// Variables are bound one by one, not by AutomaticEnv: that ignores keys without a default, can not reach into lists,
// and lets a variable BRIDGE_LOG hide the whole section log.
type loader struct {
	viper    *viper.Viper
	lines    map[string]string // where the file sets a key
	replicas int
	faults   []Fault
}

// bind makes viper know every key, its default and its variable, and refuses variables that would set nothing.
func (l *loader) bind(replicasInFile int) {
	known := map[string]bool{}
	bind := func(key string) {
		known[envName(key)] = true
		if err := l.viper.BindEnv(key, envName(key)); err != nil {
			l.fault(key, err.Error(), "")
		}
	}
	for _, s := range settings() {
		bind(s.key)
		if s.def != "" {
			l.viper.SetDefault(s.key, s.def)
		}
	}

	set := bridgeVariables()
	l.replicas = replicasInFile
	for _, i := range replicaNumbers(set) {
		if i > l.replicas {
			l.fault(fmt.Sprintf("%s[%d]", replicasKey, i),
				fmt.Sprintf("set by %sREPLICAS_%d_…, but there is no replica %d", envPrefix, i, l.replicas),
				"number replicas from 0, without gaps")
			for _, field := range replicaFields() {
				known[envName(replicaPath(i, field))] = true
			}
			continue
		}
		l.replicas = max(l.replicas, i+1)
	}
	for i := range l.replicas {
		for _, field := range replicaFields() {
			bind(replicaPath(i, field))
		}
	}

	for _, name := range set {
		if !known[name] {
			l.refuse(name)
		}
	}
}

// maxReplicaNumber bounds what a variable's name can make us allocate.
const maxReplicaNumber = 999

// replicaNumbers are the i of all variables BRIDGE_REPLICAS_i_…, each once, in order.
func replicaNumbers(variables []string) []int {
	numbers := map[int]bool{}
	for _, name := range variables {
		rest, ok := strings.CutPrefix(name, envPrefix+"REPLICAS_")
		if !ok {
			continue
		}
		digits, field, _ := strings.Cut(rest, "_")
		i, err := strconv.Atoi(digits)
		if err != nil || i < 0 || i > maxReplicaNumber || strconv.Itoa(i) != digits || !slices.Contains(replicaFields(), strings.ToLower(field)) {
			continue
		}
		numbers[i] = true
	}
	return slices.Sorted(maps.Keys(numbers))
}

// bridgeVariables are the names of all variables of ours that have a value, in order.
func bridgeVariables() []string {
	var names []string
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// serviceLink matches what Kubernetes sets in every container for a service whose name begins with "bridge".
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// refuse reports a variable that no key has, if its name is in one of the configuration's sections.
func (l *loader) refuse(name string) {
	if serviceLink.MatchString(name) {
		return
	}
	in := func(section string) bool {
		prefix := envName(section)
		return name == prefix || strings.HasPrefix(name, prefix+"_")
	}
	for _, section := range notBuilt() {
		if in(section) {
			l.faults = append(l.faults, Fault{Key: section, Source: name, Problem: notBuiltYet, Hint: "unset the variable"})
			return
		}
	}
	sections := append(childKeys(""), "replica")
	if i := slices.IndexFunc(sections, in); i >= 0 {
		l.faults = append(l.faults, Fault{Key: name, Problem: "unknown variable", Hint: suggestEnv(name, envName(sections[i]))})
	}
}

// fault reports a key, given as viper's path, and where its value is from.
func (l *loader) fault(key, problem, hint string) {
	source := ""
	switch {
	case key == "":
	case os.Getenv(envName(key)) != "":
		source = envName(key)
	default:
		source = l.lines[key]
	}
	fault := Fault{Key: shownKey(key), Source: source, Problem: problem, Hint: hint}
	if source == "" && key != "" && slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == fault.Key }) {
		return // the file gives it, in a form that was refused already: it is not missing as well
	}
	l.faults = append(l.faults, fault)
}

// replicaPath is viper's path of a replica's key.
func replicaPath(i int, field string) string {
	return fmt.Sprintf("%s.%d.%s", replicasKey, i, field)
}

func shownKey(path string) string {
	parts := strings.Split(path, ".")
	if len(parts) != 3 || parts[0] != replicasKey {
		return path
	}
	return fmt.Sprintf("%s[%s].%s", replicasKey, parts[1], parts[2])
}

func (l *loader) config() *Config {
	c := &Config{
		Master: Master{
			Slot:        l.matching("master.slot", slotName, "a slot's name has 1 to 63 of a-z, 0-9 and _"),
			Publication: l.publication("master.publication"),
			Tables: Tables{
				Include: l.patterns("master.tables.include", true),
				Exclude: l.patterns("master.tables.exclude", false),
			},
		},
		Log: Log{
			RetainFor:   l.duration("log.retain_for", 1),
			RetainBytes: l.size("log.retain_bytes"),
		},
		Window: Window{
			Transactions: l.count("window.transactions", 1),
			Bytes:        l.size("window.bytes"),
			Delay:        l.duration("window.delay", 0),
		},
		Copy:     Copy{Workers: l.count("copy.workers", 1)},
		Prefetch: Prefetch{Workers: l.count("prefetch.workers", 0)},
	}
	endpoints := map[endpoint]string{} // which key took a database first
	c.Master.URL = l.url("master.url", endpoints)
	names := map[string]int{}
	for i := range l.replicas {
		r := Replica{
			Name: l.replicaName(i, names),
			URL:  l.url(replicaPath(i, "url"), endpoints),
			Zone: l.viper.GetString(replicaPath(i, "zone")),
		}
		c.Replicas = append(c.Replicas, r)
	}
	return c
}

var (
	slotName    = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
	replicaName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
)

func (l *loader) matching(key string, rule *regexp.Regexp, words string) string {
	text := l.viper.GetString(key)
	if !rule.MatchString(text) {
		l.fault(key, display(text)+" is not usable", words)
	}
	return text
}

func (l *loader) publication(key string) string {
	text := l.viper.GetString(key)
	if text == "" || len(text) > 63 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		l.fault(key, display(text)+" is not usable", "a publication's name has 1 to 63 bytes of UTF-8")
	}
	return text
}

func (l *loader) replicaName(i int, taken map[string]int) string {
	key := replicaPath(i, "name")
	text := l.viper.GetString(key)
	if text == "" {
		l.fault(key, "missing", "give the replica a name that is its own; 1 to 50 of A-Z, a-z, 0-9, _ and -")
		return ""
	}
	l.matching(key, replicaName, "a replica's name has 1 to 50 of A-Z, a-z, 0-9, _ and -")
	if text == "master" {
		l.fault(key, `"master" is the word for the master`, "choose another name")
	}
	if first, ok := taken[text]; ok {
		l.fault(key, fmt.Sprintf("%s is also the name of %s[%d]", display(text), replicasKey, first), "names must be unique: they are how the master knows its replicas")
		return text
	}
	taken[text] = i
	return text
}

func (l *loader) patterns(key string, include bool) []string {
	var patterns []string
	switch value := l.viper.Get(key).(type) {
	case nil:
	case string: // from the environment, or a default
		for p := range strings.SplitSeq(value, ",") {
			patterns = append(patterns, strings.TrimSpace(p))
		}
	default:
		patterns = l.viper.GetStringSlice(key)
	}
	if include && len(patterns) == 0 {
		l.fault(key, "an empty list replicates nothing", "remove the key to replicate every table of every user schema")
	}
	for _, p := range patterns {
		if problem, hint := checkPattern(p, include); problem != "" {
			l.fault(key, display(p)+" "+problem, hint)
		}
	}
	return patterns
}

func (l *loader) count(key string, least int) int {
	text := l.viper.GetString(key)
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		l.fault(key, fmt.Sprintf("%s is not a whole number from %d up", display(text), least), "")
	}
	return n
}

func (l *loader) size(key string) int64 {
	text := l.viper.GetString(key)
	n, err := parseSize(text)
	if err != nil {
		l.fault(key, err.Error(), "write 512kB, 8MiB, 10GiB, or a number of bytes")
		return 0
	}
	if n < 1 {
		l.fault(key, display(text)+" is not above 0", "")
	}
	return n
}

func (l *loader) duration(key string, least time.Duration) time.Duration {
	text := l.viper.GetString(key)
	d, err := parseDuration(text)
	if err != nil {
		l.fault(key, err.Error(), "write 500ms, 30s, 24h or 7d")
		return 0
	}
	if d < least {
		words := "is not above 0"
		if least == 0 {
			words = "is below 0"
		}
		l.fault(key, display(text)+" "+words, "")
	}
	return d
}

func (l *loader) url(key string, taken map[endpoint]string) URL {
	text := l.viper.GetString(key)
	if strings.TrimSpace(text) == "" {
		l.fault(key, "missing", fmt.Sprintf("set it in the file, or %s in the environment: postgres://user@host:5432/database", envName(key)))
		return ""
	}
	endpoints, problem, hint := checkURL(text)
	if problem != "" {
		l.fault(key, problem, hint)
		return ""
	}
	for _, e := range endpoints {
		if first, ok := taken[e]; ok && first != key {
			l.fault(key, fmt.Sprintf("names the same database as %s (%s)", shownKey(first), e), "master and replicas must be different databases")
			return URL(text)
		}
	}
	for _, e := range endpoints {
		taken[e] = key
	}
	return URL(text)
}
