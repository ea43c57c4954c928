.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --only-binary=:all: -c constraints.txt

.PHONY: help run ui api test check bench scorecard docs clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; set PYTHON to one, such as: make run PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once; about two minutes)"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation -e .
	@$(BIN)/python -m quant_assets.backtests.warm_up
	@touch $@

$(DEV_STAMP): $(STAMP)
	@echo "Installing the development tools"
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

run: $(STAMP) ## Set up, then run the nightly job (on packaged history unless a key is set)
	@$(BIN)/quant run nightly

ui: $(STAMP) ## Start the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/quant ui

api: $(STAMP) ## Serve what was published on http://127.0.0.1:8000
	@$(BIN)/quant api

test: $(DEV_STAMP) ## Run the tests
	@$(BIN)/pytest -q -n 2 --dist loadgroup

check: $(DEV_STAMP) ## Format, lint, types, import rules, definitions, dbt build, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate.py --check
	@QUANT_HOME=$$(mktemp -d) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dg check defs
	@$(BIN)/dbt --quiet build --project-dir dbt_features --profiles-dir dbt_features
	@$(MAKE) --no-print-directory test

bench: $(DEV_STAMP) ## Measure against the alternatives, in ratios
	@$(BIN)/python -m benchmarks

scorecard: $(DEV_STAMP) ## Print the goals from what the last run published
	@$(BIN)/python -m benchmarks.scorecard

docs: $(DEV_STAMP) ## Generate the data dictionary and the README's graph
	@$(BIN)/python docs/generate.py

clean: ## Remove the virtual environment and build leftovers (never the data)
	@rm -rf $(VENV) build *.egg-info dbt_features/target dbt_features/logs
