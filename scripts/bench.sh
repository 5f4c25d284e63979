#!/usr/bin/env bash
# Runs the benchmarks of bench/, with the million events of ../shared/bench when
# they are there (given to them as HARRIER_BENCH_DATA). Arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${SHARED:-../shared}/bench/bench_dev_1m.jsonl.gz
if ! find bench -name '*_test.go' -print -quit 2>/dev/null | grep -q .; then
  echo "bench: nothing to run, bench/ holds no benchmark"
  exit 0
fi
if [ -f "$data" ]; then
  HARRIER_BENCH_DATA=$(realpath "$data")
  export HARRIER_BENCH_DATA
  echo "bench: data from $data"
else
  echo "bench: $data is absent, only benchmarks that make their own data run"
fi
exec go test -tags "${TAGS:-duckdb_arrow}" -run '^$' -bench . -benchmem -timeout 2h "$@" ./bench/... ./connectors/elastic ./plugins/host </dev/null
