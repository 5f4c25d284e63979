#!/usr/bin/env bash
# Vets and tests the whole module with the race detector, and counts. Arguments
# are given to go test, for example: scripts/test.sh -run Merge ./hunt/...
set -euo pipefail
cd "$(dirname "$0")/.."

tags=${TAGS:-duckdb_arrow}
counter=$(mktemp -d)
trap 'rm -rf "$counter"' EXIT
[ "$#" -gt 0 ] || set -- ./...

echo "test: go vet"
vet=0
go vet -tags "$tags" ./... || vet=$? # the tests run all the same, so that one call shows all
echo "test: go test -race"
go build -o "$counter/testcount" ./scripts/testcount
# -count=1: Go's cache does not see files outside the module, so a test that was
# skipped because ../shared was absent would stay skipped after it appeared.
# The status of go test itself counts too: it can fail before any test runs.
go test -json -race -count=1 -timeout 40m -tags "$tags" "$@" </dev/null | "$counter/testcount" || exit 1
exit "$vet"
