#!/usr/bin/env bash
# Everything that can be said about the code without running it. All steps run; the exit status tells whether one failed.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=()

step() {
  local name=$1 log
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    printf '  ok      %s\n' "$name"
  else
    printf '  FAILED  %s\n' "$name"
    cat "$log"
    failed+=("$name")
  fi
  rm -f "$log"
}

protos_are_current() {
  local fresh
  fresh=$(mktemp -d)
  packaging/protos.sh "$fresh" && diff -r --exclude=__init__.py --exclude=__pycache__ "$fresh/nearside/v1" nearside/v1 ||
    { rm -rf "$fresh"; echo "run: make protos"; return 1; }
  rm -rf "$fresh"
}

protos_stay_compatible() {
  local tag
  tag=$(git describe --tags --abbrev=0 2>/dev/null) || { echo "no release yet"; return 0; }
  $bin/buf breaking protos --against ".git#tag=$tag,subdir=protos"
}

step "format (ruff)" $bin/ruff format --check .
step "lint (ruff)" $bin/ruff check .
step "types (mypy --strict)" $bin/mypy
step "rooms (import-linter)" $bin/lint-imports --no-cache
step "protobuf lint (buf)" $bin/buf lint protos
step "protobuf format (buf)" $bin/buf format --diff --exit-code protos
step "protobuf compatible with the last release (buf)" protos_stay_compatible
step "generated protobuf is current" protos_are_current
if [ ${#failed[@]} -gt 0 ]; then
  printf 'nearside: %d of the checks failed: %s\n' "${#failed[@]}" "$(IFS=';'; echo "${failed[*]}")" >&2
  exit 1
fi
