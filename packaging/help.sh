#!/usr/bin/env bash
# Draws the targets of a Makefile: every `target: … ## what it does` of the file named.
set -euo pipefail
bold='' dim='' green='' off=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' off=$'\e[0m'
fi
printf '\n  %sNearside%s  customer service that answers next to the customer\n\n' "$bold" "$off"
awk -F ':.*## ' -v green="$green" -v off="$off" \
  '/^[a-z-]+:.*## / { printf "    %smake %-11s%s %s\n", green, $1, off, $2 }' "$1"
cat <<END

  ${dim}First steps${off}   make run, then open the address it prints
  ${dim}Another port${off}  make run EDGE_PORT=9443   (EDGE_ADMIN_PORT, CORE_PORT, NATS_PORT likewise)
  ${dim}Another Python${off} make run PYTHON=python3.12

END
