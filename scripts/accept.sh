#!/usr/bin/env bash
# Runs the acceptance harness of ../shared against bin/harrier: two incidents,
# through files and the lake, and one through a search node of each product,
# with the same answers expected.
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
"$python" "$shared/accept/accept.py" --mode files,lake "${dirs[@]}" </dev/null

scripts/setup-java.sh
if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
  echo "accept: mode elastic skipped, a JDK or Maven is absent"
  exit 0
fi
start='bin/harrier demo --data {dir} --through {mode} --listen 127.0.0.1:0 --ready-json --node'
for product in opensearch elasticsearch; do
  echo "accept: aws_invictus, mode elastic on $product"
  "$python" "$shared/accept/accept.py" --mode elastic --start "$start $product" --hunts 20 --skip damaged,restart \
    --dir "$shared/data/incidents/aws_invictus" </dev/null
done
