#!/usr/bin/env bash
# Makes a Debian machine that has Go ready to build and test Harrier.
# Harmless to repeat; does nothing, in a fraction of a second, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

need_major=1
need_minor=26
# DuckDB's static libraries are linked with libstdc++, hence g++ beside gcc.
install="apt-get install -y --no-install-recommends"

die() {
  echo "setup: $*" >&2
  exit 1
}

missing_packages() {
  local tool
  for tool in gcc g++ make git; do
    command -v "$tool" >/dev/null 2>&1 || echo "$tool"
  done
  # Without certificates the Go module proxy cannot be reached.
  [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] || echo ca-certificates
}

install_packages() {
  if [ "$(id -u)" -ne 0 ]; then
    die "missing: $*; run: sudo apt-get update && sudo $install $*"
  fi
  command -v apt-get >/dev/null 2>&1 ||
    die "missing: $*; this system has no apt-get, install them with its own package manager"
  echo "setup: installing $*"
  local log
  log=$(mktemp)
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install $*; its last lines stand above"
  fi
  rm -f "$log"
}

check_go() {
  if ! command -v go >/dev/null 2>&1; then
    [ -x /usr/local/go/bin/go ] &&
      die "Go is installed but not on PATH; run: export PATH=\$PATH:/usr/local/go/bin"
    die "Go $need_major.$need_minor or newer is needed; see https://go.dev/doc/install"
  fi
  local version major minor
  # Asked inside the module, so that a toolchain that go.mod selects counts.
  version=$(go env GOVERSION 2>/dev/null) || version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || version=unknown
  if ! [[ $version =~ ^(devel\ )?go([0-9]+)\.([0-9]+) ]]; then
    die "Go $need_major.$need_minor or newer is needed, the version of the installed one is $version"
  fi
  major=${BASH_REMATCH[2]} minor=${BASH_REMATCH[3]}
  if ((major < need_major || (major == need_major && minor < need_minor))); then
    die "Go $need_major.$need_minor or newer is needed, found $version; see https://go.dev/doc/install"
  fi
}

mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
  install_packages "${packages[@]}"
fi
check_go
