# One command per intention; the same at home and in continuous integration (.ci/run calls `make test`).
# Needs python3 >= 3.11 and make. Two environments: .venv has the core only, .venv-dev also torch and the tools.

PYTHON ?= python3
# Pinned and installed before anything else asks for torch: where the index or a find-links folder offers a CPU build of
# exactly this version (2.13.0+cpu), pip prefers it, and the gigabytes of the CUDA build stay away.
TORCH ?= torch==2.13.0

CORE := .venv
DEV := .venv-dev
SOURCES := $(shell find src -type f -not -name '*.pyc')

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow lint format bench train clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(CORE)/.installed  ## find the names in a real text, with the core only (no torch)
	$(CORE)/bin/onoma extract examples/island.txt --labels-file examples/island.labels.txt

test: lint  ## lint, types and all tests that need no network, accelerator or patience
	$(DEV)/bin/python -m pytest

test-slow: $(DEV)/.installed  ## the tests marked slow
	$(DEV)/bin/python -m pytest -m slow

lint: $(DEV)/.installed  ## ruff and mypy, changing nothing
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

format: $(DEV)/.installed  ## let ruff repair and format
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

bench: $(DEV)/.installed  ## speed of the shipped model against its bare encoder
	$(DEV)/bin/python benchmarks/speed.py

train: $(DEV)/.installed  ## train the default model; set ONOMA_DATA to the data folder
	$(DEV)/bin/onoma train recipes/default.toml

clean:  ## remove both environments
	rm -rf $(CORE) $(DEV)

# Debian splits ensurepip off python3: without it, an environment without pip is made and the outer pip fills it.
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "onoma needs Python >= 3.11; try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@rm -rf $(1)
	@$(PYTHON) -m venv $(1) >/dev/null 2>&1 \
		|| { rm -rf $(1) && $(PYTHON) -m venv --without-pip $(1) && $(PYTHON) -m pip --python $(1)/bin/python install pip; } \
		|| { rm -rf $(1); echo "no virtual environment could be made; install pip or Debian's python3-venv" >&2; exit 1; }
endef

$(CORE)/bin/pip:
	$(call make_venv,$(CORE))

$(DEV)/bin/pip:
	$(call make_venv,$(DEV))

$(CORE)/.installed: $(SOURCES) pyproject.toml | $(CORE)/bin/pip
	$(CORE)/bin/python -m pip install --quiet .
	@touch $@

$(DEV)/.installed: pyproject.toml | $(DEV)/bin/pip
	$(DEV)/bin/python -m pip install --quiet "$(TORCH)"
	$(DEV)/bin/python -m pip install --quiet --editable ".[dev]"
	@touch $@
