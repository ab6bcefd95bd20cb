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

# What `make run` needs, and on top of it what the tests need.
$(STACK): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing auditlane and its embedded stack into $(VENV): the first time takes some minutes."
	@$(PIP) --editable '.[local]'
	@touch $@

$(STAMP): $(STACK)
	@echo "Installing what the tests need into $(VENV): the first time takes some minutes."
	@$(PIP) --editable '.[dev]'
	@touch $@

.PHONY: run test test-viewer test-lint test-alone test-fault test-parts test-long lint format docs actions texts lock bench bench-parts bench-neighbours bench-viewer bench-embed pictures chaos simulate viewer clean help

run: $(STACK) ## set up, start the whole stack with sample data, print where to look
	@$(BIN)/python consumers/viewer/build.py --if-possible
	$(BIN)/auditlane up --demo

# The viewer is built first. Then lint and three runs of about the same length share the cores, as most of what the runs do
# is wait for parts. Only test-parts prints as it goes; the others print when they have ended.
BEGINNING := $(wildcard tests/integration/test_[a-i]*.py)
ALONE ?= tests/unit tests/simulation $(BEGINNING)
FAULT ?= tests/browser tests/fault
PARTS ?= tests/contracts $(filter-out $(BEGINNING),$(wildcard tests/integration/test_*.py))
QUIETLY = > $(VENV)/$@.log 2>&1; code=$$?; cat $(VENV)/$@.log; exit $$code
test: $(STAMP) ## set up, lint, run every test that is not long
	@$(MAKE) --no-print-directory --jobs 4 --keep-going test-lint test-alone test-fault test-parts

test-viewer: $(STAMP)
	@$(BIN)/python consumers/viewer/build.py --check

test-lint: $(STAMP)
	@$(MAKE) --no-print-directory lint $(QUIETLY)

test-alone: TESTS = $(ALONE)
test-fault: TESTS = $(FAULT)
test-alone test-fault: $(STAMP) test-viewer
	@$(BIN)/python -m pytest -m "not long" $(TESTS) $(QUIETLY)

test-parts: $(STAMP) test-viewer
	@$(BIN)/python -m pytest -m "not long" $(PARTS)

test-long: $(STAMP) ## what takes minutes: each kind of process and of neighbour, two versions of the worker in one group, a round trip of 100,000 events (EVENTS=)
	ROUND_TRIP_EVENTS=$(or $(EVENTS),100000) $(BIN)/python -m pytest tests/integration/test_round_trip.py
	$(BIN)/python -m pytest -m long tests/integration tests/fault

lint: $(STAMP) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## write the generated parts of the docs
	$(BIN)/python docs/generate.py

actions: $(STAMP) ## write the SDK's methods for the actions of the vocabulary
	$(BIN)/python producers/generate_actions.py

# New texts are added, empty, and what nobody says any more is dropped.
PO := --no-wrap --ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date
SERVER := deploy/auditlane/server
texts: $(STAMP) ## bring the catalogue of the server's pages up to date with what the code says
	@$(BIN)/pybabel --quiet extract --mapping pyproject.toml --no-wrap --add-location file --sort-by-file --output $(VENV)/texts.pot $(SERVER)
	@$(BIN)/pybabel --quiet update $(PO) --locale de --input-file $(VENV)/texts.pot --output-file $(SERVER)/pages/locale/de.po

lock: $(STAMP) ## renew constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

format: $(STAMP) ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(STAMP) ## 200 faults on real parts, with a report in build/ (an hour); FAULTS=, SEED=
	PYTHONPATH=tests/support:tests/fault $(BIN)/python -m chaos --faults $(or $(FAULTS),200) --seed $(or $(SEED),1) --report build/chaos-report.md

BENCH := .venv-bench
$(BENCH)/.installed: tests/bench/peers/requirements.txt
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/peers/requirements.txt
	@touch $@

bench: $(STAMP) $(BENCH)/.installed ## measure the whole path against its ceilings and peers (EVENTS=300000)
	PEERS_PYTHON=$(BENCH)/bin/python $(BIN)/python tests/bench/bench_worker.py

bench-parts: $(STAMP) ## measure the steps, the judge, the table's form, the guard, exports, reading, the SDK, HTTP
	$(BIN)/python tests/bench/bench_stages.py
	$(BIN)/python tests/bench/bench_validator.py
	$(BIN)/python tests/bench/bench_table.py
	$(BIN)/python tests/bench/bench_guard.py
	$(BIN)/python tests/bench/bench_export.py
	$(BIN)/python tests/bench/bench_query.py
	$(BIN)/python -m pytest tests/bench --override-ini python_files='bench_sdk.py bench_http.py' -s

bench-neighbours: $(STAMP) ## measure what one tenant's abuse costs twenty others (ROUNDS=5, KINDS=contract,flood)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_neighbours.py -s

bench-viewer: $(STAMP) ## measure the viewer over a million events in a browser (EVENTS=1000000, LOADS=30, ROWS=100000)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_viewer.py -s

SEED ?= 0
SCHEDULES ?= 200000
simulate: $(STAMP) ## the long simulation, with a report in build/: SEED=0 SCHEDULES=200000
	PYTHONPATH=tests/support:tests/simulation $(BIN)/python -m simulator.long_run --seed $(SEED) --schedules $(SCHEDULES)

bench-embed: $(STAMP) ## measure what the page for frames costs: bytes, requests, time, movement (LOADS=10)
	$(BIN)/python -m pytest tests/bench --override-ini python_files=bench_embed.py -s

pictures: $(STAMP) ## take the docs' pictures anew, of the demo in a browser
	$(BIN)/python -m pytest tests/browser --override-ini python_files=pictures.py -s

viewer: | $(BIN)/python ## build the viewer when its sources changed; the wheel needs it
	@$(BIN)/python consumers/viewer/build.py

clean: ## remove what was built and the demo's data
	rm -rf deploy/auditlane/server/pages/static/viewer consumers/viewer/node_modules
	rm -rf $(VENV) $(BENCH) .data build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
