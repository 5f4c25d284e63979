#!/usr/bin/env bash
# Makes the virtual environment of the connectors in Python (plugins/python) in the user's cache and prints the path of its interpreter. It
# is made once for each state of requirements.txt; beside the interpreter lies the executable of the example, harrier-door-access, as
# `pip install` would write it: a script that names the interpreter in its first line.
set -euo pipefail
cd "$(dirname "$0")/.."

source=$PWD/plugins/python
base=${PYTHON:-}
if [ -z "$base" ]; then
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      base=$name
      break
    fi
  done
fi
if [ -z "$base" ]; then
  echo "setup-python-plugin: install Python 3.11 or newer with venv (python3-venv), or name it in PYTHON" >&2
  exit 3
fi

state=$( { cat "$source/requirements.txt"; echo "$source"; "$base" -VV; } | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/harrier/python-plugin/$state
python=$folder/bin/python
if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  "$base" -m venv "$folder" >&2
  if ! "$python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --requirement "$source/requirements.txt" >&2; then
    rm -rf "$folder"
    echo "setup-python-plugin: the packages of plugins/python/requirements.txt could not be installed; PyPI must be reachable once" >&2
    exit 4
  fi
  { echo "#!$python"; tail -n +2 "$source/example/harrier-door-access"; } > "$folder/bin/harrier-door-access"
  chmod +x "$folder/bin/harrier-door-access"
  # The library and the example are taken from the checkout, as an editable installation does.
  "$python" -c 'import sysconfig, sys; open(sysconfig.get_path("purelib") + "/harrier_plugin.pth", "w").write("\n".join(sys.argv[1:]) + "\n")' \
    "$source" "$source/example"
  touch "$folder/complete"
fi
echo "$python"
