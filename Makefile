# weft: every target sets up what it needs, so each works alone on a fresh clone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
export NO_ALBUMENTATIONS_UPDATE = 1

.PHONY: setup demo test lint format bench lock clean

setup: $(STAMP)

$(STAMP): requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
		{ echo "weft needs Python 3.11 or 3.12: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@echo "setting up $(VENV): PyTorch with its CUDA libraries is most of a 3 GB download (7 GB on disk)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/weft demo --output demo-output

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy schemas transforms
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Needs uv. Hashes and no addresses: the lock says what, never from where.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --extra clip --extra train --extra dev pyproject.toml -o requirements/lock.txt

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output
