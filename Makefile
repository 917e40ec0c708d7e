# make setup   build .venv with the tested set of packages (does nothing when it is current)
# make run     the main exercise on the embedded digits
# make test    formatting, lint, types, tests
# make bench   ratios against bare scripts, measured side by side (ONLY=training,deletion: some of them)
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test bench clean
setup: .venv/.current

# Current means: built from these two files. pip runs again when one of them changes.
.venv/.current: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: dlexp needs Python 3.11, 3.12 or 3.13; say make setup PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup
	$(BIN)/dlexp run exercise=resnet_layer_deletion

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

bench: setup
	$(BIN)/python -m bench $(ONLY)

clean:
	rm -rf .venv build dist src/*.egg-info
