# The one door. `make help` says what is behind it; CI calls only `make test`.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CARGO  ?= cargo
PORT   ?= 8080
SECONDS ?= 60
# How many tests from outside run at once: one waits while the others work.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

TARGET := $(or $(CARGO_TARGET_DIR),target)
MACHINE := $(shell uname -m)
MUSL   := $(MACHINE)-unknown-linux-musl
VENV   := .venv
BIN    := $(VENV)/bin
# Runs a command and keeps its count of tests for the last lines of `make test`.
TALLY  := $(BIN)/python tools/tally $(TARGET)/tally

# What a wheel is made of. Folders too: their time tells of a file that went away.
SOURCES := $(shell find crates python \( -name __pycache__ -prune \) -o \( -type d -o -type f \) -print) \
           Cargo.toml Cargo.lock pyproject.toml README.md LICENSE-MIT LICENSE-APACHE

.PHONY: help run test lint bench wheel program dist clean lock fuzz sizes clients free-threaded \
        format tested-program fmt clippy doc-links ruff mypy tidy stubs rust-tests outside-tests smoke

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.installed ## build, install into .venv, serve the demo site (PORT=8080)
	@PORT=$(PORT) $(BIN)/python examples/demo/serve.py

test: lint rust-tests outside-tests smoke ## build everything, pass every test
	@$(TALLY) --sum

lint: fmt clippy doc-links ruff mypy tidy stubs ## formatting, lints, links, types, the tidy tests

bench: $(VENV)/.installed tested-program ## side by side with peers, and what one client can cost, see docs/performance.md
	@PATH="$(CURDIR)/$(BIN):$$PATH" benches/run

fuzz: ## search for inputs that break a property (SECONDS=60 for each TARGETS)
	@CARGO="$(CARGO)" tools/fuzz $(SECONDS) $(TARGETS)

# Compiled as for `make fuzz`: quick, and every check kept.
sizes: ## what is compressed, in every size and of every kind; minutes
	SLIMHTTP_EVERY_SIZE=1 $(CARGO) test --locked --profile fuzz --package slimhttp-server --lib many_sizes

