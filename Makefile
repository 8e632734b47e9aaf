# The two commands a newcomer needs are `make run` and `make test`; each builds its own .venv from pinned constraints.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DOCS   := $(VENV)/.docs
WORKERS ?= 2
# one BLAS thread a worker: two workers on two cores
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install run test test-all docs bench calibration lint wheel clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

# torch first and by its exact version: asked for as a dependency, pip may fetch gigabytes of CUDA libraries
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pinn_ntk needs Python >= 3.11; got: $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned requirements into $(VENV) (first time: a minute or two)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test,lint,build]'
	@touch $(STAMP)

install: $(STAMP)  ## make .venv with pinned requirements

run: $(STAMP)  ## the main job: a tracked Poisson problem, then its theory twin; prints both reports' paths
	@$(BIN)/pinn-ntk
	@$(BIN)/pinn-ntk experiment=convergence

test: $(STAMP)  ## the test suite, under 8 minutes on two cores
	@$(THREADS) $(BIN)/python -m pytest -n $(WORKERS) -m "not slow" --durations=10

test-all: $(STAMP)  ## everything, the long tests too
	@$(THREADS) $(BIN)/python -m pytest -n $(WORKERS)

$(DOCS): $(STAMP)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs,fem]'
	@touch $(DOCS)

docs: $(DOCS)  ## the documentation site, its notebooks executed, warnings as errors; prints its path
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	@echo $(CURDIR)/docs/_build/html/index.html

bench: $(STAMP)  ## speed beside DeepXDE, JAX, neural-tangents and torch.func: benchmarks/speed.csv and the README's table
	@$(BIN)/python scripts/bench_step.py
	@$(BIN)/python scripts/bench_kernel.py
	@$(BIN)/python scripts/profiles.py
	@$(BIN)/python scripts/bench_scaling.py

calibration: $(STAMP)  ## does the estimate tell the truth? hours; goes on where it was cut short (ARGS="--effort 1e11 --shard 1/2")
	@$(BIN)/python scripts/calibration.py $(ARGS)
	@$(BIN)/python scripts/calibration.py --table

lint: $(STAMP)  ## ruff and mypy --strict
	@$(BIN)/ruff check pinn_ntk tests scripts docs
	@$(BIN)/mypy

wheel: $(STAMP)  ## dist/*.whl, conf/ shipped inside
	@$(BIN)/python -m build --wheel --outdir dist .

clean:  ## remove .venv, builds and caches (never outputs/)
	rm -rf $(VENV) dist build docs/_build docs/jupyter_execute .pytest_cache .mypy_cache .ruff_cache .hypothesis
