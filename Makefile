# `make` alone lists what there is. Everything installs into .venv from hashed requirement files.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(or $(shell command -v uv),.uv/bin/uv)

.PHONY: help demo test connector-test tableau-test bench check format lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# uv serves if it is on the machine; else pip brings it into an environment of its own.
.uv/bin/uv: requirements/uv.txt
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.python: | $(filter .uv/%,$(UV))
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else f"etltctl needs Python 3.11, 3.12 or 3.13; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=/path/to/python3.12")'
	$(UV) venv --quiet --clear --no-python-downloads --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@touch $@

$(VENV)/.local: requirements/local.txt pyproject.toml $(VENV)/.python
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.local
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

.venv-cdk/.done: requirements/cdk.txt | $(filter .uv/%,$(UV))
	$(UV) venv --quiet --clear --no-python-downloads --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv-cdk
	$(UV) pip install --quiet --python .venv-cdk/bin/python --require-hashes -r requirements/cdk.txt
	@touch $@

$(VENV)/.tableau: requirements/tableau.txt $(VENV)/.dev
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/tableau.txt
	@touch $@

define DEMO
etltctl local up
etltctl run mongodb
etltctl run api
etltctl athena query "select city_key, local_date, wind_speed_mean_ms, wpd10_mean_wm2 from weather_daily order by 4 desc limit 3"
etltctl athena query "select position, driver_id, points, wins from f1_driver_championship order by season desc, position limit 3"
endef
export DEMO

demo: $(VENV)/.local  ## run both pipelines for real on this machine and query gold
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	trap 'etltctl --quiet local down > /dev/null' EXIT; \
	while IFS= read -r line; do echo "$$ $$line"; eval "$$line" < /dev/null; echo; done <<< "$$DEMO"

test: $(VENV)/.dev  ## run every test
	$(BIN)/coverage erase
	$(BIN)/python -m pytest --cov --cov-report=term tests

connector-test: $(VENV)/.dev .venv-cdk/.done  ## run the low-code Formula 1 connector in Airbyte's own framework (420 MB more)
	$(BIN)/python -m pytest tests/connectors

tableau-test: $(VENV)/.tableau  ## write Hyper extracts with Tableau's own engine (300 MB more)
	$(BIN)/python -m pytest tests/tableau

bench: $(VENV)/.bench  ## measure what the README claims (needs ETLTCTL_DATA_PACK, takes minutes)
	$(BIN)/python benchmarks/waiting.py
	$(BIN)/python benchmarks/jobs.py

check: $(VENV)/.dev  ## lint, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: $(filter .uv/%,$(UV))  ## renew the hashed requirement files
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) pyproject.toml --extra local -o requirements/local.txt
	$(LOCK) pyproject.toml --extra dev -c requirements/local.txt -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra bench -c requirements/local.txt -o requirements/bench.txt
	$(LOCK) pyproject.toml --extra tableau -c requirements/dev.txt -o requirements/tableau.txt
	$(LOCK) pyproject.toml --extra cdk -o requirements/cdk.txt

clean:  ## remove the environment and the embedded lake
	rm -rf $(VENV) .venv-cdk .uv .etltctl
