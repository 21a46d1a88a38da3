# Python >= 3.11, pip and make are all this needs; everything else is installed into .venv from locked, hashed requirements.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
export SAM_CLI_TELEMETRY := 0
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help run start-api token demo demo-data screenshots drill federation db-setup place reindex restore strike-off check test every-test stranger chromium load bench bench-quick lint \
	package-check lock build clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# Bytecode once, here: commands, and tests that start hundreds of processes, would compile it at each start where PYTHONDONTWRITEBYTECODE is set.
.venv/.ready: requirements/uv.txt requirements/dev.txt layers/eventlog/pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s (%s); try: make PYTHON=python3.12" % (sys.version.split()[0], sys.executable))'
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/uv.txt requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable layers/eventlog --editable client
	@touch $@

.venv-checkov/.ready: requirements/checkov.txt | .venv/.ready
	@echo "Setting up .venv-checkov (once) ..."
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-checkov
	@$(UV) pip sync --quiet --python .venv-checkov/bin/python --require-hashes --only-binary :all: requirements/checkov.txt
	@touch $@

run: .venv/.ready  ## serve the API at http://127.0.0.1:8000 (HOST=, PORT=, MONGO_URI=, EVENTLOG_TOKENS=)
	@$(BIN)/python -m local

token: .venv/.ready  ## add a bearer token to the file EVENTLOG_TOKENS: NAME=shop SCOPES=events:write CHAINS='acme.*'
	@$(BIN)/python -m admin.token "$(NAME)" $(SCOPES:%=--scope '%') $(CHAINS:%=--chain '%')

start-api: .venv/.ready  ## build and serve the template at http://127.0.0.1:3000 under AWS's Lambda runtime (PORT=, OPTIONS=--help)
	@$(BIN)/python -m local.start_api --port $(or $(PORT),3000) $(OPTIONS)

demo: .venv/.ready  ## ingest, query, audit, tamper, audit again (EVENTS=any.ndjson)
	@$(BIN)/python -m local.demo $(EVENTS)

federation: .venv/.ready  ## three organisations witness each other; one rewrites its history: who notices, and when
	@$(BIN)/python -m local.federation

db-setup: .venv/.ready  ## set up the database of MONGO_ADMIN_URI (environment or .env); CHECK=1 ATLAS=1 (docs/operations.md)
	@$(BIN)/python -m admin.db_setup $(if $(CHECK),--check) $(if $(ATLAS),--atlas)

reindex: .venv/.ready  ## index older events by the search fields in force, in CHAIN= or in all, with MONGO_ADMIN_URI (docs/operations.md)
	@$(BIN)/python -m admin.reindex $(if $(CHAIN),"$(CHAIN)")

sweep: .venv/.ready  ## remove payloads that writers left behind, in the database of MONGO_ADMIN_URI; CHECK=1 (docs/operations.md)
	@$(BIN)/python -m admin.sweep $(if $(CHECK),--check)

place: .venv/.ready  ## on a sharded cluster: keep CHAIN= on the shards of ZONE= (docs/operations.md)
	@$(BIN)/python -m admin.place "$(CHAIN)" "$(ZONE)"

restore: .venv/.ready  ## declare that CHAIN= was restored from a backup, for what REASON= (docs/operations.md)
	@$(BIN)/python -m local.declaration restore "$(CHAIN)" "$(REASON)"

strike-off: .venv/.ready  ## declare that CHAIN=, which the registry names, was never there, for what REASON= (docs/operations.md)
	@$(BIN)/python -m local.declaration strike-off "$(CHAIN)" "$(REASON)"

demo-data: .venv/.ready  ## log a believable week into the running log (PORT=, EVENTLOG_URL=)
	@$(BIN)/python -m local.demo.week

screenshots: .venv/.ready chromium  ## take the pictures of the dashboard in docs/screenshots anew, of a log of their own
	@$(BIN)/python -m tools.screenshots docs/screenshots

drill: .venv/.ready  ## attack an anchored log in every way there is, and see what finds it (ATTACK="part of a name")
	@$(BIN)/python -m local.drill $(if $(ATTACK),"$(ATTACK)")

check: lint  ## what every change should pass: format, lint, types and unit tests (under a minute; .venv is all it needs)
	@$(BIN)/python -m pytest -n 2 tests/unit

# Its hundreds of processes must not compile the project anew, whatever is set here.
# The static checks keep one processor busy, and so does setting up what the tests need: both at once, and the tests beside what is left.
test: chromium .venv/.ready  ## everything: static checks and every test, those of what would be deployed too
	@$(MAKE) --no-print-directory --jobs 2 lint every-test

every-test: .venv-checkov/.ready stranger
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

# A witness of others', for a Python that the project itself need not have: where there is none the run says so, and what was not tried.
stranger: .venv/.ready
	@$(BIN)/python -m tools.stranger $(UV)

chromium:
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
		echo "The dashboard's tests need Chromium: apt-get install chromium (Debian, Ubuntu), or .ci/run, which installs it." >&2; exit 1

load: .venv/.ready  ## ten minutes of load, then a walk through all that was acknowledged (URL= TOKEN= DURATION= USERS= WRITE=1)
	@URL="$(URL)" TOKEN="$(TOKEN)" DURATION="$(DURATION)" USERS="$(USERS)" WRITE="$(WRITE)" $(BIN)/python -m tools.load

bench: .venv/.ready  ## measure everything (ten minutes; the views need Chromium) and write docs/benchmarks.md
	@$(BIN)/python -m tools.benchmarks

bench-quick: .venv/.ready  ## measure coarsely (under 90 s) and only print
	@$(BIN)/python -m tools.benchmarks --quick

lint: .venv/.ready  ## format, ruff, mypy and the directions of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

package-check: .venv/.ready .venv-checkov/.ready  ## what would be deployed: weight, imports, wildcards, checkov, secrets
	@$(BIN)/python -m tools.package_check .venv-checkov/bin/checkov

lock: .venv/.ready  ## write the locked requirements anew
	@echo "uv" | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header - -o requirements/uv.txt
	@echo "event-logging-system @ file://$(CURDIR)/layers/eventlog" | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header - requirements/dev.in layers/eventlog/pyproject.toml --extra server client/pyproject.toml \
		--no-emit-package event-logging-system -o requirements/dev.txt
	@$(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-emit-index-url --no-annotate --no-header layers/eventlog/pyproject.toml --extra server -c requirements/dev.txt \
		--no-emit-package botocore --no-emit-package python-dateutil --no-emit-package six --no-emit-package urllib3 -o layers/eventlog/src/requirements.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/checkov.in -o requirements/checkov.txt
	@$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/witness.in -o requirements/witness.txt

build: .venv/.ready  ## sam build
	@$(BIN)/sam build

clean:  ## remove what the targets made, except the log in .eventlog/
	@rm -rf .venv .venv-checkov .venv-witness .aws-sam .import_linter_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
