# weft: every target sets up what it needs, so each works alone on a fresh clone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEV := $(VENV)/.dev-ready
LINKS := $(VENV)/links
BEAM = $(shell $(BIN)/python -c 'import importlib.metadata as m; print(m.version("apache-beam"))')
BEAM_GO := github.com/apache/beam/sdks/v2
GCS_GO := github.com/fsouza/fake-gcs-server@v1.56.1
export NO_ALBUMENTATIONS_UPDATE = 1
export PYTHONDONTWRITEBYTECODE = # where it is set, each of the tests' processes compiles weft anew

SPARK := .spark
LOADERS := .venv-loaders
LISTS = $(wildcard requirements/loaders/*.txt)
STORES := .stores
# One process more than cores, as a fifth of the time tests wait for servers, workers, intervals; and no more than memory
# bears: each that loads PyTorch takes a gigabyte.
PARALLEL = -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist worksteal

.PHONY: setup demo test test-again short check docs types imports stores-setup spark-setup spark-fetch spark-test loaders-setup loaders-test parity-test faults lint format bench meter lock clean

setup: $(STAMP)

# What weft runs with. pip shows its progress: PyTorch with its CUDA libraries is most of what it fetches.
$(STAMP): requirements/lock.txt pyproject.toml transforms/extract/html/_compiled.c
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
		{ echo "weft needs Python 3.11 or 3.12: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@echo "setting up $(VENV): about 3 GB to fetch, 7 GB on disk"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-deps --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What tests and checks need besides. The links show static tools the packages under their import names.
$(DEV): requirements/dev.txt $(STAMP)
	$(BIN)/python -m pip install --no-deps --require-hashes -r requirements/dev.txt
	@mkdir -p $(LINKS)/weft
	@for name in configs schemas transforms pipeline model_smoketest; do ln -sfn $(CURDIR)/$$name $(LINKS)/weft/$$name; done
	@for name in weft/*; do ln -sfn $(CURDIR)/$$name $(LINKS)/$$name; done
	@touch $@

demo: $(STAMP)
	$(BIN)/weft demo --output demo-output

test: $(DEV)
	$(BIN)/python -m pytest $(PARALLEL) --durations=25

# Those that failed the last time, alone. One that passes only so holds a clock or a race, and is to be mended.
# Of others than make test's: TESTS=tests/runners
test-again: $(DEV)
	$(BIN)/python -m pytest $(TESTS) --last-failed --last-failed-no-failures none --timeout 1200

# What to run before a commit: style, types, directions of imports, and the tests that take no stage.
check: lint short

# The tests that take no stage; on another Python: make short VENV=.venv312 PYTHON=python3.12
short: $(DEV)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

# API pages from docstrings, and docs/: site/index.html. In an environment of its own, which needs the network once.
docs: requirements/docs.txt $(DEV)
	test -x .venv-docs/bin/mkdocs || { $(PYTHON) -m venv .venv-docs && \
		.venv-docs/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/docs.txt; }
	.venv-docs/bin/mkdocs build --strict --quiet

# Needs Go: a Google Cloud Storage on loopback, without which the tests that want one are skipped; pytest says which.
stores-setup: $(STORES)/fake-gcs-server

$(STORES)/fake-gcs-server:
	@command -v go >/dev/null || { echo "weft's tests of gs:// need go"; exit 1; }
	GOBIN=$(CURDIR)/$(STORES) GOFLAGS=-modcacherw go install $(GCS_GO)

# Needs Java 17, Maven and Go: Spark 3.5 with Beam's runner (300 MB), Beam's starter of Python workers, and Prism.
spark-setup: $(SPARK)/.ready

$(SPARK)/.ready: $(SPARK)/.fetched deploy/spark/server_jar.py
	$(BIN)/python deploy/spark/server_jar.py $(SPARK)/jars $(SPARK)/server.jar
	@touch $@

# What comes from elsewhere, by itself: where it is not to be had, nothing of weft's is wrong.
spark-fetch: $(SPARK)/.fetched

$(SPARK)/.fetched: deploy/spark/pom.xml | $(DEV)
	@for tool in java mvn go; do command -v $$tool >/dev/null || { echo "weft's Spark tests need $$tool"; exit 1; }; done
	mvn -q -B -f deploy/spark/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory=$(CURDIR)/$(SPARK)/jars
	GOBIN=$(CURDIR)/$(SPARK) GOFLAGS=-modcacherw go install $(BEAM_GO)/python/container@v$(BEAM)
	mv $(SPARK)/container $(SPARK)/boot
	GOBIN=$(CURDIR)/$(SPARK) GOFLAGS=-modcacherw go install $(BEAM_GO)/go/cmd/prism@v$(BEAM)
	@touch $@

spark-test: $(SPARK)/.ready
	$(BIN)/python -m pytest tests/runners -k "not kills"

# The power cut at every write of a run and of a removal, a hundred runs killed, starved of disk, fed with half archives and
# refused by servers, then five kills on Spark: an hour, so they are no part of what every change is held against.
faults: $(SPARK)/.ready
	$(BIN)/python tests/faults/power.py
	$(BIN)/python tests/faults/harness.py --rounds 100
	$(BIN)/python -m pytest tests/runners -k kills

# Other people's loaders, each in an environment of its own on top of weft's. Needs the network once.
loaders-setup: $(DEV)
	@for list in $(LISTS); do \
		home=$(LOADERS)/$$(basename $$list .txt); \
		cmp -s $$list $$home/installed.txt && continue; \
		echo "setting up $$home"; rm -rf $$home; $(PYTHON) -m venv --without-pip $$home && \
		$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
			> $$($$home/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/weft-base.pth && \
		$(BIN)/python -m pip --python $$home/bin/python install --quiet --no-deps -r $$list && cp $$list $$home/installed.txt || exit 1; \
	done

# Recipes beside their peers' own code: make parity-test TEXTS="texts.jsonl …" ARCHIVES="a.warc.gz …"; else the demo's pages.
parity-test: LISTS = requirements/loaders/datatrove.txt
parity-test: loaders-setup
	$(BIN)/python benchmarks/parity.py --peer $(LOADERS)/datatrove/bin/python --texts $(TEXTS) --archives $(ARCHIVES)

loaders-test: loaders-setup
	WEFT_LOADERS=$(CURDIR)/$(LOADERS) $(BIN)/python -m pytest tests/loaders

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types imports

types: $(DEV)
	cd $(LINKS) && ../bin/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p weft

imports: $(DEV)
	cd $(LINKS) && ../bin/lint-imports --config $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.import_linter_cache

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	@for script in $(filter-out benchmarks/dclm_stated.py benchmarks/languages.py benchmarks/meter.py benchmarks/metadata.py benchmarks/parity.py benchmarks/structure.py benchmarks/tfds_c4.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Whether every planted fault is found and twenty clean corpora are passed (fails else): hours, on the shards of a demo.
meter: demo
	$(BIN)/python benchmarks/meter.py --shards demo-output/shards

# Needs uv. Hashes and no addresses: the lock says what, never from where.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --extra clip --extra train --extra svg --extra view --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --extra clip --extra train --extra svg --extra view -c requirements/dev.txt pyproject.toml -o requirements/lock.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --extra gcp --extra aws -c requirements/dev.txt pyproject.toml -o requirements/worker.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --group docs -o requirements/docs.txt

clean:
	rm -rf $(VENV) .venv312 .venv-docs $(LOADERS) build dist site *.egg-info demo-output
