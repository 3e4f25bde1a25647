# Everything a person or CI does with this repository. `make help` lists it.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
.DEFAULT_GOAL := help

.PHONY: help setup demo test simulate figures fuzz schemathesis recount check lint bench lock docs clean

help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed  ## Make the environment in .venv, with everything pinned

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Outrider needs Python 3.11 or newer. Name one: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Run a real campaign against the sandbox and watch it
	$(BIN)/outrider demo

test: setup  ## Run all tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

simulate: setup  ## Random campaigns, people, faults and crashes: make simulate N=2000 SEED=1
	$(BIN)/python -m tests.simulation --runs $(or $(N),200) --seed $(or $(SEED),1)

figures: setup  ## How well mail that comes back is read: bounces, auto-replies, return dates
	$(BIN)/python -m tests.mail.figures

fuzz: setup  ## Broken mails through everything that reads a mail: make fuzz N=50000
	$(BIN)/python -m tests.mail.mutations --count $(or $(N),50000)

schemathesis: setup  ## Calls that nobody thought of, made from the OpenAPI document: make schemathesis N=20000 SEED=1
	$(BIN)/python -m tests.contract.fuzzing --calls $(or $(N),20000) --seed $(or $(SEED),1)

recount: setup  ## Figures of random histories, counted again in plain Python: make recount N=2000
	RECOUNT_HISTORIES=$(or $(N),2000) $(BIN)/python -m pytest --numprocesses $(WORKERS) --timeout 0 tests/analytics/test_recount.py

lint: setup  ## Style, types and import rules only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## All that CI checks

bench: setup  ## Benchmarks as ratios to a yardstick of the same run
	$(BIN)/python -m benchmarks

docs: setup  ## Write the generated pages: settings, schema, OpenAPI, compatibility
	$(BIN)/outrider docs

lock: setup  ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --output-file requirements.lock

clean:  ## Remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
