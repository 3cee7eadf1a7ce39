# Everything runs in .venv, created on first use by PYTHON.
PYTHON ?= python3
BIN := .venv/bin
# Run a second time with bounds checks and poisoned buffers (tests/poison.py).
CHECKED := tests/kernels tests/parallel tests/retrieval/test_damaged_index.py tests/retrieval/test_nested_codes.py \
	tests/retrieval/test_top_k.py tests/evaluation/test_rank_widths.py tests/training/test_one_user.py \
	tests/training/test_level_starts.py

.PHONY: help demo test docs stores torture format clean

help:
	@echo "make demo    train on synthetic data, evaluate every width; model, picture and page go to demo/"
	@echo "make test    linters, strict type check, import layers, all tests"
	@echo "make docs    build the documentation as a site in site/; make docs SERVE=1 shows it at http://127.0.0.1:8000"
	@echo "make stores  tests of engines and clients too large for make test, in .venv-stores"
	@echo "make torture faults at every file operation, kills, bit flips, fuzzing, bombs, a server under load: hours; N=10000000 inputs, SEED=1"
	@echo "make format  fix and format with ruff"
	@echo "make clean   remove .venv and all build outputs"

demo: .venv/.installed
	$(BIN)/nestrec demo --out demo
	@echo "Run \`source $(BIN)/activate\` to put nestrec on your PATH."

test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest
	NUMBA_BOUNDSCHECK=1 NESTREC_TEST_POISON=1 NUMBA_CACHE_DIR=$(CURDIR)/.pytest_cache/checked-kernels \
		$(BIN)/pytest -q -p no:cacheprovider $(CHECKED)

docs: .venv/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve,build)
	@$(if $(SERVE),,echo "Open site/index.html.")

stores: .venv-stores/.installed
	.venv-stores/bin/pytest -q $(LARGE_TESTS) -k "$(LARGE)"

LARGE := chdb or milvus or feeds or search-engines
LARGE_TESTS := $(addprefix tests/stores/,test_contract.py test_chdb.py test_milvus.py feeds) tests/test_documentation.py
.venv-stores/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-stores
	.venv-stores/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-stores/bin/python -m pip install --quiet --editable ".[chdb,milvus-lite]" "pytest>=8.3,<10" "hypothesis>=6.120,<7" \
		"elasticsearch>=9,<10" "opensearch-py>=3,<4" "pyvespa>=1.2,<2" "redis>=8,<9" "weaviate-client>=4.20,<5"
	touch $@

N ?= 1000000
SEED ?= 0
torture: .venv/.installed-dev
	$(BIN)/python -m tests.faults.torture --inputs $(N) --seed $(SEED) $(ARGS)

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

clean:
	rm -rf .venv .venv-stores demo site build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
