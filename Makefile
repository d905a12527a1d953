# `make book` and `make test` work from nothing; a second call does only what is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JS := book/_ext/node_modules/.package-lock.json

# Tests run in two processes; the tests of a file and the cells of a chapter stay together.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# Flower has an environment of its own, which stands on the packages of the other one.
FLOWER ?= .venv-flower
SITE := -c 'import site; print(site.getsitepackages()[0])'

.PHONY: book colab pdf publish remote test test-flower check notebooks assignments grade slides lint clean
# One order of summation on every machine, and the fastest for small models
test test-flower check notebooks: export OMP_NUM_THREADS := 1

book: $(VENV)/.ready $(JS) _build/.toc
	@echo "== Building the pages from the outputs stored in the chapters"
	@$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "== The book: $(CURDIR)/_build/html/index.html"

colab: book
	@echo "== Writing the chapters as plain notebooks, for Colab, JupyterLab and VS Code"
	@rm -rf _build/colab
	@$(BIN)/jupyter-book build . -W -n --keep-going --builder custom --custom-builder colab
	@$(BIN)/python book/_ext/colab/check.py _build/colab _build/html

pdf: book
	@echo "== Printing the book with Chromium, some minutes: _build/fairfl.pdf"
	@$(BIN)/python book/_ext/pdf.py _build/html _build/fairfl.pdf

publish: remote colab
	@echo "== Publishing the pages and the plain notebooks on branches of $(REMOTE)"
	@$(BIN)/python book/_ext/publish.py _build/html _build/colab "$(REMOTE)"

remote:
	@test -n "$(REMOTE)" || { echo "say where to: make publish REMOTE=origin" >&2; exit 2; }

test: colab
	@echo "== Running all tests: the library, every chapter against its stored outputs, the pages in a browser"
	@$(PYTEST) $(PYTEST_ARGS)

test-flower: $(FLOWER)/.ready
	@echo "== Running the tests of fairfl.flower: simulated nodes, and machines over TLS"
	@FLWR_TELEMETRY_ENABLED=0 $(FLOWER)/bin/python -m pytest -q -n 2 --dist loadfile -o addopts= tests/flower $(PYTEST_ARGS)

check: lint
	@echo "== Running the fast tests of the library and of the paper's runs"
	@$(PYTEST) -q -m "not slow" tests $(PYTEST_ARGS)

notebooks: $(VENV)/.ready
	@echo "== Re-executing the chapters in place"
	@$(BIN)/python book/_ext/notebooks.py $(CHAPTERS)

assignments: $(VENV)/.ready
	@echo "== Writing the problem sets for students and the solutions for teachers"
	@$(BIN)/python -m book.assignments release --address "$$($(BIN)/python book/_ext/repository.py)"

SET ?= ps1
grade: $(VENV)/.ready
	@test -n "$(SUBMISSIONS)" || { echo "say which folder: make grade SUBMISSIONS=folder SET=ps1" >&2; exit 2; }
	@echo "== Grading $(SET), each student alone"
	@$(BIN)/python -m book.assignments grade --set $(SET) "$(SUBMISSIONS)"

slides: $(VENV)/.ready
	@echo "== Making slides of the first two parts"
	@$(BIN)/python book/_ext/slides.py _build/slides

lint: $(VENV)/.ready
	@echo "== Looking for mistakes in the code with ruff, and in its types with mypy"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff check --quiet --select E501 --config 'line-length = 80' book/*.ipynb
	@$(BIN)/mypy

clean:
	@echo "== Removing the built pages, the environment and what the tools left behind"
	rm -rf _build $(VENV) $(FLOWER) book/_ext/node_modules build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fairfl needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "== Installing what requirements.txt lists into $(VENV) (6 GB with PyTorch for GPUs; some minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(FLOWER)/.ready: pyproject.toml $(VENV)/.ready
	@echo "== Installing Flower into $(FLOWER)"
	@rm -rf $(FLOWER)
	@$(PYTHON) -m venv $(FLOWER)
	@$(BIN)/python $(SITE) > "$$($(FLOWER)/bin/python $(SITE))/book.pth"
	@$(FLOWER)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[flower]"
	@touch $@

$(JS): book/_ext/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "== Fetching the pages' JavaScript (MathJax, widgets) with npm"; \
	  npm ci --prefix book/_ext --silent || echo "== npm failed: the pages will load MathJax and the widgets from a CDN"; \
	else echo "== No npm here: the pages will load MathJax and the widgets from a CDN"; fi

# A change in the order of the chapters changes the side bar of every page, which Sphinx does not see.
_build/.toc: _toc.yml _config.yml $(wildcard book/_ext/*.py)
	@rm -rf _build && mkdir _build && touch $@
