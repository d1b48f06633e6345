package config

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const (
	envPrefix   = "BRIDGE_"
	replicasKey = "replicas"
)

// setting is one key of the file outside of the list of replicas. Its default is written as a person would write it,
// and goes through the same parsing as what a person wrote.
type setting struct {
	key  string
	def  string
	list bool
}

func settings() []setting {
	return []setting{
		{key: "master.url"},
		{key: "master.slot", def: "bridge"},
		{key: "master.publication", def: "bridge"},
		{key: "master.tables.include", def: "*", list: true},
		{key: "master.tables.exclude", list: true},
		{key: "log.retain_for", def: "24h"},
		{key: "log.retain_bytes", def: "10GiB"},
		{key: "window.transactions", def: "4000"},
		{key: "window.bytes", def: "8MiB"},
		{key: "window.delay", def: "0s"},
		{key: "copy.workers", def: strconv.Itoa(copyWorkers(runtime.NumCPU()))},
		{key: "prefetch.workers", def: "1"},
	}
}

// copyWorkers is how many connections copy by default where the bridge has so many cores. Each keeps a core of the master and of
// the replica busy, but not one of the bridge, and both have other work.
func copyWorkers(cores int) int { return min(max(cores/2, 2), 8) }

// replicaFields are the keys of one replica.
func replicaFields() []string { return []string{"name", "url", "zone"} }

// notBuilt are the sections that the configuration will have one day.
func notBuilt() []string { return []string{"router", "console"} }

const notBuiltYet = "not built yet"

func findSetting(key string) (setting, bool) {
	for _, s := range settings() {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// isSection reports whether keys stand below this one.
func isSection(key string) bool {
	return slices.ContainsFunc(settings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// envName is the variable that sets a key, given as viper's path (replicas.0.url).
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// suggestKey says what to do about a key that is not known: the nearest valid one, or, when none is near, those that
// may stand in its place. parent is the section it was found in ("" at the top, replicas[0] in a replica).
func suggestKey(parent, name string) string {
	full := joinKey(parent, name)
	siblings := childKeys(parent)
	best, bestDistance := "", 1<<30
	consider := func(candidate string, distance int) {
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	for _, s := range siblings {
		consider(joinKey(parent, s), distance(name, s))
	}
	for _, s := range settings() {
		consider(s.key, distance(full, s.key))
		last := s.key[strings.LastIndexByte(s.key, '.')+1:]
		consider(s.key, 1+distance(name, last))
	}
	if bestDistance <= max(1, len(name)/2) {
		return fmt.Sprintf("did you mean %s?", best)
	}
	where := "at the top"
	if parent != "" {
		where = "in " + parent
	}
	return fmt.Sprintf("valid %s: %s", where, strings.Join(siblings, ", "))
}

// suggestEnv is suggestKey for a variable that begins with the name of a section's variables, as BRIDGE_LOG does.
func suggestEnv(name, section string) string {
	var all, below []string
	for _, s := range settings() {
		all = append(all, envName(s.key))
	}
	for _, field := range replicaFields() {
		all = append(all, envName(replicasKey+".0."+field))
	}
	best, bestDistance := "", 1<<30
	for _, candidate := range all {
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
		if strings.HasPrefix(candidate, section) {
			below = append(below, candidate)
		}
	}
	if bestDistance <= (len(name)-len(envPrefix))/3 {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "unset it; valid here: " + strings.Join(below, ", ")
}

func childKeys(parent string) []string {
	if strings.HasPrefix(parent, replicasKey+"[") {
		return replicaFields()
	}
	var children []string
	for _, s := range settings() {
		rest := s.key
		if parent != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(s.key, parent+"."); !ok {
				continue
			}
		}
		child, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(children, child) {
			children = append(children, child)
		}
	}
	if parent == "" {
		children = append(children, replicasKey)
	}
	return children
}

func joinKey(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// distance is the number of characters to insert, delete, replace or swap with their neighbour to make b of a.
// Case counts for nothing. What is too long to be a misspelling is simply far.
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if len(x) > 100 || len(y) > 100 {
		return max(len(x), len(y))
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
