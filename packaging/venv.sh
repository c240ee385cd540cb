#!/usr/bin/env bash
# Makes .venv/ from requirements/run.txt or requirements/dev.txt: `packaging/venv.sh run|dev`.
# A stamp in .venv/ holds the hash of what it was made from, so that a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
python=${PYTHON:-python3}
log=.venv/pip-$kind.log

fail() { printf 'nearside: %s\n' "$*" >&2; exit 1; }
key() { cat "requirements/$1.txt" pyproject.toml <(pwd -P) | sha256sum | cut -c1-16; }
stamped() { [ -f ".venv/.stamp-$1" ] && [ "$(cat ".venv/.stamp-$1")" = "$(key "$1")" ]; }
release() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

python_is_the_one_asked_for() { [ -z "${PYTHON:-}" ] || [ "$(release "$PYTHON")" = "$(release .venv/bin/python)" ]; }

check_python() {
  local found
  found=$(release "$python") ||
    fail "no $python here: install Python 3.11 or newer (Debian: apt install python3 python3-venv), or name one: make PYTHON=python3.12 …"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is Python $found, 3.11 or newer is needed: name another one: make PYTHON=python3.12 …"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)"
}

make_venv() {
  check_python
  rm -rf .venv
  printf 'virtual environment .venv with %s\n' "$("$python" --version)"
  "$python" -m venv .venv || fail "$python -m venv failed: see the lines above"
  pwd -P >.venv/.home
}

count_packages() {
  local line count=0 total
  total=$(grep -cE '^[A-Za-z0-9._-]+==[^;]*$' "requirements/$kind.txt")
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    case $line in Collecting* | 'Requirement already'*) count=$((count + 1)) ;; 'Installing collected'*) count=$total ;; esac
    [ -t 1 ] && printf '\rpackages from requirements/%s.txt  %d/%d ' "$kind" "$count" "$total"
  done
  if [ -t 1 ]; then printf '\n'; fi
}

install_packages() {
  : >"$log"
  [ -t 1 ] || printf 'packages from requirements/%s.txt\n' "$kind"
  .venv/bin/python -m pip install --require-hashes --only-binary :all: --no-deps --progress-bar off \
    -r "requirements/$kind.txt" 2>&1 | count_packages ||
    fail "packages not installed: $(grep -m1 '^ERROR' "$log" || tail -n1 "$log") (all of it: $log)"
  .venv/bin/python -m pip install --no-index --no-deps --no-build-isolation -e . >>"$log" 2>&1 ||
    fail "the project itself was not installed: see $log"
}

if python_is_the_one_asked_for; then
  stamped "$kind" && exit 0
  if [ "$kind" = run ] && stamped dev; then exit 0; fi # dev.txt holds all of run.txt
fi
if [ ! -x .venv/bin/pip ] || [ "$(cat .venv/.home 2>/dev/null)" != "$(pwd -P)" ] || ! python_is_the_one_asked_for; then
  make_venv
fi
install_packages
key "$kind" >".venv/.stamp-$kind"
