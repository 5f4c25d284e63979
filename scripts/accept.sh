#!/usr/bin/env bash
# Runs the acceptance harness of ../shared against bin/harrier: two incidents,
# each through both ways to hold the data, with the same answers expected.
set -euo pipefail
cd "$(dirname "$0")/.."

shared=${SHARED:-../shared}
incidents=(lsass_campaign_02 aws_invictus)

if [ ! -f "$shared/accept/accept.py" ]; then
  echo "accept: skipped, $shared/accept is absent; set SHARED to the folder that holds accept/ and data/"
  exit 0
fi
echo "accept: records in are rows out, for every incident"
go test -count=1 -tags "${TAGS:-duckdb_arrow}" -run '^TestRecordsInAreRowsOut$' .
python=$(scripts/setup-accept.sh)
dirs=()
for name in "${incidents[@]}"; do
  if [ ! -d "$shared/data/incidents/$name" ]; then
    echo "accept: $shared/data/incidents/$name is absent" >&2
    exit 1
  fi
  dirs+=(--dir "$shared/data/incidents/$name")
done
echo "accept: ${incidents[*]}, modes files and lake"
exec "$python" "$shared/accept/accept.py" --mode files,lake "${dirs[@]}" </dev/null
