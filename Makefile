# `make` alone prints what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

BIN := .venv/bin
UV_VERSION := 0.13.9
export PYTHON


.PHONY: help run test check bench bench-large chaos protos lock fmt clean venv venv-dev

help: ## this page
	@packaging/help.sh $(firstword $(MAKEFILE_LIST))

run: venv ## the demo company on this machine: core, edge and chat; Ctrl-C ends it
	@exec $(BIN)/python demo/run.py

test: venv-dev ## every test (TESTS=path or -k expression narrows it)
	@packaging/browser.sh
	@$(BIN)/python -m pytest $(TESTS)

check: venv-dev ## format, lint, types, rooms, protobuf: what CI checks
	@packaging/check.sh

bench: venv-dev ## every figure beside its limit, measured in the same run (ONLY=encoder, JSON=file)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

bench-large: venv-dev ## a million passages on PostgreSQL, a quarter of an hour (N=100000, JSON=file)
	@exec $(BIN)/python -m benchmarks.large $(if $(N),--passages $(N)) $(if $(JSON),--json $(JSON))

chaos: venv-dev ## kill the edge N times while customers write: nothing is lost or doubled (N=200, SEED=number, JSON=file)
	@exec $(BIN)/python -m tests.chaos $(if $(N),--kills $(N)) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

protos: venv-dev ## generate nearside/v1 from protos/
	@packaging/protos.sh .

fmt: venv-dev ## put the code into shape
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/buf format --write protos

lock: ## resolve the dependencies into requirements/ (LOCK=--upgrade takes newer ones)
	@packaging/lock.sh $(UV_VERSION) $(LOCK)

clean: ## remove caches and what was built; the demo's state stays (.nearside)
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.nearside/*' -prune -exec rm -rf {} +

venv:
	@packaging/venv.sh run

venv-dev:
	@packaging/venv.sh dev
