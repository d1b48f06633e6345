#!/usr/bin/env bash
# Installs what this machine lacks to build, test and demonstrate pgbridge: a PostgreSQL server of a supported version.
# It does nothing when there is one, and leaves nothing else behind: no cluster, no service that runs.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=14 newest=18 # as in pgserver

fail() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

go=${GO:-go}
command -v "$go" >/dev/null ||
	fail "there is no Go here: install Go $(sed -n 's/^go //p' go.mod) or newer (https://go.dev/doc/install) and put it into PATH"

# supported BINDIR: whether it holds a server of a supported version.
supported() {
	local version
	[ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
	version=$("$1/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
	[ -n "$version" ] && [ "$version" -ge $oldest ] && [ "$version" -le $newest ]
}

find_server() {
	local dir
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/lib/postgresql*/bin \
		/usr/local/pgsql/bin $(tr : ' ' <<<"$PATH") $(pg_config --bindir 2>/dev/null || true); do
		if supported "$dir"; then
			printf '%s\n' "$dir"
			return
		fi
	done
	return 1
}

if dir=$(find_server); then
	printf 'setup: %s in %s\n' "$("$dir/postgres" --version)" "$dir"
	exit 0
fi

by_hand="install a PostgreSQL server, $oldest to $newest, with its contrib modules"
as_root=()
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || fail "there is no PostgreSQL server here, and installing one needs root or sudo without a password; please $by_hand"
	as_root=(sudo -n)
fi
root() { "${as_root[@]}" "$@"; }

install_with_apt() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
	local dropin=/etc/postgresql-common/createcluster.d/pgbridge-setup.conf
	root "${apt[@]}" update
	# Debian makes a cluster of its own and starts it when the server is installed, unless told otherwise.
	root mkdir -p "${dropin%/*}"
	printf 'create_main_cluster = false\n' | root tee "$dropin" >/dev/null
	trap 'root rm -f '"$dropin"'; root rmdir --ignore-fail-on-non-empty '"${dropin%/*}" EXIT
	root "${apt[@]}" install -y --no-install-recommends postgresql postgresql-contrib
}

printf 'setup: there is no PostgreSQL server here; installing one\n'
if command -v apt-get >/dev/null; then
	install_with_apt
elif command -v dnf >/dev/null; then
	root dnf install -y postgresql-server postgresql-contrib
elif command -v yum >/dev/null; then
	root yum install -y postgresql-server postgresql-contrib
elif command -v zypper >/dev/null; then
	root zypper --non-interactive install postgresql-server postgresql-contrib
elif command -v apk >/dev/null; then
	# The packages carry the version in their names; the newest supported one that this release has.
	for version in $(seq $newest -1 $oldest); do
		if root apk add "postgresql$version" "postgresql$version-contrib"; then
			break
		fi
	done
elif command -v pacman >/dev/null; then
	root pacman -Sy --noconfirm --needed postgresql
else
	fail "no package manager known here (apt-get, dnf, yum, zypper, apk, pacman); please $by_hand"
fi

dir=$(find_server) || fail "the packages are installed, but no server of version $oldest to $newest came with them; please $by_hand"
printf 'setup: %s in %s\n' "$("$dir/postgres" --version)" "$dir"
