# make demo and make test do all the set-up on a fresh machine with Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
.DEFAULT_GOAL := help
.PHONY: help demo test check bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Start the product, a portal, two backends and an inbox with sample people (PROFILE=self-serve: another policy)
	@$(BIN)/python -m idp demo $(if $(PROFILE),--profile $(PROFILE))

test: check ## Run every test, on real servers and a real browser; installs what it needs and says what it can't
	@$(BIN)/python -m tests.prepare
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q

check: $(INSTALLED) ## Lint, types, import contracts, pure tests: seconds
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/policies

bench: $(INSTALLED) ## Measure CPU time an operation, beside a bare Flask answer in the same run
	$(BIN)/python -m benchmarks

lock: $(INSTALLED) ## Renew requirements.lock from setup.cfg
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q setup.cfg --universal --extra test --generate-hashes --no-emit-index-url -o requirements.lock

clean: ## Remove what was installed and made here
	rm -rf .venv build *.egg-info var node_modules tests/interop/node_modules

$(INSTALLED): requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@
