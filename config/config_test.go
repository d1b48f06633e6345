package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// clearEnvironment takes away what the developer's shell or another test would add.
func clearEnvironment(t testing.TB) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, "PG") {
			t.Setenv(name, "") // restores it afterwards
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func defaults(url URL, replicas ...Replica) *Config {
	return &Config{
		Master: Master{
			URL: url, Slot: "bridge", Publication: "bridge",
			Tables: Tables{Include: []string{"*"}},
		},
		Log:      Log{RetainFor: 24 * time.Hour, RetainBytes: 10 << 30},
		Window:   Window{Transactions: 4000, Bytes: 8 << 20},
		Copy:     Copy{Workers: copyWorkers(runtime.NumCPU())},
		Prefetch: Prefetch{Workers: 1},
		Replicas: replicas,
	}
}

const masterURL = "postgres://bridge@db.example:5432/app"

func TestLoad(t *testing.T) {
	full := defaults(masterURL,
		Replica{Name: "EU-1", URL: "postgres://bridge@eu.example:5432/app", Zone: "eu-west"},
		Replica{Name: "007", URL: "host=us.example dbname=app user=bridge"})
	full.Master.Slot = "bridge_2"
	full.Master.Publication = "Bridge Two"
	full.Master.Tables = Tables{Include: []string{"sales.*", "Orders"}, Exclude: []string{"*.audit"}}
	full.Log = Log{RetainFor: 7 * 24 * time.Hour, RetainBytes: 512 << 10}
	full.Window = Window{Transactions: 1, Bytes: 4096, Delay: 2 * time.Millisecond}
	full.Copy, full.Prefetch = Copy{Workers: 5}, Prefetch{Workers: 3}

	fromEnv := defaults(masterURL, Replica{Name: "eu", URL: "postgres://bridge@eu.example/app"})
	fromEnv.Master.Tables = Tables{Include: []string{"sales.*", "public.a"}, Exclude: []string{"x"}}
	fromEnv.Log.RetainFor = time.Hour

	over := defaults("postgres://bridge@other.example:5432/app",
		Replica{Name: "eu", URL: "postgres://bridge@eu2.example/app"},
		Replica{Name: "us", URL: "postgres://bridge@us.example/app", Zone: "us"})

	tests := []struct {
		name string
		yaml string // empty: no file
		env  map[string]string
		want *Config
	}{
		{name: "the master's URL alone is enough", yaml: "master: {url: " + masterURL + "}", want: defaults(masterURL)},
		{name: "a minimal file is the master's URL and one replica's",
			yaml: "master:\n  url: " + masterURL + "\nreplicas:\n  - {name: eu, url: postgres://bridge@eu.example/app}\n",
			want: defaults(masterURL, Replica{Name: "eu", URL: "postgres://bridge@eu.example/app"})},
		{name: "everything set, and kept as it was written",
			yaml: `
master:
  url: ` + masterURL + `
  slot: bridge_2
  publication: Bridge Two
  tables: {include: ["sales.*", Orders], exclude: ["*.audit"]}
log: {retain_for: 7d, retain_bytes: 512kB}
window: {transactions: 1, bytes: 4096, delay: 2ms}
copy: {workers: 5}
prefetch: {workers: 3}
replicas:
  - name: EU-1
    url: postgres://bridge@eu.example:5432/app
    zone: eu-west
  - name: 007
    url: host=us.example dbname=app user=bridge
`, want: full},
		{name: "empty sections and keys mean the defaults",
			yaml: "master:\n  url: " + masterURL + "\n  slot:\n  tables:\nlog:\nwindow: ~\nreplicas:\n", want: defaults(masterURL)},
		{name: "only the environment",
			env: map[string]string{
				"BRIDGE_MASTER_URL":            masterURL,
				"BRIDGE_MASTER_TABLES_INCLUDE": "sales.*, public.a",
				"BRIDGE_MASTER_TABLES_EXCLUDE": "x",
				"BRIDGE_LOG_RETAIN_FOR":        "1h",
				"BRIDGE_REPLICAS_0_NAME":       "eu",
				"BRIDGE_REPLICAS_0_URL":        "postgres://bridge@eu.example/app",
			}, want: fromEnv},
		{name: "the environment wins over the file, and adds a replica",
			yaml: "master: {url: " + masterURL + "}\nreplicas: [{name: eu, url: postgres://bridge@eu.example/app}]",
			env: map[string]string{
				"BRIDGE_MASTER_URL":      "postgres://bridge@other.example:5432/app",
				"BRIDGE_REPLICAS_0_URL":  "postgres://bridge@eu2.example/app",
				"BRIDGE_REPLICAS_1_NAME": "us",
				"BRIDGE_REPLICAS_1_URL":  "postgres://bridge@us.example/app",
				"BRIDGE_REPLICAS_1_ZONE": "us",
			}, want: over},
		{name: "empty, foreign and Kubernetes variables count for nothing",
			yaml: "master: {url: " + masterURL + "}",
			env: map[string]string{
				"BRIDGE_MASTER_SLOT":           "",
				"BRIDGE_ROUTER_LISTEN":         "",
				"BRIDGE_VERSION":               "3",
				"BRIDGE_SERVICE_HOST":          "10.0.0.1",
				"BRIDGE_MASTER_PORT":           "tcp://10.0.0.1:5432",
				"BRIDGE_MASTER_PORT_5432_TCP":  "tcp://10.0.0.1:5432",
				"BRIDGE_ROUTER_SERVICE_PORT":   "6432",
				"BRIDGE_MASTER_SERVICE_PORT_A": "6432",
			}, want: defaults(masterURL)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clearEnvironment(t)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			path := ""
			if tt.yaml != "" {
				path = write(t, tt.yaml)
			}
			got, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("Load is\n%v\nwant\n%v", got, tt.want)
			}
		})
	}
}

