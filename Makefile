# `make demo` shows nbannot; `make test` runs every check. Both install what they need.
#
#   make demo                opens JupyterLab on the first notebook (HEADLESS=1: only runs it)
#   make test                lint types js unit peers notebooks browser package
#   make bench               the measured comparisons, into docs/benchmarks.md
#   make PYTHON=python3.12   picks the Python that the environment is made with
#
# A finished step leaves a stamp, so a second run starts at once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PEERS := .venv-peers .venv-peers-supervisely
STATIC := src/nbannot/static/.built
# What bundles are made from (as in hatch_build.py).
JS := $(shell find src/nbannot/js -type f 2>/dev/null) package-lock.json build.mjs
CHROMIUM := chromium chromium-browser google-chrome google-chrome-stable
NOTEBOOK := notebooks/01_import_a_dataset.ipynb
# JupyterLab refuses to run as root, as in a container, unless it is told that this is meant.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: demo test setup lint types js unit peers notebooks browser package bench clean \
	need-node need-chromium

# -- what a user wants ---------------------------------------------------------------------------

demo: $(VENV)/.demo
ifdef HEADLESS
	$(BIN)/jupyter execute $(NOTEBOOK)
else
	$(BIN)/jupyter lab $(ALLOW_ROOT) $(NOTEBOOK)
endif

test: lint types js unit peers notebooks browser package

# -- the parts of `make test` --------------------------------------------------------------------

lint: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	npm run --silent lint

types: $(VENV)/.dev node_modules/.installed
	$(BIN)/mypy
	npm run --silent typecheck

js: node_modules/.installed
	npm test --silent

unit: setup
	$(PY) -m pytest --ignore=tests/browser --ignore=tests/peers -m "not package"

# Others' libraries read what we write.
peers: $(PEERS:%=%/.peers)
	.venv-peers/bin/python -m pytest tests/peers --ignore=tests/peers/test_supervisely.py
	.venv-peers-supervisely/bin/python -m pytest tests/peers/test_supervisely.py

notebooks: setup
	$(PY) -m pytest --nbval-lax notebooks

browser: setup need-chromium
	$(PY) -m pytest tests/browser

package: setup
	$(PY) -m pytest -m package --ignore=tests/browser --ignore=tests/peers

bench: setup need-chromium
	$(PY) -m benchmarks $(BENCH)

# -- what they need ------------------------------------------------------------------------------

setup: $(VENV)/.dev $(STATIC)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "nbannot needs Python 3.10 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	touch $@

# For developers: the checkout itself, everything optional, and the tools.
$(VENV)/.dev: pyproject.toml hatch_build.py | $(VENV)/.made
	NBANNOT_SKIP_JS=1 $(PY) -m pip install --quiet --editable '.[lab,demo,fast]' --group dev
	touch $@

# For tests beside other libraries: .venv-<group> has that group of pyproject.toml.
$(PEERS:%=%/.peers): %/.peers: pyproject.toml hatch_build.py | $(VENV)/.made
	[ -x $*/bin/python ] || $(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --upgrade pip
	NBANNOT_SKIP_JS=1 $*/bin/python -m pip install --quiet --editable . --group $(*:.venv-%=%)
	touch $@

# For a look: only what the notebook needs. The build hook bundles the browser code.
$(VENV)/.demo: pyproject.toml hatch_build.py $(JS) | $(VENV)/.made need-node
	$(PY) -m pip install --quiet --editable '.[lab,demo]'
	touch $@

node_modules/.installed: package.json package-lock.json | need-node
	npm ci --no-audit --no-fund
	touch $@

$(STATIC): $(JS) node_modules/.installed
	npm run --silent build

need-node:
	@command -v npm >/dev/null || { \
	  echo "The browser code is built with Node.js >= 20, and npm is not on PATH."; \
	  echo "Install it (https://nodejs.org, or your system's package nodejs) and try again."; exit 1; }

# Any Chromium will do: put its path in NBANNOT_CHROMIUM if it is not found by name.
need-chromium:
	@[ -x "$${NBANNOT_CHROMIUM:-}" ] || command -v $(CHROMIUM) >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	      --no-install-recommends chromium fonts-liberation fonts-dejavu-core \
	      fonts-noto-color-emoji; \
	  else \
	    echo "The browser tests need Chromium: install it (Debian: sudo apt-get install chromium)"; \
	    echo "or name another one: NBANNOT_CHROMIUM=/path/to/chrome make browser"; exit 1; \
	  fi; }

clean:
	rm -rf $(VENV) $(PEERS) node_modules src/nbannot/static dist test-results demo-data bench-data
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
