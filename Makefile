# Everything on a fresh machine that has Python >= 3.11 with venv:
#   make        build a target (TARGET=runc-riscv64) from package registries
#   make test   lint, types, layers, tests, coverage of the core
TARGET ?= runc-riscv64
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: build test test-e2e test-rest lint proto long-test clean

build: $(VENV)/.ready
	$(BIN)/rvbuild $(TARGET)

# Side by side: what runs rvbuild as a process mostly waits for it.
test: $(VENV)/.ready-test lint
	$(MAKE) --jobs=2 --output-sync=target test-e2e test-rest

test-e2e: $(VENV)/.ready-test
	$(BIN)/pytest tests/e2e

test-rest: $(VENV)/.ready-test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --ignore tests/e2e
	$(BIN)/coverage report --include 'rvbuild/core/*' --fail-under 100

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

# Stubs that run with protobuf 4.25 and later; see rvbuild/_reapi/reapi.proto.
proto:
	$(PYTHON) -m venv build/proto
	build/proto/bin/pip install --quiet grpcio-tools==1.62.3 'setuptools<80'
	cd rvbuild/_reapi && ../../build/proto/bin/python -m grpc_tools.protoc -I. \
	  --python_out=. --pyi_out=. reapi.proto

clean:
	rm -rf $(VENV) build dist
