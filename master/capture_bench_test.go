package master

import (
	"fmt"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// BenchmarkCapture says what the event triggers add to a command in a database of 2,000 tables, in a session that has run
// such commands before.
func BenchmarkCapture(b *testing.B) {
	for _, installed := range []bool{false, true} {
		major := pgtest.Versions(b)[0]
		m := newMachine(b, pgtest.SharedVersion(b, major))
		for i := range 4 {
			m.do(fmt.Sprintf(`
				do $$
				begin
					for i in %d .. %d loop
						execute format('create table t%%s (id bigserial primary key, a text not null default ''x'', b numeric(10,2) check (b > 0), c timestamptz default now())', i);
						execute format('create index on t%%s (c)', i);
					end loop;
				end $$`, i*500, i*500+499))
		}
		m.do(`create table part (k int primary key, v text) partition by range (k); create index on part (v)`)
		for i := range 100 {
			m.do(fmt.Sprintf(`create table part_%d partition of part for values from (%d) to (%d)`, i, i, i+1))
		}
		name := "without"
		if installed {
			name = "with"
			m.init()
		}
		for _, tt := range []struct{ name, sql, undo string }{
			{"create table", `create table fresh (id bigint primary key, a text, b int)`, `drop table fresh`},
			{"add column", `alter table t7 add column added int`, `alter table t7 drop column added`},
			{"alter type", `alter table t7 alter a type varchar(100)`, `alter table t7 alter a type text`},
			{"create index", `create index fresh on t7 (b)`, `drop index fresh`},
			{"create view", `create view fresh as select * from t7`, `drop view fresh`},
			{"attach partition", `create table fresh partition of part for values from (5000) to (6000)`, `alter table part detach partition fresh; drop table fresh`},
			{"comment", `comment on table t7 is 'x'`, `comment on table t7 is null`},
			{"grant", `grant select on t7 to public`, `revoke select on t7 from public`},
		} {
			b.Run(name+"/"+tt.name, func(b *testing.B) {
				for range 8 { // the first ones plan
					doOn(b, m.Conn, tt.sql)
					doOn(b, m.Conn, tt.undo)
				}
				for b.Loop() {
					doOn(b, m.Conn, tt.sql)
					b.StopTimer()
					doOn(b, m.Conn, tt.undo)
					b.StartTimer()
				}
			})
		}
		b.Run(name+"/create table in a new session", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				conn := m.connect("")
				doOn(b, conn, `select 1`)
				b.StartTimer()
				doOn(b, conn, `create table fresh (id bigint primary key, a text, b int)`)
				b.StopTimer()
				doOn(b, conn, `drop table fresh`)
				conn.Close(b.Context())
				b.StartTimer()
			}
		})
		if installed {
			b.Run("capture_all", func(b *testing.B) {
				for b.Loop() {
					m.do(`select bridge.capture_all()`)
				}
			})
			m.drop()
		}
	}
}
