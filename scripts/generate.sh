#!/usr/bin/env bash
# Makes the generated files again: the event tables and types of schema/ocsf,
# then the GraphQL code that reads them.
#   generate.sh            write them
#   generate.sh --check    write them, and fail if that changed any file
set -euo pipefail
cd "$(dirname "$0")/.."

generate() {
  echo "generate: schema/ocsf"
  go run ./schema/ocsf/gen
  echo "generate: plugins/protocol"
  go run ./plugins/protocol/gen
  echo "generate: graph"
  go run ./graph/gen
  # Only what a generator wrote: hand-written files are their author's to format.
  { grep -rlZ --include='*.go' -m1 '^// Code generated .* DO NOT EDIT\.$' . || true; } | xargs -0r gofmt -w
}

# One line of digest and name per file that git tracks or would track. Compared
# before and after, so that the check also works on a tree with other changes,
# and also sees files that are new.
fingerprint() {
  git ls-files -z --cached --others --exclude-standard | sort -zu |
    while IFS= read -r -d '' file; do
      if [ -f "$file" ]; then printf '%s\0' "$file"; fi
    done | xargs -0r sha256sum
}

case "${1:-}" in
  "") generate ;;
  --check)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    fingerprint >"$work/before"
    generate
    fingerprint >"$work/after"
    # A line that only one side has: a file that changed, appeared or vanished.
    comm -3 <(sort "$work/before") <(sort "$work/after") |
      sed 's/^\t//; s/^\\\{0,1\}[0-9a-f]*  //' | sort -u >"$work/changed"
    if [ -s "$work/changed" ]; then
      echo "generate-check: these generated files were out of date; run make generate and commit them:" >&2
      sed 's/^/  /' "$work/changed" >&2
      xargs -d '\n' git --no-pager diff --stat -- <"$work/changed" >&2
      exit 1
    fi
    echo "generate-check: generated files are up to date"
    ;;
  *)
    echo "generate: unknown argument $1; use --check or nothing" >&2
    exit 2
    ;;
esac
