# Two commands do all set-up on a machine with python3 (3.11 or newer), make and a package registry:
#   make demo    installs the product and shows the whole of it on the data in data/
#   make test    installs the development tools too and runs every check
# `make torture` kills and damages what `make test` does, many times more often (about 15 minutes).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint types imports suite torture format bench clean

demo: $(VENV)/.installed-all
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh data/demo.sh

test: lint types imports suite

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

suite: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

torture: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m torture -o log_cli=true -o log_cli_level=INFO

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/precisions.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/long_texts.py
	$(BIN)/python benchmarks/incremental.py
	$(BIN)/python benchmarks/commit.py
	$(BIN)/python benchmarks/scaling.py costs
	$(BIN)/python benchmarks/scaling.py run
	$(BIN)/python benchmarks/data_quality.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/search.py

clean:
	rm -rf $(VENV) .venv-peers runs/demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) \
	  || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed-all: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[all]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed-all
