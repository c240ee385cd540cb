#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/*.txt with uv, taken into a throw-away environment: `packaging/lock.sh VERSION [--upgrade]`.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
flags=("${@:2}")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/pip" install --quiet --only-binary :all: "uv==$version"

compile() {
  "$place/bin/uv" pip compile pyproject.toml --quiet --python-version 3.11 --universal --generate-hashes --no-annotate --no-header \
    --no-emit-index-url --no-emit-find-links "${flags[@]}" "$@"
}
compile --extra edge --extra cloud --extra postgres --extra source -o requirements/run.txt
compile --extra edge --extra cloud --extra postgres --extra source --extra dev --extra llama --extra compile -c requirements/run.txt -o requirements/dev.txt
printf 'requirements/run.txt %d packages, requirements/dev.txt %d\n' "$(grep -c == requirements/run.txt)" "$(grep -c == requirements/dev.txt)"
