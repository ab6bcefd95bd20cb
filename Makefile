# Everything lives in .venv and in the user's cache folder; nothing needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STACK := $(VENV)/.installed-stack
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet --constraint constraints.txt

.DEFAULT_GOAL := help

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

# First the packages for `make run`, then those for the tests as well.
$(STACK): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing auditlane and its embedded stack into $(VENV): the first time takes some minutes."
	@$(PIP) --editable '.[local]'
	@touch $@

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing auditlane and the packages for its tests into $(VENV): the first time takes some minutes."
	@$(PIP) --editable '.[dev]'
	@$(BIN)/python tests/support/tools.py
	@touch $(STACK) $@

.PHONY: run tools object-storage kube-score kube-apiserver envtest test test-viewer test-lint test-alone test-fault test-browser test-parts test-rest test-long lint format docs actions texts lock bench bench-parts bench-query bench-readers bench-neighbours bench-viewer bench-embed pictures chaos simulate viewer clean help

run: $(STACK) ## set up, start the whole stack with sample data, print links to open
	@$(BIN)/python consumers/viewer/build.py --if-possible
	$(BIN)/auditlane up --demo

# The viewer is built while pip installs the packages. Then lint and five runs of about equal CPU time share the cores: most
# wait for processes half of the time. Only test-parts prints its progress; the others print when they have ended.
INTEGRATION = $(wildcard tests/integration/test_[$(1)]*.py)
ALONE ?= tests/unit tests/simulation $(call INTEGRATION,a-d)
FAULT ?= tests/fault
PARTS ?= tests/contracts $(call INTEGRATION,n-r)
BROWSER ?= tests/browser $(call INTEGRATION,f-m)
REST ?= $(call INTEGRATION,es-z)
QUIETLY = > $(VENV)/$@.log 2>&1; code=$$?; cat $(VENV)/$@.log; exit $$code
test: ## set up, lint, run all tests except the long ones
	@$(MAKE) --no-print-directory --jobs 6 --keep-going test-viewer test-lint test-alone test-fault test-browser test-parts test-rest

# Without a Node on the PATH, it comes with the packages.
test-viewer: $(if $(shell $(PYTHON) consumers/viewer/build.py --node),$(BIN)/python,$(STAMP))
	@$(BIN)/python consumers/viewer/build.py --check

test-lint: $(STAMP)
	@$(MAKE) --no-print-directory lint $(QUIETLY)

test-alone: TESTS = $(ALONE)
test-fault: TESTS = $(FAULT)
test-browser: TESTS = $(BROWSER)
test-rest: TESTS = $(REST)
test-alone test-fault test-browser test-rest: $(STAMP) test-viewer
	@$(BIN)/python -m pytest -m "not long" $(TESTS) $(QUIETLY)

test-parts: $(STAMP) test-viewer
	@$(BIN)/python -m pytest -m "not long" $(PARTS)

test-long: $(STAMP) ## tests that take minutes: every kind of process and of abuse, two worker versions in one group, alerts, a round trip of 100,000 events (EVENTS=)
	ROUND_TRIP_EVENTS=$(or $(EVENTS),100000) $(BIN)/python -m pytest tests/integration/test_round_trip.py
	$(BIN)/python -m pytest -m long tests/integration tests/fault tests/browser

lint: $(STAMP) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tools: $(STAMP) ## download the programs that the tests of the chart, the image and compose use
	@$(BIN)/python tests/support/tools.py

# Versity's S3 gateway, which the tests of exports in a bucket use. It needs Go, and takes two minutes of CPU.
object-storage: $(STAMP) ## build the S3-compatible server that the tests of exports in a bucket use
	GOBIN=$(abspath $(VENV))/tools/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

kube-score: $(STAMP) ## build the program that rates the chart's manifests; it needs Go
	GOBIN=$(abspath $(VENV))/tools/bin go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0

# Both take six minutes of CPU. Go keeps the compiled packages in its cache.
kube-apiserver: $(STAMP) ## build the Kubernetes API server and etcd that `make envtest` uses; they need Go
	$(BIN)/python tests/support/envtest/build.py

envtest: $(STAMP) ## apply the chart to a real Kubernetes API server that enforces the pod security standard `restricted`
	$(BIN)/python -m pytest tests/integration/test_chart_admission.py

docs: $(STAMP) ## write the generated parts of the docs, and the dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/python deploy/observe/dashboards.py

actions: $(STAMP) ## write the SDK's methods for the actions of the vocabulary
	$(BIN)/python producers/generate_actions.py

