#!/usr/bin/env bash
# Makes Python ready for the acceptance harness, which needs 3.11 and PyYAML;
# nothing else of the project needs Python. Prints the interpreter to use.
set -euo pipefail

install="apt-get install -y --no-install-recommends python3 python3-yaml"

die() {
  echo "setup-accept: $*" >&2
  exit 1
}

# A machine may have a Python of its own before the system's on PATH; the
# packages of Debian are seen by the system's alone.
find_python() {
  local python
  for python in "${PYTHON:-python3}" /usr/bin/python3; do
    if "$python" -c 'import sys, yaml; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

if find_python; then
  exit 0
fi
[ "$(id -u)" -eq 0 ] || die "missing: Python 3.11 with PyYAML; run: sudo apt-get update && sudo $install"
command -v apt-get >/dev/null 2>&1 ||
  die "missing: Python 3.11 with PyYAML; this system has no apt-get, install them with its own package manager"
echo "setup-accept: installing python3 python3-yaml" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  die "apt-get could not install python3 python3-yaml; its last lines stand above"
fi
find_python || die "Python 3.11 with PyYAML is needed, the installed one is $(/usr/bin/python3 --version 2>&1 || echo absent)"
