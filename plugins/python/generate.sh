#!/usr/bin/env bash
# Makes what is generated: harrier_plugin/connector_pb2.py from the protocol, and harrier_plugin/tables.json from the Go tables. The results
# are committed, so that an author needs neither compiler; a test holds them to their sources.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=$(scripts/setup-python-plugin.sh)
"$python" -m pip install --quiet --requirement plugins/python/requirements-generate.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The file is registered under the name that the Go side uses.
mkdir -p "$work/harrier/plugin/v1"
cp plugins/protocol/connector.proto "$work/harrier/plugin/v1/"
"$python" -m grpc_tools.protoc -I "$work" --python_out="$work" harrier/plugin/v1/connector.proto
cp "$work/harrier/plugin/v1/connector_pb2.py" plugins/python/harrier_plugin/
go run ./plugins/python/gen
