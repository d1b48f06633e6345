package config

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"no password", "postgres://bridge@db:5432/app", "postgres://bridge@db:5432/app"},
		{"no user", "postgresql:///app?host=/tmp", "postgresql:///app?host=/tmp"},
		{"password", "postgres://bridge:hush@db:5432/app", "postgres://bridge:xxxxx@db:5432/app"},
		{"password without user", "postgres://:hush@db/app", "postgres://:xxxxx@db/app"},
		{"empty password", "postgres://u:@db/app", "postgres://u:xxxxx@db/app"},
		{"several hosts", "postgres://u:hush@a:1,[::1]:2,c/app?sslmode=require", "postgres://u:xxxxx@a:1,[::1]:2,c/app?sslmode=require"},
		{"socket", "postgres://u:hush@%2Ftmp:5433/app", "postgres://u:xxxxx@%2Ftmp:5433/app"},
		{"query", "postgres://db/app?password=hush&user=u&sslpassword=hush", "postgres://db/app?password=xxxxx&user=u&sslpassword=xxxxx"},
		{"escaped query key", "postgres://db/app?pass%77ord=hush", "postgres://db/app?pass%77ord=xxxxx"},
		{"unescaped & in a query's password", "postgres://db/app?password=a&hush=hush", "postgres://db/app?password=xxxxx&hush=xxxxx"},
		{"unescaped & alone", "postgres://db/app?password=a&hush", "postgres://xxxxx"},
		{"ClickHouse", "clickhouse://u:hush@ch:9000/app", "clickhouse://u:xxxxx@ch:9000/app"},
		{"unescaped @", "postgres://u:p@hush@db/app", "postgres://xxxxx"},
		{"unescaped slash", "postgres://u:12/hush@db/app", "postgres://xxxxx"},
		{"unescaped question mark", "postgres://u:12?hush=@db/app", "postgres://xxxxx"},
		{"unescaped #", "postgres://u:p#hush@db/app", "postgres://xxxxx"},
		{"blanks", "postgres://u:p hush@db/app", "postgres://xxxxx"},
		{"no host", "postgres://u:hush", "postgres://xxxxx"},
		{"key=value", "host=db user=u password=hush dbname=app", "host=db user=u password=xxxxx dbname=app"},
		{"key=value with blanks", "host = db  password = 'hu\\'sh hush'", "host=db password=xxxxx"},
		{"key=value, escaped blank", `password=a\ hush host=db`, "password=xxxxx host=db"},
		{"key=value, blank in the password", "password=a hush=hush host=db", "password=xxxxx hush=xxxxx host=db"},
		{"key=value, unterminated", "host=db password='hush", "xxxxx"},
		{"key=value, URL as a value", "password=postgres://hush host=db", "password=xxxxx host=db"},
		{"a bare word", "hush", "xxxxx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Redact(tt.text); got != tt.want {
				t.Errorf("Redact(%s)=%s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

// Whatever a password is made of, it is not shown, nor is any error about it.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"x", "a@b", "1/2", "?a=b&", "%zz", "' host=", `\`, "#", ":", " port=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tail string) {
		const secret = "Hush7"
		for _, text := range []string{
			"postgres://u:" + secret + tail + "@h/db",
			"postgres://u:" + tail + secret + "@h/db",
			"host=h password=" + secret + tail,
			"host=h password='" + secret + tail + "'",
		} {
			if got := Redact(text); strings.Contains(got, secret) {
				t.Errorf("Redact(%q)=%q", text, got)
			}
			if strings.Contains(tail, "ssl") || strings.Contains(tail, "service") {
				continue // names files
			}
			if _, problem, hint := checkURL(text); strings.Contains(problem+hint, secret) {
				t.Errorf("checkURL(%q) says %q; %q", text, problem, hint)
			}
		}
	})
}
