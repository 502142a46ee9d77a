# Two commands do all the set-up: `make demo` and `make test`.
# Everything is installed into .venv; nothing is written outside this folder and pip's cache.

SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 2

VERSIONS := hrrr@mini-1 hrrr@mini-2 sevir@mini-1 conus404@mini-1 era5@mini-1 cmip6@mini-1

.PHONY: data demo test test-all test-postgres bench lint types contracts setup clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "needs $(PYTHON): make PYTHON=python3 works for 3.11 to 3.13"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps microsoft-aurora==2.0.1
	@touch $(READY)

demo: setup
	$(BIN)/python demo.py

# The embedded versions, from the remote that ships with the repository: no test is skipped for them.
data: setup
	for version in $(VERSIONS); do $(BIN)/reg pull $$version || exit 1; done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

test: lint types contracts data
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow and not postgres" tests
	@if [ -d /usr/lib/postgresql ]; then $(BIN)/python tests/postgres_cluster.py; \
	else echo "PostgreSQL is not installed here: make test-postgres installs and uses it"; fi

test-all: test
	$(BIN)/python -m pytest -m "slow and not postgres" tests

# The only target that installs a system package: Debian's postgresql, if it is missing.
test-postgres: setup
	$(BIN)/python tests/postgres_cluster.py --install

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) .reg runs forecasts scores reports data/prepared
