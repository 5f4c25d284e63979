# Harrier: build, demo, tests. `make help` lists the targets.

# The scripts do the work, so that they can be read and run alone.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := build

# DuckDB is linked in through cgo; the tag gives its Arrow interface.
export CGO_ENABLED := 1
export TAGS        := duckdb_arrow
# Where the acceptance harness, the incidents and the benchmark data lie, if anywhere.
export SHARED      ?= ../shared

BIN     := bin/harrier
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help setup setup-accept build demo test lint generate generate-check bench accept chaos clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## make this machine ready to build and test
	@scripts/setup.sh

setup-accept: ## make this machine ready for the acceptance harness (Python, PyYAML)
	@scripts/setup-accept.sh >/dev/null

# -buildvcs=false: the version is stamped here, and the build does not fail in a
# tree that git refuses to read.
build: setup ## build bin/harrier (default)
	@echo "build: $(BIN) $(VERSION)"
	@go build -buildvcs=false -tags $(TAGS) -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BIN) .

demo: build ## run the demo; ONCE=1 ends after one hunt, DATA=DIR searches your own folder
	@$(BIN) demo $(if $(ONCE),--once) $(if $(DATA),--data '$(DATA)')

test: setup ## vet, then run every test with the race detector, and count
	@scripts/setup-java.sh
	@scripts/test.sh $(ARGS)

lint: setup ## gofmt, go vet, staticcheck, revive
	@scripts/lint.sh

generate: setup ## make the generated files again
	@scripts/generate.sh

generate-check: setup ## fail if a generated file is out of date
	@scripts/generate.sh --check

bench: setup ## run the benchmarks; ARGS goes to go test
	@scripts/bench.sh $(ARGS)

accept: build ## run the acceptance harness of $(SHARED) against two incidents
	@scripts/accept.sh

chaos: setup ## hunt for ten minutes (LASTS=10m) while sources are killed, slowed, throttled and cut
	@scripts/setup-java.sh
	@HARRIER_CHAOS=$(or $(LASTS),10m) go test -count=1 -timeout 60m -tags $(TAGS) -v -run '^TestChaos$$' .

clean: ## remove what was built
	@rm -rf bin
	@echo "clean: removed bin"
