#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the given time.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
fuzztime=${1:-10s}

packages=$("$go" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
count=0
for package in $packages; do
	# Only packages that have a target by the look of it are built and asked.
	dir=$("$go" list -f '{{.Dir}}' "$package")
	grep -qs '^func Fuzz' "$dir"/*_test.go || continue
	listed=$("$go" test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		printf '== %s %s\n' "$package" "$target"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package"
		count=$((count + 1))
	done
done
printf '%d fuzz targets, %s each\n' "$count" "$fuzztime"
