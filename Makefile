# The newcomer's door: `make demo` shows it at work, `make test` proves it. Everything stays inside this folder.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export ASSISTANT_MODELS ?= $(CURDIR)/.assistant/models
SMALL_MODEL := smollm2-135m-instruct
# The second one holds code for this kind of machine only; elsewhere search by meaning does with the first.
SENTENCE_MODELS := minilm-l6-v2 $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),multilingual-e5-small)
IN ?=
TESTS ?= tests/integration tests/e2e
BENCHES ?= overhead worker outbox utterances fuzz

.PHONY: demo install setup test check bench clean

demo:  ## a sample mailbox, the model, six requests
	@demo/demo.sh

install: .venv/installed

setup: .venv/installed  ## the package, a small model, the models for search
	@for name in $(SMALL_MODEL) $(SENTENCE_MODELS); do \
	  ASSISTANT_HOME=$(CURDIR)/.assistant/setup $(BIN)/assistant models pull --yes $$name || exit 1; done

test: .venv/developer setup  ## everything; needs no network once it is set up (IN="python3 tools/noroute.py --" proves it)
	@$(BIN)/python tools/servers.py
	$(IN) $(BIN)/python -m pytest -q -n auto tests/unit
	$(IN) $(BIN)/python -m pytest -q -n 2 --dist loadfile $(TESTS)

check: .venv/developer  ## style, types, import directions, licences
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy assistant
	$(BIN)/mypy --strict skills bench tools
	$(BIN)/lint-imports
	$(BIN)/python tools/licences.py

bench: .venv/installed  ## BENCHES="overhead utterances" chooses
	@for name in $(BENCHES); do $(BIN)/python -m bench.$$name || exit 1; done

clean:  ## everything that was made here, but not the models
	rm -rf .venv .assistant/demo .assistant/setup .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; echo "Python's venv is missing (Debian: apt install python3-venv)"; exit 1; }

.venv/installed: pyproject.toml | .venv/bin/python
	@echo "Installing the package into .venv. The first time on a machine llama.cpp is compiled: 5 to 10 minutes."
	@$(PIP) install -qq -e .
	@touch $@

.venv/developer: pyproject.toml tests/support/servers/package-lock.json .venv/installed
	@echo "Installing what the tests need."
	@$(PIP) install -qq -e '.[dev]'
	@npm ci --silent --ignore-scripts --no-audit --no-fund --prefix tests/support/servers || \
	  echo "npm could not fetch the OpenID provider; the tests of logins with OAuth are skipped"
	@touch $@
