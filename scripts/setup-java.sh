#!/usr/bin/env bash
# Makes a Debian machine ready to start search nodes in tests: a JDK 17 or newer
# and Maven. They are wanted, not needed: where they cannot be installed this
# says what is missing and succeeds, and tests of nodes skip with the reason.
# Harmless to repeat; does nothing, in a fraction of a second, when all is there.
set -euo pipefail

oldest=17
packages=(openjdk-17-jdk-headless maven)
install="apt-get install -y --no-install-recommends"

note() {
  echo "setup-java: $*" >&2
}

in_java_home() {
  [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/$1" ] && echo "$JAVA_HOME/bin/$1"
}

# Prints the feature version of the Java that tests will find, 0 if there is none.
java_version() {
  local java text
  java=$(in_java_home java || echo java)
  text=$("$java" -version 2>&1) || { echo 0; return; }
  if [[ $text =~ version\ \"(1\.)?([0-9]+) ]]; then
    echo "${BASH_REMATCH[2]}"
  else
    echo 0
  fi
}

missing() {
  local version
  version=$(java_version)
  ((version >= oldest)) || echo "a JDK $oldest or newer (found: $version)"
  # A JRE has no compiler; that of JAVA_HOME need not be on PATH.
  in_java_home javac >/dev/null || command -v javac >/dev/null 2>&1 || echo "javac"
  command -v mvn >/dev/null 2>&1 || echo "mvn"
}

report() {
  note "$1: $(missing | paste -sd ',' | sed 's/,/, /g'); tests of Elasticsearch and OpenSearch nodes will skip"
  exit 0
}

[ -n "$(missing)" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  report "missing, and to be installed by hand (on Debian: sudo $install ${packages[*]})"
fi
note "installing ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq "${packages[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  report "apt-get could not install ${packages[*]}; missing"
fi
[ -z "$(missing)" ] || report "installed, but still missing"
