# Every target sets up what it needs: `make demo` and `make test` both work in a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test test-soak check format bench clean help

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(STAMP)  ## the environment in .venv: the product (editable), its extras, the tools

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0])'
	@echo 'setting up $(VENV): the first time this takes a few minutes (TensorFlow is 1.3 GB)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP)   ## train, convert, publish, predict: the whole main job on real digits
	@$(BIN)/python docs/demo/demo.py

test: $(STAMP)   ## all tests (under about 8 minutes on 2 cores)
	$(BIN)/python -m pytest

test-soak: $(STAMP)  ## the long ones: fuzzing and swaps under load
	MM_SOAK=1 $(BIN)/python -m pytest --timeout 1800 tests/soak tests/e2e/test_swap.py

check: $(STAMP)  ## lint, format, types; writes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## write what `check` would ask for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## one run, one table: what the daemon costs over a bare socket and a bare interpreter
	$(BIN)/python -m tests.bench

clean:           ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