wheel: dist/.wheel ## the wheel for every Linux with glibc 2.17 or newer, in dist/
	@ls dist/*.whl

program: dist/.program ## the program without Python, for every Linux, in dist/
	@ls dist/slimhttp

dist: wheel program ## both, tried, and their symbols in dist/symbols/
	@$(BIN)/python tools/shipped dist/*.whl dist/slimhttp
	@$(BIN)/python tools/abi3_smoke dist/*.whl
	@dist/slimhttp --version

format: $(VENV)/.tools ## put Rust and Python into shape
	$(CARGO) fmt --all
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

clean: ## take away all that was built
	rm -rf $(TARGET) dist $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## write requirements-*.txt anew from pyproject.toml (needs uv)
	@for group in dev ship; do \
	    uv pip compile --quiet --universal --no-python-downloads --python-version 3.9 --group $$group --upgrade \
	        --no-annotate --custom-compile-command 'make lock' --output-file requirements-$$group.txt; \
	done

# Python's tools, and what is built for it

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { \
	    echo 'slimHTTP needs CPython 3.9 or newer as `$(PYTHON)`; another one: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '`$(PYTHON)` cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.tools: requirements-dev.txt $(VENV)/.created
	@echo 'installing the tools of requirements-dev.txt into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

# What the tests, the demo and the benchmarks run: compiled by the tools of this machine, for it.
$(TARGET)/wheel/.built: $(SOURCES) | $(VENV)/.tools
	@rm -rf $(TARGET)/wheel
	$(BIN)/maturin build --release --locked --interpreter $(BIN)/python --out $(TARGET)/wheel
	@touch $@

$(VENV)/.installed: $(TARGET)/wheel/.built | $(VENV)/.tools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(TARGET)/wheel/*.whl
	@touch $@

# What is handed to others. A wheel that is linked here needs the glibc of here; zig brings the
# interfaces of every glibc along and links for the oldest that Rust supports. Its symbols, and those
# of the program, lie apart: they are four times what is left.
$(VENV)/.shipping: requirements-ship.txt $(VENV)/.created
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-ship.txt
	@touch $@

# What the compiler is told of how often which code is taken: see tools/profile. Where nothing can read
# what was counted there is no such file, and the wheel is compiled without.
PROFILE := $(TARGET)/profile/$(MACHINE)

$(PROFILE): $(SOURCES) tools/profile $(wildcard tools/training/*.py) | $(VENV)/.tools
	@rm -rf $(TARGET)/profile
	$(BIN)/python tools/profile $(MACHINE)-unknown-linux-gnu $@

dist/.wheel: $(SOURCES) $(PROFILE) | $(VENV)/.tools $(VENV)/.shipping
	@rm -rf dist/*.whl
	! test -f $(PROFILE) || export RUSTFLAGS="$$RUSTFLAGS $$(cat $(PROFILE))"; \
	    PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --profile dist --locked --strip false --zig \
	    --target $(MACHINE)-unknown-linux-gnu --compatibility manylinux_2_17 \
	    --interpreter $(BIN)/python --out dist
	@$(BIN)/python tools/split_symbols dist/*.whl dist/symbols
	@touch $@

# Linked with musl, and statically, so that it runs wherever its processor does. zig compiles what is
# in C; Rust links, with the musl that it brings along: zig would give the program a fixed address.
dist/.program: $(SOURCES) | $(VENV)/.shipping
	@! command -v rustup >/dev/null || rustup target add $(MUSL)
	PATH="$(CURDIR)/$(BIN):$$PATH" CARGO_TARGET_$(shell echo $(MUSL) | tr a-z- A-Z_)_LINKER=rust-lld \
	    $(BIN)/cargo-zigbuild zigbuild --profile dist --locked --package slimhttp-cli --target $(MUSL)
	@mkdir -p dist
	@cp $(TARGET)/$(MUSL)/dist/slimhttp dist/slimhttp
	@$(BIN)/python tools/split_symbols dist/slimhttp dist/symbols
	@touch $@

# No such interpreter is needed for it: the file says what it would say of itself.
free-threaded: ## see that the extension compiles for Python without the global lock
	PYO3_CONFIG_FILE=$(CURDIR)/tools/free-threaded.txt $(CARGO) clippy --quiet --locked \
	    --package slimhttp-python --target-dir $(TARGET)/free-threaded -- -D warnings

# The whole workspace is selected, not `-p slimhttp-cli`: with the same packages selected Cargo
# chooses the same features, and what the wheel has compiled is not compiled again.
tested-program: $(TARGET)/wheel/.built
	$(CARGO) build --quiet --release --locked --workspace --bin slimhttp

# The parts of `make lint` and `make test`

fmt:
	$(CARGO) fmt --all --check

clippy:
	PYO3_PYTHON=$(PYTHON) $(CARGO) clippy --quiet --workspace --all-targets --locked -- -D warnings

# Comments link to what they speak of, private items too: a link to what has moved is an error.
doc-links:
	PYO3_PYTHON=$(PYTHON) RUSTDOCFLAGS='-D rustdoc::broken_intra_doc_links' $(CARGO) doc --quiet --workspace \
	    --no-deps --document-private-items --locked

ruff: $(VENV)/.tools
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

mypy: $(VENV)/.tools
	$(BIN)/mypy --no-error-summary

# No build, and no conftest but its own.
tidy: $(VENV)/.tools ## the project lints, from the source alone
	$(TALLY) tidy $(BIN)/python -m pytest --quiet --confcutdir=tests/tidy tests/tidy

# From the installed package, so that what is judged is what is shipped.
stubs: $(VENV)/.installed
	$(BIN)/python -m mypy.stubtest --concise --mypy-config-file tools/stubtest.ini \
	    --allowlist tools/stubtest-allow.txt slimHTTP

rust-tests: $(VENV)/.created clients
	$(TALLY) rust $(CARGO) test --workspace --locked

# curl, wget, a browser and an authority, where they are missing and can be had.
clients:
	@tools/clients

outside-tests: $(VENV)/.installed tested-program clients
	SLIMHTTP_BIN=$(abspath $(TARGET))/release/slimhttp \
	    $(TALLY) outside $(BIN)/python -m pytest --quiet --numprocesses $(JOBS) --dist loadfile \
	    --max-worker-restart 0 --ignore=tests/tidy tests

smoke: $(TARGET)/wheel/.built
	$(TALLY) smoke $(BIN)/python tools/abi3_smoke $(TARGET)/wheel/*.whl
