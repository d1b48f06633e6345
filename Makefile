# make help lists what can be asked for.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
FUZZTIME    ?= 10s
TESTTIMEOUT ?= 60m

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.PHONY: help setup build demo test check fmt vet lint fuzz bench clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/  make \1	\2/p' $(firstword $(MAKEFILE_LIST))

setup: ## install what this machine lacks: a PostgreSQL server, when there is none
	@GO="$(GO)" scripts/setup.sh

build: ## build the static binary bin/bridge
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/bridge ./cmd/bridge

demo: setup build ## show a whole system at work on this machine
	bin/bridge demo

test: setup fmt vet lint ## everything that must pass: style, vet, lint, and all tests with the race detector
	$(GO) test -race -timeout $(TESTTIMEOUT) ./...

check: fmt vet lint ## the fast part of test, for every commit
	$(GO) test -short ./...

fmt: ## complain about files that gofmt would change
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then printf 'gofmt -w has to be run on:\n%s\n' "$$files" >&2; exit 1; fi

vet: ## run go vet
	$(GO) vet ./...

lint: ## run staticcheck
	$(GO) tool staticcheck ./...

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@GO="$(GO)" scripts/fuzz.sh $(FUZZTIME)

bench: setup ## compare with native replication, and write docs/benchmarks.md; BENCH='-only log -scale 0.01' for less
	@scripts/bench.sh
	CGO_ENABLED=0 $(GO) run ./bench -write docs/benchmarks.md $(BENCH)

clean: ## remove what was built
	rm -rf bin
