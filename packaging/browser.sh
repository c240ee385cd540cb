#!/usr/bin/env bash
# The browser tests drive Debian's chromium; one of them reads Chinese from the page, so a font for it too.
set -euo pipefail
wanted=(chromium fonts-noto-cjk)
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  printf 'installing %s\n' "${wanted[*]}"
  log=$(mktemp)
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  printf 'nearside: chromium was not installed, the browser tests will be skipped: see %s\n' "$log" >&2
else
  printf 'nearside: no chromium, the browser tests will be skipped: apt install %s (as root)\n' "${wanted[*]}" >&2
fi
