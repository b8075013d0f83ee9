# Every target is one command that may as well be typed. `make` alone lists them.

GO        ?= go
FUZZTIME  ?= 3s
TIME      ?= 60s
# Packages with tests that carry the build tag lab.
LAB       = $(shell grep -rlE --include='*_test.go' '^//go:build .*\blab\b' . | xargs -n 1 dirname | sort -u)
# What reads captures, decides and is configured is of use on every platform; only relaying needs Linux.
PORTABLE  = ./rpcparse/... ./session/... ./policy ./proxy/inspect ./proxy/capture/... ./cmd/nspiproxy
LINT      := $(GO) tool -modfile=.ci/lint.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build test check soak vet lint vuln race fuzz lab lab-install demo bench compare clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## a static binary for a container or for copying to a server, and the licences to go with it: bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/nspiproxy ./cmd/nspiproxy
	cp LICENSE deploy/third-party-licenses.txt bin/

test: check soak lab ## everything a submission must pass; root on Debian 12, because the lab installs packages

check: vet lint vuln race fuzz ## the part of it that needs no root and no packages but a C compiler, for the race detector

vet:
	$(GO) vet ./...
	$(GO) vet -tags lab $(LAB)
	GOOS=windows $(GO) vet $(PORTABLE)
	GOOS=darwin $(GO) vet $(PORTABLE)

lint: ## the first run builds the pinned linter (1.5 minutes on 2 cores), later ones have it in the build cache
	$(LINT) run ./...

vuln: ## known vulnerabilities that the program can reach, in the release of Go that go.mod names
	.ci/vuln

race: ## all tests but the lab's, under the race detector
	$(GO) test -race ./...

fuzz: ## every fuzz target of the module for FUZZTIME
	.ci/fuzz $(FUZZTIME)

soak: ## broken conversations through the program for TIME; SEED, REPLAY: those of another run again
	$(GO) test -count=1 -timeout 0 ./internal/testkit/soak -v -time $(TIME) $(if $(SEED),-seed $(SEED)) $(if $(REPLAY),-replay $(abspath $(REPLAY)))

lab-install: ## the lab's Debian packages
	testdata/lab/install.sh

lab: lab-install ## real clients, broken connections, dissected by tshark
	$(GO) test -tags lab -count=1 -p 1 -timeout 20m $(LAB)

demo: ## the demonstration, until interrupted
	$(GO) run ./cmd/nspiproxy demo

bench: ## all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

compare: lab-install ## with HAProxy and nginx on this machine, in one run; BEFORE=binary: and with an earlier nspiproxy
	$(GO) run ./internal/testkit/lab/perf $(if $(BEFORE),-before $(BEFORE))

clean: ## what building left behind
	rm -rf bin
