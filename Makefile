# `make` alone lists what there is. Everything installs into .venv from hashed requirement files.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PROCESSES ?= 3
VENV := .venv
BIN := $(VENV)/bin
UV := $(or $(shell command -v uv),.uv/bin/uv)
# What Python compiled is kept, or each of the hundreds of commands that tests start would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-more aws-test coverage witness clients-test connector-test tableau-test browser-test bench docs release check format lock clean airflow-e2e airflow-bench airflow-check

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# uv serves if it is on the machine; else pip brings it into an environment of its own.
.uv/bin/uv: requirements/uv.txt
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.python: | $(filter .uv/%,$(UV))
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else f"etltctl needs Python 3.11, 3.12 or 3.13; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=/path/to/python3.12")'
	$(UV) venv --quiet --clear --no-python-downloads --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@touch $@

# etltctl as it lies here: built by the hashed backend, or uv would fetch whichever one the index has. $(call own,ENVIRONMENT)
define own
$(UV) pip install --quiet --python $(1)/bin/python --require-hashes -r requirements/build.txt
$(UV) pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation -e .
endef

$(VENV)/.local: requirements/local.txt requirements/build.txt pyproject.toml $(VENV)/.python
	@echo "Installing 930 MB into $(VENV): a minute or more, once"
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	$(call own,$(VENV))
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.local
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.local
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/docs.txt
	@touch $@

.venv-cdk/.done: requirements/cdk.txt | $(filter .uv/%,$(UV))
	$(UV) venv --quiet --clear --no-python-downloads --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv-cdk
	$(UV) pip install --quiet --python .venv-cdk/bin/python --require-hashes -r requirements/cdk.txt
	@touch $@

.tableau/.done: requirements/tableau.txt $(VENV)/.dev
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .tableau
	for file in local dev tableau; do $(UV) pip install --quiet --python .tableau/bin/python --require-hashes -r requirements/$$file.txt; done
	$(call own,.tableau)
	@touch $@

.clients/.done: requirements/clients.txt $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .clients
	$(UV) pip install --quiet --python .clients/bin/python --require-hashes -r requirements/clients.txt
	@touch $@

.dbt/.done: requirements/dbt.txt $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .dbt
	$(UV) pip install --quiet --python .dbt/bin/python --require-hashes -r requirements/dbt.txt
	@touch $@

# The browser is 210 MB and comes from npm, with the libraries that it needs: a CDN may be out of reach.
.browser/.done: requirements/browser.txt requirements/chromium.pin $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .browser
	$(UV) pip install --quiet --python .browser/bin/python --require-hashes -r requirements/browser.txt
	.browser/bin/python tests/support/browser/chromium.py .browser
	@touch $@

define DEMO
etltctl local up
etltctl run mongodb
etltctl run api
etltctl athena query "select city_key, local_date, wind_speed_mean_ms, wpd10_mean_wm2 from weather_daily order by 4 desc limit 3"
etltctl athena query "select position, driver_id, points, wins from f1_driver_championship order by season desc, position limit 3"
etltctl runs report
endef
export DEMO

demo: $(VENV)/.local  ## run both pipelines for real on this machine and query gold
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	trap 'etltctl --quiet local down > /dev/null' EXIT; \
	while IFS= read -r line; do echo "$$ $$line"; eval "$$line" < /dev/null; echo; done <<< "$$DEMO"
	@echo "The embedded server has ended; the next command starts it again. Go on by yourself: . $(VENV)/bin/activate && etltctl athena tables"

# The tests start dozens of JVMs: the archive of Spark's classes, else made in the background, pays at once.
CLASS_ARCHIVE = $(BIN)/python -P -m etltctl.local.services.glue.class_archive || true
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --dist loadscope --no-loadscope-reorder
FURTHER = airflow or browser or cdk or clients or hyper
SELECTION = tests
test: $(VENV)/.dev  ## run every test that needs no further environment
	$(CLASS_ARCHIVE)
	$(BIN)/python tests/processor_time.py $(PYTEST) $(MEASURE) --durations=20 --durations-min=10 -m "not ($(FURTHER))" $(SELECTION)

