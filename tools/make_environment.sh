#!/usr/bin/env bash
# Makes the Python environment of this checkout: the package, the ROS 2 wheels, the test tools.
# Usage: make_environment.sh FOLDER
# Does nothing if the environment is there, belongs to this checkout and is up to date. No root
# needed, except where Debian's python3-venv is missing (then it is installed, or named).
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$1
python="$venv/bin/python"
ready="$venv/expression_ros.ready"

say() { echo "[environment] $*"; }

# The ROS 2 wheels are built for these Pythons.
suitable() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if command -v "$candidate" >/dev/null && suitable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "no Python 3.10 to 3.13 found; install one, for example: apt install python3 python3-venv" >&2
    return 1
}

# What an environment is made of; if any of it changes, the environment is made anew or updated.
fingerprint() { { echo "$venv"; cat setup.py tools/make_environment.sh; } | sha256sum | cut -d' ' -f1; }

# An environment copied or moved from another checkout still points to where it was made.
belongs_here() {
    [ -x "$python" ] && suitable "$python" &&
        [ "$("$python" -c 'import os, sys; print(os.path.realpath(sys.prefix))' 2>/dev/null)" = "$(realpath "$venv")" ] &&
        "$python" -m pip --version >/dev/null 2>&1
}

make_venv() {
    local base
    base=$(find_python)
    say "making $venv with $("$base" --version)"
    rm -rf "$venv"
    if "$base" -m venv "$venv" >/dev/null 2>&1; then
        return
    fi
    rm -rf "$venv"
    if "$base" -m virtualenv "$venv" >/dev/null 2>&1; then
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "python3-venv is missing: installing it"
        apt-get update -qq && apt-get install -y -qq python3-venv python3-pip >/dev/null
        "$base" -m venv "$venv" && return
    fi
    rm -rf "$venv"
    say "cannot make a virtual environment; install it with: sudo apt install python3-venv" >&2
    return 1
}

if belongs_here && [ -f "$ready" ] && [ "$(cat "$ready")" = "$(fingerprint)" ]; then
    exit 0
fi
belongs_here || make_venv
say "installing expression_ros, the ROS 2 Kilted wheels and the tools (about a minute)"
rm -f "$ready"
log="$venv/install.log"
if ! "$python" -m pip install --disable-pip-version-check -e '.[ros,train,web,recordings,test]' >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    say "the installation failed; the last lines are above, all of them in $log" >&2
    exit 1
fi
fingerprint >"$ready"
say "ready"
