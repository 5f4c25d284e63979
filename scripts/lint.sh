#!/usr/bin/env bash
# Style and static checks: gofmt, go vet, staticcheck (staticcheck.conf) and
# revive (revive.toml). All four run, so that one call shows all there is to
# mend. What they cannot see (imports, init, folders) is in imports_test.go.
set -euo pipefail
cd "$(dirname "$0")/.."

tags=${TAGS:-duckdb_arrow}
failed=()

run() {
  echo "lint: $1"
  if ! "${@:2}"; then failed+=("$1"); fi
}

formatted() {
  local files
  files=$(gofmt -l .)
  [ -z "$files" ] && return 0
  printf 'run gofmt -w on:\n%s\n' "$files"
  return 1
}

run gofmt formatted
run "go vet" go vet -tags "$tags" ./...
run staticcheck go tool staticcheck -tags "$tags" ./...
# revive reads files one by one and sets no build tags, so it sees all of them.
run revive go tool revive -config revive.toml -set_exit_status ./...

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'lint: failed:'
  printf ' %s;' "${failed[@]}"
  echo
  exit 1
fi
echo "lint: clean"
