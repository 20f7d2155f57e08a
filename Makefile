# make demo   sets up what is needed and plays the story: two agencies, two brokers, four radios
# make test   sets up what is needed, checks, and runs every test
# make test ARGS="tests/core -k floor"   only these, by one pytest
# make check  format, lint, types, layers
SHELL := /bin/sh
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check bench lock clean

demo: .venv/run.stamp
	@$(BIN)/radiobridge demo $(ARGS)

test: .venv/dev.stamp check
	@$(if $(ARGS),$(BIN)/python -m pytest $(ARGS),scripts/test)

check: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/run.stamp
	@$(BIN)/radiobridge bench $(ARGS)

lock: .venv/dev.stamp
	$(BIN)/pip install --quiet uv
	UV=$(BIN)/uv scripts/lock

.venv/run.stamp: requirements.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap run
	@test -x $(BIN)/pip || "$$(scripts/python)" -m venv --clear .venv
	@echo "installing the locked Python packages into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.lock
	@scripts/bootstrap test
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build demo-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
