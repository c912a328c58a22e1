# callwatch. Each of these sets up what it needs; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Passed on to the command that a target runs: make up ARGS="--port 9000", make test ARGS="-k wallboard".
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up test check bench faults soak fuzz lock clean packages jars python

help:
	@echo "make up      a call center on this machine: Kafka, Redis, simulator, wallboard; Ctrl-C ends it"
	@echo "make test    what CI runs: check, then all tests; installs what is missing (apt, as root or by sudo)"
	@echo "make check   format, lint, types, layering, generated documents"
	@echo "make bench   the benchmarks, with their ratios against named peers"
	@echo "make faults  200 faults in a row: kills, pauses, cuts, lost data; about 45 minutes"
	@echo "make soak    ten times the load of the memory tests"
	@echo "make fuzz    a million inputs for the decoder and the counting, guided by coverage"
	@echo "make lock    requirements.lock from pyproject.toml; ARGS=--upgrade for the newest"
	@echo "make clean   remove what these commands made in this folder"

up: $(INSTALLED)
	@$(BIN)/callwatch up $(ARGS)

test: packages $(INSTALLED) jars
	$(MAKE) check
	$(BIN)/pytest -n 2 --dist loadfile --durations 20 $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/callwatch schema --check

bench: $(INSTALLED)
	$(BIN)/python -m bench $(ARGS)

faults: packages $(INSTALLED) jars
	$(BIN)/python -m tests.faults $(ARGS)

soak: packages $(INSTALLED) jars
	SOAK=10 $(BIN)/pytest tests/integration/test_memory.py -s --timeout 3600 $(ARGS)

# Its fuzzer, atheris, has no wheel for every Python that callwatch runs on, so it is not in the lock; this says so.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz decode --runs 700000
	$(BIN)/python -m tests.fuzz count --runs 300000

# The universal lock holds for every Python from 3.11 on and every platform, and names no registry.
# What is installed may be behind pyproject.toml: it only has to have uv.
lock:
	@[ -x $(BIN)/uv ] || $(MAKE) $(INSTALLED)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --quiet \
		--output-file requirements.lock $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .callwatch dist
	find agents bench config streams tests -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@.ci/packages

# Apache Kafka, before pytest's clock runs. Without it this says why, the tests that need it are skipped, and CI fails.
jars: $(INSTALLED)
	@$(BIN)/python -m tests.harness.jars

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "callwatch needs Python 3.11 or newer, and $(PYTHON) is not: install it, or name another," \
			"as in make PYTHON=python3.11" >&2; exit 1; }

# --no-build-isolation: the build backend is in the lock too.
$(INSTALLED): pyproject.toml requirements.lock | python
	@echo "installing into $(VENV), which takes about a minute and happens once"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make a virtual environment: install its venv module" \
			"(on Debian and Ubuntu: apt-get install python3-venv) and run make again" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
