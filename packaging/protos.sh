#!/usr/bin/env bash
# Generates the protobuf modules below a folder: `packaging/protos.sh .` writes nearside/v1/.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH .venv/bin/python -m grpc_tools.protoc -Iprotos \
  --python_out="$1" --grpc_python_out="$1" --mypy_out=quiet:"$1" --mypy_grpc_out=quiet:"$1" protos/nearside/v1/*.proto
