#!/usr/bin/env bash
# Prepares what the tests need beside the environment of `make environment`, as far as this machine
# allows: the clips, a C++ compiler and message types, a virtual screen, Chromium and Playwright,
# PyTorch and ONNX, dlib and its predictor. Packages of the system are installed with apt, only where this runs as root.
# Usage: prepare_tests.sh ENVIRONMENT
# Says on stderr what it does; prints, between commas, the parts that are not there at its end.
# What is there already is left alone.
set -uo pipefail
cd "$(dirname "$0")/.."

python="$1/bin/python"
log="$1/prepare.log"
missing=()
# As in the Makefile: a sourced ROS installation has another Python than the environment.
unset PYTHONPATH PYTHONHOME LD_LIBRARY_PATH AMENT_PREFIX_PATH
: >"$log"

# All of it together takes no longer than this: slow servers must not keep the tests from running.
seconds_left=900
limited() { timeout "$((SECONDS < seconds_left ? seconds_left - SECONDS : 1))" "$@"; }

say() { echo "[prepare] $*" >&2; }
has_command() { command -v "$1" >/dev/null; }
has_library() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }
imports() { "$python" -c "import $1" 2>/dev/null; }

updated=
apt_install() {
    if [ "$(id -u)" != 0 ] || ! has_command apt-get; then
        say "not root, or no apt: cannot install $*"
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "$updated" ]; then
        limited apt-get update -qq >>"$log" 2>&1
        updated=yes
    fi
    say "installing with apt: $*"
    limited apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1
}

pip_install() {
    say "installing with pip: $*"
    limited "$python" -m pip install --disable-pip-version-check "$@" >>"$log" 2>&1
}

# prepare PART CHECK REMEDY...: if the check fails, try the remedy; note what is still not there.
prepare() {
    local part=$1 check=$2
    shift 2
    "$check" || "$@"
    if ! "$check"; then
        say "$part: not prepared; its tests are skipped ($log says more)"
        [[ " ${missing[*]-} " == *" $part "* ]] || missing+=("$part")
    fi
}

fetch_clips() { limited "$python" tools/fetch_clips.py .cache/clips >>"$log" 2>&1; }
has_interfaces() { "$python" tools/build_test_interfaces.py .cache/interfaces >>"$log" 2>&1; }
has_screen() { has_command Xvfb && has_library libX11.so.6 && has_library libXtst.so.6; }
has_tkinter() { imports tkinter; }
has_pillow() { imports PIL.ImageGrab; }
# On Ubuntu the command may be there, and only tell to install a snap.
has_chromium() {
    local browser
    browser=${EXPRESSION_ROS_BROWSER:-$(command -v chromium || command -v google-chrome)} &&
        timeout 60 "$browser" --version >>"$log" 2>&1
}
has_playwright() { imports "playwright.sync_api, axe_playwright_python"; }
has_networks() { imports "torch, onnx"; }
has_landmarks() {
    "$python" -c 'from expression_ros.recognition.landmarks import LandmarkFinder as F; F()' 2>/dev/null
}

prepare clips fetch_clips fetch_clips
prepare interfaces has_interfaces apt_install g++ python3-dev
prepare screen has_screen apt_install xvfb libx11-6 libxtst6
prepare screen has_tkinter apt_install python3-tk
prepare screen has_pillow pip_install pillow
prepare browser has_chromium apt_install chromium fonts-dejavu-core
prepare browser has_playwright pip_install -e '.[browser]'
# Other versions work as well; a fixed one, so that runs can be compared.
prepare networks has_networks pip_install torch==2.13.0 onnx
prepare landmarks has_landmarks pip_install -e '.[landmarks]'

(IFS=,; echo "${missing[*]-}")