# New messages are added without a translation, and unused ones are removed.
PO := --no-wrap --ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date
SERVER := deploy/auditlane/server
texts: $(STAMP) ## update the catalogue of the server's pages from the code
	@$(BIN)/pybabel --quiet extract --mapping pyproject.toml --no-wrap --add-location file --sort-by-file --output $(VENV)/texts.pot $(SERVER)
	@$(BIN)/pybabel --quiet update $(PO) --locale de --input-file $(VENV)/texts.pot --output-file $(SERVER)/pages/locale/de.po

# The locks of the images need `uv`, which is not installed with the other packages.
IMAGE_LOCK = uv pip compile pyproject.toml $(1) --extra otel --constraint constraints.txt --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --quiet --output-file deploy/image/$(2).txt
lock: $(STAMP) ## update constraints.txt from the installed packages, and the locks of the images
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	$(call IMAGE_LOCK,--extra worker,worker)
	$(call IMAGE_LOCK,--extra worker --extra serve --extra s3,serve)

format: $(STAMP) ## format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(STAMP) ## inject 200 faults into real parts, and write a report to build/ (an hour; FAULTS=, SEED=)
	PYTHONPATH=tests/support:tests/fault $(BIN)/python -m chaos --faults $(or $(FAULTS),200) --seed $(or $(SEED),1) --report build/chaos-report.md

BENCH := .venv-bench
$(BENCH)/.installed: tests/bench/peers/requirements.txt
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/peers/requirements.txt
	@touch $@

bench: $(STAMP) $(BENCH)/.installed ## measure the whole path against its ceilings and peers (EVENTS=300000)
	PEERS_PYTHON=$(BENCH)/bin/python $(BIN)/python tests/bench/bench_worker.py

bench-parts: $(STAMP) ## measure the steps, validation, the table's layout, the guard, tracing, exports, reading, live streams, the SDK, Django, FastAPI, HTTP
	$(BIN)/python tests/bench/bench_stages.py
	$(BIN)/python tests/bench/bench_validator.py
	$(BIN)/python tests/bench/bench_table.py
	$(BIN)/python tests/bench/bench_guard.py
	$(BIN)/python tests/bench/bench_tracing.py
	$(BIN)/python tests/bench/bench_export.py
	$(BIN)/python tests/bench/bench_query.py
	$(BIN)/python tests/bench/bench_live.py
	$(BIN)/python -m pytest tests/bench --override-ini python_files='bench_sdk.py bench_emit_peers.py bench_spool.py bench_fastapi.py bench_http.py bench_django.py' -s

bench-query: $(STAMP) ## measure reading over HTTP: time, and rows, bytes and CPU from ClickHouse's log (ROWS=1000000, MONTHS=1, CLOSED=1, REQUESTS=25, KINDS=names, DATA=folder)
	$(BIN)/python tests/bench/bench_query.py

bench-readers: $(STAMP) ## measure reading while a worker stores events (TENANTS=50, ROWS=1000000, STORED_PER_S=20000, REQUESTS_PER_S=20, SECONDS=60)
	$(BIN)/python tests/bench/bench_readers.py

bench-neighbours: $(STAMP) ## measure the effect of one tenant's abuse on twenty others (ROUNDS=5, KINDS=contract,flood)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_neighbours.py -s

bench-viewer: $(STAMP) ## measure the viewer over a million events in a browser (EVENTS=1000000, LOADS=30, ROWS=100000)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_viewer.py -s

SEED ?= 0
SCHEDULES ?= 200000
simulate: $(STAMP) ## run the long simulation, and write a report to build/ (SEED=0, SCHEDULES=200000)
	PYTHONPATH=tests/support:tests/simulation $(BIN)/python -m simulator.long_run --seed $(SEED) --schedules $(SCHEDULES)

bench-embed: $(STAMP) ## measure the embedded page: bytes, requests, time, layout shift (LOADS=10)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_embed.py -s

pictures: $(STAMP) ## retake the docs' pictures of the demo in a browser
	$(BIN)/python -m pytest tests/browser --override-ini python_files=pictures.py -s

viewer: | $(BIN)/python ## build the viewer if its sources have changed; wheels need it
	@$(BIN)/python consumers/viewer/build.py

clean: ## remove all build results and the demo's data
	rm -rf deploy/auditlane/server/pages/static/viewer consumers/viewer/node_modules
	rm -rf $(VENV) $(BENCH) .data build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