# System tests run without measurement: they start thousands of commands, and to measure each takes too long.
# The second part runs also if the first one fails.
coverage: $(VENV)/.dev  ## `make test`; fails if its unit and component tests reach less than 90 % of the lines
	$(BIN)/coverage erase
	status=0; \
	$(MAKE) test SELECTION="--ignore=tests/system tests" MEASURE="--cov --cov-report=term" || status=$$?; \
	$(MAKE) test SELECTION=tests/system || status=$$?; \
	exit $$status

witness: $(VENV)/.dev  ## run everything against AWS and Airbyte as their own API models describe them
	$(BIN)/python tests/witness.py

test-more: clients-test connector-test tableau-test browser-test airflow-check airflow-e2e  ## run the tests that need environments of their own (2 GB more)

clients-test: $(VENV)/.dev .clients/.done .dbt/.done  ## the embedded lake through the clients that people use
	$(BIN)/python -m pytest tests/system/clients

connector-test: $(VENV)/.dev .venv-cdk/.done  ## run low-code and public connectors in Airbyte's own framework (fetches up to 1 GB)
	$(BIN)/python -m pytest -m cdk tests/system/connectors

tableau-test: .tableau/.done  ## write Hyper extracts with Tableau's own engine (300 MB more)
	.tableau/bin/python -m pytest -m hyper tests/component/tableau

browser-test: $(VENV)/.dev .browser/.done  ## the report in a real browser: no request, no console error, axe-core, keyboard (390 MB more)
	$(BIN)/python -m pytest tests/system/browser

aws-test: $(VENV)/.dev  ## a first day in the account that ETLTCTL_AWS_CHECKOUT names, within ETLTCTL_AWS_MAX_USD; else in an embedded one
	$(BIN)/python -m pytest -x -p no:cacheprovider tests/system/aws

bench: $(VENV)/.bench .tableau/.done  ## measure what the README claims (all but the start needs ETLTCTL_DATA_PACK, takes minutes)
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/runs_list.py
	@[ -n "$${ETLTCTL_DATA_PACK:-}" ] || { echo "set ETLTCTL_DATA_PACK to a folder of real weather documents (weather/*.jsonl.gz)" >&2; exit 2; }
	$(BIN)/python benchmarks/waiting.py
	$(BIN)/python benchmarks/front.py
	$(BIN)/python benchmarks/why.py
	$(BIN)/python benchmarks/refresh.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/jobs.py
	$(BIN)/python benchmarks/connector.py
	$(BIN)/python benchmarks/incremental.py --documents 1000000 --new 10000
	.tableau/bin/python benchmarks/extracts.py

docs: $(VENV)/.dev $(VENV)/.docs  ## write the reference pages and diagrams from the code, build the site into site/
	$(BIN)/python docs/generate
	$(BIN)/python docs/diagrams
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going docs site
	@echo "site/index.html"

release: $(VENV)/.dev  ## check that this commit can be released, build wheel and sdist into dist/; publishes nothing
	$(BIN)/python .ci/release.py

check: $(VENV)/.dev  ## lint, types, import layers, words, lengths of files, template and policies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/unit/typing/public_api.py
	$(BIN)/lint-imports
	$(BIN)/python tests/house_words.py
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/test_file_lengths.py
	$(BIN)/cfn-lint deploy/aws/template.yaml
	$(BIN)/python deploy/aws/check.py

format: $(VENV)/.dev  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Airflow 3 and 2.11 live in environments of their own, of the Python that PYTHON names (2.11 knows none after 3.12).
.airflow%/.done: requirements/airflow%.txt requirements/build.txt pyproject.toml $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .airflow$*
	$(UV) pip install --quiet --python .airflow$*/bin/python --require-hashes -r requirements/airflow$*.txt
	$(call own,.airflow$*)
	@touch $@

.airflow-peers/.done: requirements/airflow-peers.txt requirements/airflow3.txt requirements/build.txt pyproject.toml $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .airflow-peers
	$(UV) pip install --quiet --python .airflow-peers/bin/python --require-hashes -r requirements/airflow3.txt
	$(UV) pip install --quiet --python .airflow-peers/bin/python --require-hashes -r requirements/airflow-peers.txt
	$(call own,.airflow-peers)
	@touch $@

