# Short names for what one does every day. `make` alone lists them.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help check fix test bench demo

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: .venv ## lint, types and import direction: all that CI knows without running the code
	$(BIN)ruff check .
	$(BIN)ruff format --check .
	$(BIN)mypy
	$(BIN)pyright
	$(BIN)lint-imports

fix: .venv ## let ruff mend and format what it can
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

test: ## every test, with a real PostgreSQL and a real browser
	python3 tests/run.py -n auto

bench: .venv ## our numbers beside those of other queues
	$(PYTHON) benchmarks/run.py

demo: .venv ## two workers, real work, and the board on it
	$(BIN)prinia demo

.venv:
	python3 tests/run.py --setup-only
