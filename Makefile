# Two commands for a newcomer: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash

.PHONY: demo test lint slow wheel clean

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

## Train ReACGAN on the embedded digits, score it, add the row, draw the pictures (at most 5 minutes on 2 cores).
## One thread: at this size a second one gains little, and on a busy machine the two mostly wait for each other.
demo: export OMP_NUM_THREADS = 1
demo: $(VENV)/.ready
	$(BIN)/ganeval train reacgan digits --steps 0 --out runs/demo-untrained
	$(BIN)/ganeval train reacgan digits --out runs/demo
	$(BIN)/ganeval score runs/demo-untrained --out runs/demo-untrained/score.json
	$(BIN)/ganeval score runs/demo --out runs/demo/score.json --leaderboard leaderboards
	$(BIN)/ganeval sample runs/demo --out runs/demo/samples.png
	$(BIN)/ganeval leaderboard show digits
	@printf '%s\n' '' \
	  'samples, one class per row   runs/demo/samples.png' \
	  'real images                  runs/demo/grids/real.png' \
	  'samples during training      runs/demo/grids/' \
	  'score card                   runs/demo/score.json' \
	  'leaderboard                  leaderboards/measured/digits.csv' \
	  'log, recipe, checkpoints     runs/demo/'

## Lint, types, tests (at most 10 minutes on 2 cores, no network, no GPU).
test: $(VENV)/.ready lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## The tests that take minutes each.
slow: $(VENV)/.ready
	$(BIN)/python -m pytest -m slow

wheel: $(VENV)/.ready
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