.airflow-check/.done: requirements/airflow-check.txt $(VENV)/.python
	$(UV) venv --quiet --clear --no-python-downloads --python $(BIN)/python .airflow-check
	$(UV) pip install --quiet --python .airflow-check/bin/python --require-hashes -r requirements/airflow-check.txt
	@touch $@

airflow-e2e: $(VENV)/.dev .airflow3/.done .airflow2/.done .airflow3-constrained/.done  ## both DAGs on a real Airflow 3 and 2.11 (takes a quarter of an hour)
	ETLTCTL_AIRFLOW_E2E=1 $(BIN)/python -m pytest -v -m airflow tests/system/dags/test_with_airflow.py tests/system/dags/test_init_service.py tests/system/airflow_e2e tests/system/airflow_connections

airflow-bench: .airflow-peers/.done  ## what parsing etltctl's DAG files costs, next to Airflow's own operators
	.airflow-peers/bin/python benchmarks/dag_parse.py

airflow-check: .airflow-check/.done $(VENV)/.dev .airflow3-constrained/.done .airflow2-constrained/.done  ## deploy/airflow with no Docker engine; etltctl under the newest and oldest constraints of Airflow
	.airflow-check/bin/hadolint deploy/airflow/Dockerfile
	.airflow-check/bin/shellcheck deploy/airflow/new-env.sh deploy/airflow/start.sh .ci/run
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && mkdir -p "$$place/deploy" && cp -r deploy/airflow "$$place/deploy" && \
	cd "$$place/deploy/airflow" && ./new-env.sh > airflow.env && \
	"$(CURDIR)/.airflow-check/bin/docker-compose" --env-file airflow.env config --quiet && echo "compose.yaml is right"
	$(BIN)/python -m pytest -m airflow tests/system/dags/test_constrained.py tests/system/dags/test_connections.py

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: $(filter .uv/%,$(UV))  ## renew the hashed requirement files
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) pyproject.toml --extra local -o requirements/local.txt
	$(LOCK) pyproject.toml --extra dev -c requirements/local.txt -o requirements/dev.txt
	$(LOCK) requirements/build.in -c requirements/local.txt -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) pyproject.toml --extra bench -c requirements/local.txt -o requirements/bench.txt
	$(LOCK) pyproject.toml --extra tableau -c requirements/dev.txt -o requirements/tableau.txt
	$(LOCK) pyproject.toml --extra cdk -o requirements/cdk.txt
	$(LOCK) pyproject.toml --extra docs -c requirements/dev.txt -o requirements/docs.txt
	$(LOCK) pyproject.toml requirements/airflow3.in -c requirements/build.txt -o requirements/airflow3.txt
	$(LOCK) pyproject.toml requirements/airflow2.in -c requirements/build.txt -o requirements/airflow2.txt
	$(LOCK) pyproject.toml requirements/airflow3-constrained.in -c requirements/constraints/airflow-3.3.1.txt -c requirements/build.txt -o requirements/airflow3-constrained.txt
	$(LOCK) pyproject.toml requirements/airflow2-constrained.in -c requirements/constraints/airflow-2.11.0.txt -c requirements/build.txt -o requirements/airflow2-constrained.txt
	$(LOCK) requirements/airflow-peers.in -c requirements/airflow3.txt -o requirements/airflow-peers.txt
	$(LOCK) requirements/clients.in -o requirements/clients.txt
	$(LOCK) requirements/dbt.in -o requirements/dbt.txt
	$(LOCK) requirements/browser.in -o requirements/browser.txt
	$(LOCK) requirements/airflow-check.in -o requirements/airflow-check.txt

clean:  ## remove the environment and the embedded lake
	rm -rf $(VENV) .venv-cdk .tableau .clients .dbt .browser .uv .etltctl site .airflow3 .airflow2 .airflow3-constrained .airflow2-constrained .airflow-peers .airflow-check
