# The two commands of the README; both make their own environment in .venv.

PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0

.PHONY: demo test lint docs bench clean

demo: .venv/.demo
	$(BIN)/python tools/demo.py

# Thousands of tests begin a clspec, which would compile its modules each time where Python may keep no caches.
# In the order of their names, the long ones of end_to_end come early: sorted by number, they would run alone in the end.
test: .venv/.dev lint
	$(BIN)/python -m compileall -q clspec backends schema
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: .venv/.dev
	$(BIN)/python -m sphinx -q -W --keep-going docs build/site
	@echo build/site/index.html

bench: .venv/.dev
	for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv build .clspec

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "clspec needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

# torch comes first and pinned: a range would let pip choose a CUDA build of several gigabytes.
.venv/.torch: .venv/bin/python
	$(BIN)/pip install --quiet $(TORCH)
	touch $@

.venv/.demo: .venv/.torch pyproject.toml
	$(BIN)/pip install --quiet --editable '.[run,torch]' $(TORCH)
	touch $@

.venv/.dev: .venv/.torch pyproject.toml
	$(BIN)/pip install --quiet --editable '.[run,torch,kfp,argo,postgres,images,examples,lsp,docs,dev]' $(TORCH)
	touch $@ .venv/.demo
