#!/usr/bin/env bash
# Makes .venv/ from requirements/run.txt or requirements/dev.txt: `packaging/venv.sh run|dev`.
# A stamp in .venv/ holds the hash of what it was made from, so that a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
python=${PYTHON:-python3}
log=.venv/pip-$kind.log
sources=llama-cpp-python # there are no wheels of these

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
  total=$(grep -cE '^[A-Za-z0-9._-]+==[^;]*$' .venv/.wheels.txt)
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    case $line in Collecting* | 'Requirement already'*) count=$((count + 1)) ;; 'Installing collected'*) count=$total ;; esac
    [ -t 1 ] && printf '\rpackages from requirements/%s.txt  %d/%d ' "$kind" "$count" "$total"
  done
  if [ -t 1 ]; then printf '\n'; fi
}

pip_install() { .venv/bin/python -m pip install --require-hashes --no-deps --progress-bar off "$@" 2>&1; }

# Those of the lock file that come as source alone, or all the others: `locked_packages only|but`.
locked_packages() {
  awk -v wanted="$1" -v sources="^($sources)==" '/^[A-Za-z0-9]/ { is = ($0 ~ sources) } is == (wanted == "only")' \
    "requirements/$kind.txt"
}

count_objects() {
  local line shown=
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    [[ $line =~ \[([0-9]+)/([0-9]+)\] ]] || continue
    if [ -t 1 ]; then printf '\r  %d/%d ' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"; shown=1; fi
  done
  if [ -n "$shown" ]; then printf '\n'; fi
}

compile_packages() {
  local name version
  locked_packages only >.venv/.sources.txt
  [ -s .venv/.sources.txt ] || return 0
  IFS== read -r name _ version <<<"$(sed -n '1s/ .*//p' .venv/.sources.txt)"
  if ! .venv/bin/python -m pip cache list "${name//-/_}" 2>/dev/null | grep -q -- "-$version-"; then
    command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null ||
      fail "$name has to be compiled and there is no C++ compiler: install one (Debian: apt install g++)"
    printf 'compiling %s, about ten minutes the first time, cached afterwards\n' "$name"
  fi
  PATH="$PWD/.venv/bin:$PATH" pip_install --verbose --no-build-isolation -r .venv/.sources.txt | count_objects ||
    fail "$name not compiled: $(grep -m1 -iE 'error:|fatal' "$log" || tail -n1 "$log") (all of it: $log)"
}

install_packages() {
  : >"$log"
  [ -t 1 ] || printf 'packages from requirements/%s.txt\n' "$kind"
  locked_packages but >.venv/.wheels.txt
  pip_install --only-binary :all: -r .venv/.wheels.txt | count_packages ||
    fail "packages not installed: $(grep -m1 '^ERROR' "$log" || tail -n1 "$log") (all of it: $log)"
  compile_packages
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
