#!/usr/bin/env bash
# Installs what only the benchmarks want beside a PostgreSQL server: the extension pglogical, for the server that they run.
# They go on without it; so whatever is in the way here is said, and no failure.
set -euo pipefail
cd "$(dirname "$0")/.."

without() {
	printf 'bench: %s; the comparisons go on without pglogical\n' "$*" >&2
	exit 0
}

# The newest server in the places of distributions that keep versions apart, as pgserver finds it.
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -V | while read -r dir; do
	[ -x "$dir/postgres" ] && printf '%s\n' "$dir"
done | tail -n 1) || true
[ -n "$bin" ] || without "no PostgreSQL server in a place that packages of pglogical are for"
major=$("$bin/postgres" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')

for library in "${bin%/bin}"/lib/pglogical.so; do
	if [ -e "$library" ]; then
		printf 'bench: pglogical is installed for PostgreSQL %s\n' "$major"
		exit 0
	fi
done

as_root=()
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || without "installing pglogical needs root or sudo without a password"
	as_root=(sudo -n)
fi

printf 'bench: installing pglogical for PostgreSQL %s\n' "$major"
if command -v apt-get >/dev/null; then
	apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
	package=postgresql-$major-pglogical
	"${apt[@]}" install -y --no-install-recommends "$package" ||
		{ "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$package"; } ||
		without "$package can not be installed"
elif command -v dnf >/dev/null; then
	"${as_root[@]}" dnf install -y "pglogical_$major" || without "pglogical_$major can not be installed"
elif command -v yum >/dev/null; then
	"${as_root[@]}" yum install -y "pglogical_$major" || without "pglogical_$major can not be installed"
else
	without "no package manager known here that has pglogical"
fi