func TestEveryKeyCanBeSetFromTheEnvironment(t *testing.T) {
	clearEnvironment(t)
	values := map[string]string{
		"master.url": masterURL, "master.slot": "s", "master.publication": "p",
		"master.tables.include": "a.b", "master.tables.exclude": "a.c",
		"log.retain_for": "1h0m0s", "log.retain_bytes": "3GiB",
		"window.transactions": "7", "window.bytes": "5MiB", "window.delay": "3ms", "copy.workers": "6", "prefetch.workers": "0",
	}
	for _, s := range settings() {
		if values[s.key] == "" {
			t.Fatalf("no value to try for %s", s.key)
		}
		t.Setenv(envName(s.key), values[s.key])
	}
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range c.attrs() {
		if want := values[a.Key]; a.Value.String() != want {
			t.Errorf("%s=%s, want %s", a.Key, a.Value, want)
		}
	}
}

func TestLoadFaults(t *testing.T) {
	const master = "master: {url: " + masterURL + "}\n"
	tests := []struct {
		name string
		yaml string
		env  map[string]string
		want []string // the keys, in order …
		say  []string // … and what the error must say
	}{
		{name: "nothing at all", yaml: "# empty\n", want: []string{"master.url"}, say: []string{"missing", "BRIDGE_MASTER_URL"}},
		{name: "all faults at once",
			yaml: "master: {slot: No, publication: ''}\nlog: {retain_for: 24, retain_bytes: 0}\nwindow: {transactions: -1, bytes: lots, delay: -1s}\ncopy: {workers: 0}\nprefetch: {workers: -1}\nreplicas: [{name: a b}]\n",
			want: []string{"master.slot", "master.publication", "log.retain_for", "log.retain_bytes", "window.transactions", "window.bytes", "window.delay", "copy.workers", "prefetch.workers",
				"master.url", "replicas[0].name", "replicas[0].url"},
			say: []string{"12 faults", "bridge.yaml:1", `"24" is not a duration`, "24h or 7d", `"lots" is not a size`}},
		{name: "a misspelt section", yaml: "mastr: {url: x}\n" + master, want: []string{"mastr"}, say: []string{"unknown key", "did you mean master?", "bridge.yaml:1"}},
		{name: "a misspelt key", yaml: "master: {ulr: x, url: " + masterURL + "}", want: []string{"master.ulr"}, say: []string{"did you mean master.url?"}},
		{name: "a misspelt key in depth", yaml: "master: {url: " + masterURL + ", tables: {includes: [a.b]}}",
			want: []string{"master.tables.includes"}, say: []string{"did you mean master.tables.include?"}},
		{name: "a key in the wrong section", yaml: master + "retain_for: 1h", want: []string{"retain_for"}, say: []string{"did you mean log.retain_for?"}},
		{name: "a key in capitals", yaml: "Master: {url: " + masterURL + "}", want: []string{"Master", "master.url"}, say: []string{"did you mean master?"}},
		{name: "a key like nothing", yaml: master + "telemetry_endpoint: x", want: []string{"telemetry_endpoint"}, say: []string{"valid at the top: master, log, window, copy, prefetch, replicas"}},
		{name: "an unknown key of a replica", yaml: master + "replicas: [{name: eu, url: postgres://eu/app, zon: x}]",
			want: []string{"replicas[0].zon"}, say: []string{"did you mean replicas[0].zone?"}},
		{name: "a key given twice", yaml: master + "log: {retain_for: 1h, retain_for: 2h}", want: []string{"log.retain_for"}, say: []string{"given twice, first on line 2"}},
		{name: "a section given twice", yaml: master + master, want: []string{"master"}, say: []string{"given twice"}},
		{name: "a replica's key given twice", yaml: master + "replicas: [{name: eu, name: us, url: postgres://eu/app}]", want: []string{"replicas[0].name"}, say: []string{"given twice"}},
		{name: "two documents", yaml: master + "---\n" + master, want: []string{""}, say: []string{"more than one YAML document"}},
		{name: "rubbish after the document", yaml: master + "...\n}{\n", want: []string{""}, say: []string{"text after the end"}},
		{name: "not YAML", yaml: "master: [", want: []string{""}, say: []string{"not valid YAML", "line 1"}},
		{name: "a pattern without quotes", yaml: "master: {tables: {include: [*]}}", want: []string{""}, say: []string{`include: ["*"]`}},
		{name: "not a mapping", yaml: "- master", want: []string{"", "master.url"}, say: []string{"must be a section, but is a list"}},
		{name: "a value where a section belongs", yaml: "master: " + masterURL, want: []string{"master", "master.url"}, say: []string{"must be a section", "valid here: url, slot"}},
		{name: "a section where a value belongs", yaml: "master: {url: {host: x}}", want: []string{"master.url"}, say: []string{"must be a single value, but is a section"}},
		{name: "a value where a list belongs", yaml: "master: {url: " + masterURL + ", tables: {include: a.b}}", want: []string{"master.tables.include"}, say: []string{"must be a list"}},
		{name: "replicas as a mapping", yaml: master + "replicas: {eu: postgres://eu/app}", want: []string{"replicas"}, say: []string{"must be a list", "- name:"}},
		{name: "a replica that is only a URL", yaml: master + "replicas: [postgres://eu/app]", want: []string{"replicas[0]", "replicas[0].name", "replicas[0].url"}, say: []string{"must have name and url"}},
		{name: "an alias", yaml: "master: &m {url: " + masterURL + "}\nlog: *m", want: []string{"log"}, say: []string{"is an alias"}},
		{name: "a merge key", yaml: "master: &m {url: " + masterURL + "}\nlog: {<<: *m}", want: []string{"log"}, say: []string{"merge keys are not read"}},
		{name: "a tag", yaml: "master: {url: " + masterURL + ", slot: !!binary aGk=}", want: []string{"master.slot"}, say: []string{"tags are not read"}},
		{name: "an empty include list", yaml: "master: {url: " + masterURL + ", tables: {include: []}}", want: []string{"master.tables.include"}, say: []string{"replicates nothing"}},
		{name: "bad patterns", yaml: "master: {url: " + masterURL + `, tables: {include: ["a.", ".b", "", "\"x\".y", "pg_catalog.*", "bridge.x"]}}`,
			want: []string{"master.tables.include", "master.tables.include", "master.tables.include", "master.tables.include", "master.tables.include", "master.tables.include"},
			say:  []string{"lacks a schema or a table", "contains a quote", "never replicated"}},
		{name: "names that collide", yaml: master + "replicas: [{name: eu, url: postgres://a/app}, {name: eu, url: postgres://b/app}, {name: master, url: postgres://c/app}]",
			want: []string{"replicas[1].name", "replicas[2].name"}, say: []string{`"eu" is also the name of replicas[0]`}},
		{name: "master and replica in one database", yaml: master + "replicas: [{name: eu, url: host=DB.example dbname=app user=other}]",
			want: []string{"replicas[0].url"}, say: []string{"names the same database as master.url (db.example:5432/app)"}},
		{name: "two replicas in one database, one of several hosts", yaml: master + "replicas: [{name: a, url: 'postgres://localhost/app'}, {name: b, url: 'postgres://x,127.0.0.1:5432/app'}]",
			want: []string{"replicas[1].url"}, say: []string{"the same database as replicas[0].url"}},
		{name: "ClickHouse", yaml: master + "replicas: [{name: ch, url: 'clickhouse://bridge:hush@ch.example:9000/app'}]", want: []string{"replicas[0].url"}, say: []string{"not built yet"}},
		{name: "a scheme that nobody knows", yaml: "master: {url: 'mysql://u:hush@h/db?a=b'}", want: []string{"master.url"}, say: []string{`scheme "mysql" is not known`}},
		{name: "a port that is none", yaml: "master: {url: 'postgres://u:hush@h:port/db'}", want: []string{"master.url"}, say: []string{"the port is not a number"}},
		{name: "an sslmode that is none", yaml: "master: {url: 'postgres://u:hush@h/db?sslmode=maybe'}", want: []string{"master.url"}, say: []string{"sslmode is invalid"}},
		{name: "a certificate that is not there", yaml: "master: {url: 'postgres://u:hush@h/db?sslmode=verify-full&sslrootcert=/nowhere/ca.pem'}", want: []string{"master.url"}, say: []string{"/nowhere/ca.pem"}},
		{name: "a password with an unescaped @", yaml: "master: {url: 'postgres://u:p@hush@h/db'}", want: []string{"master.url"}, say: []string{"%40"}},
		{name: "a password with an unescaped slash", yaml: "master: {url: 'postgres://u:p/hush@h/db'}", want: []string{"master.url"}},
		{name: "an escape that is none", yaml: "master: {url: 'postgres://u:%hush@h/db'}", want: []string{"master.url"}, say: []string{"not a connection string"}},
		{name: "a key=value string with a broken password", yaml: "master: {url: 'host=h password=a hush'}", want: []string{"master.url"}, say: []string{"not a connection string"}},
		{name: "an unterminated quote", yaml: "master: {url: \"host=h password='hush\"}", want: []string{"master.url"}},
		{name: "a connection string under the wrong keys", yaml: master + "log: {retain_for: 'postgres://u:hush@h/db', 'postgres://u:hush@h/db': 1}",
			want: []string{"xxxxx", "log.retain_for"}},
		{name: "router and console", yaml: master + "router: {listen: ':6432'}\nconsole:\n", want: []string{"router", "console"}, say: []string{"not built yet"}},
		{name: "router and console from the environment", yaml: master,
			env:  map[string]string{"BRIDGE_ROUTER_LISTEN": ":6432", "BRIDGE_CONSOLE_LISTEN": ":8432"},
			want: []string{"console", "router"}, say: []string{"(BRIDGE_ROUTER_LISTEN): not built yet", "(BRIDGE_CONSOLE_LISTEN): not built yet"}},
		{name: "misspelt variables", yaml: master,
			env:  map[string]string{"BRIDGE_MASTER_URI": "hush", "BRIDGE_REPLICA_0_NAME": "x", "BRIDGE_LOG": "debug"},
			want: []string{"BRIDGE_LOG", "BRIDGE_MASTER_URI", "BRIDGE_REPLICA_0_NAME"}, say: []string{"did you mean BRIDGE_MASTER_URL?", "did you mean BRIDGE_REPLICAS_0_NAME?", "unset it; valid here: BRIDGE_LOG_RETAIN_FOR, BRIDGE_LOG_RETAIN_BYTES"}},
		{name: "a bad value from the environment", yaml: master, env: map[string]string{"BRIDGE_WINDOW_BYTES": "8 megs"},
			want: []string{"window.bytes"}, say: []string{"window.bytes (BRIDGE_WINDOW_BYTES):"}},
		{name: "a gap between replicas", yaml: master, env: map[string]string{"BRIDGE_REPLICAS_1_URL": "postgres://b/app"},
			want: []string{"replicas[1]"}, say: []string{"there is no replica 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clearEnvironment(t)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			c, err := Load(write(t, tt.yaml))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Load is %v, %v, want an *Error", c, err)
			}
			var keys []string
			for _, f := range e.Faults {
				keys = append(keys, f.Key)
			}
			if !sameKeys(keys, tt.want) {
				t.Errorf("faults at %q, want %q", keys, tt.want)
			}
			for _, say := range tt.say {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("the error does not say %q", say)
				}
			}
			if strings.Contains(err.Error(), "hush") {
				t.Error("the error shows the password")
			}
			if t.Failed() || testing.Verbose() {
				t.Log(err)
			}
		})
	}
}

