package config

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// URL is a connection string, postgres://… or key=value, with whatever secrets it holds. However it is printed, logged
// or marshalled, it shows itself redacted; string(u) is the real one, for connecting.
type URL string

// String is Redact of the URL.
func (u URL) String() string { return Redact(string(u)) }

// GoString keeps %#v from showing secrets.
func (u URL) GoString() string { return strconv.Quote(u.String()) }

// LogValue keeps slog from showing secrets.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText keeps JSON and the like from showing secrets.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

var _ slog.LogValuer = URL("")

const mask = "xxxxx"

// plainURL is a URL whose parts can not be mistaken for one another: the password is where it should be, or there is none.
var plainURL = func() *regexp.Regexp {
	const (
		word  = `[^:@/?#\s]*`
		host  = `(?:[A-Za-z0-9._%~-]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]*)?`
		hosts = host + `(?:,` + host + `)*`
	)
	return regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://)` + // 1: scheme
		`(?:(` + word + `)(:` + word + `)?@)?` + // 2: user, 3: password
		`(` + hosts + `(?:/` + word + `)?)` + // 4: hosts, ports and database
		`(?:\?([^#@\s]*))?$`) // 5: query
}()

// Redact removes the secrets from a connection string, so that it can be shown: the password of a URL, the values of
// password and the like in a query or in key=value form. It errs on the side of showing too little: values of keys
// it does not know are masked, and of a string that is not well formed nothing but the scheme is left.
func Redact(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if scheme := schemeOf(text); scheme != "" {
		redacted, ok := redactURL(text)
		if !ok {
			return scheme + "://" + mask
		}
		return redacted
	}
	pairs, ok := splitDSN(text)
	if !ok {
		return mask
	}
	words := make([]string, len(pairs))
	for i, p := range pairs {
		value := p.quoted
		if !showable(p.key) {
			value = mask
		}
		words[i] = p.key + "=" + value
	}
	return strings.Join(words, " ")
}

// schemeOf is the word before ://, in lower case; empty when the text is no URL.
func schemeOf(text string) string {
	scheme, _, found := strings.Cut(text, "://")
	if !found || strings.ContainsAny(scheme, "= \t\r\n'@/") {
		return ""
	}
	return strings.ToLower(scheme)
}

func redactURL(text string) (string, bool) {
	m := plainURL.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	scheme, user, password, hosts, query := m[1], m[2], m[3], m[4], m[5]
	var b strings.Builder
	b.WriteString(scheme)
	if user != "" || password != "" {
		b.WriteString(user)
		if password != "" {
			b.WriteString(":" + mask)
		}
		b.WriteString("@")
	}
	b.WriteString(hosts)
	if query == "" {
		return b.String(), true
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		rawKey, _, found := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(rawKey)
		if !found || err != nil {
			return "", false
		}
		if !showable(key) {
			pairs[i] = rawKey + "=" + mask
		}
	}
	b.WriteString("?" + strings.Join(pairs, "&"))
	return b.String(), true
}

// showable reports whether the value of a connection parameter is no secret. What is not listed is masked, because
// what stands behind an unescaped & or space of a password looks like one more parameter.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
func showable(key string) bool {
	switch key {
	case "host", "hostaddr", "port", "dbname", "database", "user", "service", "servicefile", "passfile",
		"sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "sslcertmode",
		"ssl_min_protocol_version", "ssl_max_protocol_version", "min_protocol_version", "max_protocol_version",
		"gssencmode", "krbsrvname", "krbspn", "gsslib", "requirepeer", "require_auth", "channel_binding",
		"connect_timeout", "client_encoding", "application_name", "fallback_application_name",
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"target_session_attrs", "load_balance_hosts", "search_path", "timezone", "statement_timeout":
		return true
	}
	return false
}

type dsnPair struct {
	key    string
	quoted string // the value as it was written
}

// splitDSN reads libpq's key=value form; false when it is not well formed.
func splitDSN(text string) ([]dsnPair, bool) {
	const space = " \t\r\n\f\v"
	var pairs []dsnPair
	for {
		text = strings.TrimLeft(text, space)
		if text == "" {
			return pairs, true
		}
		key, rest, found := strings.Cut(text, "=")
		key = strings.TrimRight(key, space)
		if !found || key == "" || strings.ContainsAny(key, space+`'\`) {
			return nil, false
		}
		rest = strings.TrimLeft(rest, space)
		end, ok := dsnValueEnd(rest)
		if !ok {
			return nil, false
		}
		pairs = append(pairs, dsnPair{key: key, quoted: rest[:end]})
		text = rest[end:]
	}
}

func dsnValueEnd(text string) (end int, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		end = 1
	}
	for end < len(text) {
		switch c := text[end]; {
		case c == '\\':
			end++ // and the character it protects
			if end == len(text) {
				return 0, false
			}
		case quoted && c == '\'':
			return end + 1, true
		case !quoted && strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			return end, true
		}
		end++
	}
	return end, !quoted
}

// endpoint is a database, as far as a connection string can tell.
type endpoint struct {
	host     string
	port     uint16
	database string
}

func (e endpoint) String() string {
	return net.JoinHostPort(e.host, strconv.Itoa(int(e.port))) + "/" + e.database
}

// checkURL says what is wrong with a connection string, and what to do, without repeating any of its secrets;
// or all the places that it may lead to.
func checkURL(text string) (endpoints []endpoint, problem, hint string) {
	switch scheme := schemeOf(text); scheme {
	case "", "postgres", "postgresql":
	case "clickhouse":
		return nil, "ClickHouse replicas are " + notBuiltYet, "remove the replica"
	default:
		return nil, "the scheme " + strconv.Quote(scheme) + " is not known", "write postgres://user@host:5432/database"
	}
	parsed, err := pgconn.ParseConfig(text)
	if err != nil {
		problem, hint = explainParseError(err)
		return nil, problem, hint
	}
	database := parsed.Database
	if database == "" {
		database = parsed.User // as the server does
	}
	add := func(host string, port uint16) {
		endpoints = append(endpoints, endpoint{host: canonicalHost(host), port: port, database: database})
	}
	add(parsed.Host, parsed.Port)
	for _, f := range parsed.Fallbacks {
		add(f.Host, f.Port)
	}
	for _, e := range endpoints {
		if strings.Contains(e.host, "@") {
			return nil, "a host contains @", "write an @ in a password as %40"
		}
	}
	return endpoints, "", ""
}

func canonicalHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip := net.ParseIP(host); ip != nil {
		if ip.IsLoopback() {
			return "localhost"
		}
		return ip.String()
	}
	return host
}

// explainParseError puts a parse error into words of ours: pgconn repeats the connection string, and masks its
// password only as well as it can.
func explainParseError(err error) (problem, hint string) {
	const form = "write postgres://user@host:5432/database, special characters of a password as %XX, or key=value pairs"
	inner := errors.Unwrap(err)
	text := err.Error()
	if inner != nil {
		text = strings.TrimSuffix(text, " ("+inner.Error()+")")
	}
	ends := func(message string) bool { return strings.HasSuffix(text, "`: "+message) }
	switch {
	case inner != nil && (ends("failed to read service") || ends("failed to configure TLS")):
		return inner.Error(), "check the service, passfile and ssl… parameters, and the files they name"
	case ends("invalid port"):
		return "the port is not a number from 1 to 65535", form
	case ends("invalid connect_timeout"):
		return "connect_timeout is not a number of seconds", ""
	case strings.Contains(text, "target_session_attrs"):
		return "target_session_attrs is not known", "see libpq's documentation for its values"
	}
	return "not a connection string", form
}