// sameKeys compares without order: what comes first is not promised.
func sameKeys(a, b []string) bool {
	count := map[string]int{}
	for _, k := range a {
		count[k]++
	}
	for _, k := range b {
		count[k]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestLoadUnreadable(t *testing.T) {
	clearEnvironment(t)
	large := write(t, strings.Repeat("#", maxFileBytes+1))
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.yaml"), t.TempDir(), large} {
		_, err := Load(path)
		var e *Error
		if !errors.As(err, &e) || len(e.Faults) != 1 {
			t.Errorf("Load(%s) is %v, want one fault", path, err)
		}
	}
}

// The files in examples/ are what people start from.
func TestExamples(t *testing.T) {
	clearEnvironment(t)
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("%d files in examples/, want at least 3", len(files))
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Replicas) == 0 {
				t.Error("no replica, want at least one")
			}
		})
	}
}

// The full example shows the defaults, and every key.
func TestFullExampleShowsDefaults(t *testing.T) {
	clearEnvironment(t)
	text, err := os.ReadFile("../examples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := &file{path: "full.yaml", values: map[string]any{}, lines: map[string]string{}}
	f.parse(text)
	for _, s := range settings() {
		if f.lines[s.key] == "" {
			t.Errorf("%s is not shown", s.key)
		}
	}
	c, err := Load("../examples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := defaults(c.Master.URL, c.Replicas...)
	want.Copy.Workers = copyWorkers(2) // of a small machine
	if c.String() != want.String() {
		t.Errorf("full.yaml is\n%s\nwant the defaults\n%s", c, want)
	}
}

func TestConfigNeverShowsSecrets(t *testing.T) {
	c := defaults("postgres://bridge:hush@db.example/app", Replica{Name: "eu", URL: "host=eu password='hush'"})
	marshalled, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("x", "pointer", c, "value", *c, "url", c.Master.URL, "replicas", c.Replicas)
	}
	shown := strings.Join([]string{
		c.String(), string(marshalled), logged.String(),
		fmt.Sprint(c, *c, c.Master, c.Master.URL), fmt.Sprintf("%v %+v %#v", *c, *c, *c),
		fmt.Sprintf("%s %q %x %#v", c.Master.URL, c.Master.URL, c.Master.URL, c.Master.URL),
	}, "\n")
	if strings.Contains(shown, "hush") || strings.Contains(shown, fmt.Sprintf("%x", "hush")) {
		t.Errorf("the password is shown:\n%s", shown)
	}
	if !strings.Contains(shown, "postgres://bridge:xxxxx@db.example/app") {
		t.Errorf("the rest of the URL is not shown:\n%s", shown)
	}
}

func FuzzLoad(f *testing.F) {
	clearEnvironment(f)
	f.Add("master: {url: " + masterURL + "}\nreplicas: [{name: eu, url: postgres://eu/app}]")
	f.Add("master: &a [*a]\n<<: *a\n")
	f.Add("? [a]\n: b\n---\n!!binary x")
	f.Add("log: {retain_for: 1d2h, retain_bytes: 9223372036854775807TiB}")
	f.Add("window:\n\tbytes: 8MiB")
	f.Add("\xff\xfe\x00")
	path := filepath.Join(f.TempDir(), "bridge.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parameter := range []string{"service", "passfile", "ssl"} {
			if strings.Contains(text, parameter) {
				t.Skip("names files")
			}
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		var e *Error
		switch {
		case err == nil:
			_ = c.String()
		case !errors.As(err, &e) || len(e.Faults) == 0 || c != nil:
			t.Fatalf("Load is %v, %v, want an *Error with faults and no Config", c, err)
		}
	})
}

func TestCopyWorkersByDefault(t *testing.T) {
	for cores, want := range map[int]int{1: 2, 2: 2, 4: 2, 8: 4, 16: 8, 128: 8} {
		if got := copyWorkers(cores); got != want {
			t.Errorf("%d cores: %d workers, want %d", cores, got, want)
		}
	}
}
