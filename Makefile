# Two commands matter: `make dev` serves Listenlog on this machine, `make test` proves it.
# Needs Rust (rustup), Node 20 or newer with npm, and a C and a C++ compiler; everything else is installed here, pinned.

PORT  ?= 8787
STATE ?= .state
# Variables for the Worker, as in VARS="ADMIN_AUTH_MODE:token ADMIN_TOKEN:secret". Without a mode, the local door is open.
VARS  ?=
URL   ?= http://127.0.0.1:$(PORT)
ROWS  ?= 200000
# For `make bench`: all of them unless some are named.
PARTS ?=
# For `make import`. The shell has a USER of its own, the login name: only one that is said to make counts.
FILE ?=
PLAN ?=
CREATE ?=
AGAIN ?=
LISTENER = $(if $(filter command line,$(origin USER)),$(USER))
FUZZ_SECONDS ?= 20

# One choice of packages and features for all that is checked and tested, so that each dependency is compiled once for it.
ALL := --workspace --all-features --locked

WORKER_BUILD_VERSION := 0.8.7
WASM_BINDGEN_VERSION := 0.2.130

TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/listenlog/tools
WORKER_BUILD := $(TOOLS)/worker-build-$(WORKER_BUILD_VERSION)/bin/worker-build
WASM_BINDGEN := $(TOOLS)/wasm-bindgen-$(WASM_BINDGEN_VERSION)/bin/wasm-bindgen
PYTHON_TOOLS := tests/end_to_end/openapi/requirements.txt
SCHEMATHESIS_ROOT := $(TOOLS)/schemathesis-$(shell cksum $(PYTHON_TOOLS) | cut -d' ' -f1)
export SCHEMATHESIS := $(SCHEMATHESIS_ROOT)/bin/schemathesis
NODE_BIN := $(CURDIR)/node_modules/.bin
SOURCES := $(shell find src tables migrations Cargo.toml Cargo.lock rust-toolchain.toml wrangler.toml -type f)

# worker-build would download these; pinned copies come from the registries instead.
export ESBUILD_BIN := $(NODE_BIN)/esbuild
export WASM_OPT_BIN := $(NODE_BIN)/wasm-opt
export WASM_BINDGEN_BIN := $(WASM_BINDGEN)
# What rustc and wasm-bindgen use, and no more: newer encodings may not run yet.
WASM_FEATURES := mutable-globals sign-ext nontrapping-float-to-int bulk-memory multivalue reference-types exception-handling
export CLOUDFLARE_CF_FETCH_ENABLED := false
export WRANGLER_SEND_METRICS := false
export LISTENLOG_ROOT := $(CURDIR)

.PHONY: hammer deploy undeploy dev test build demo import bench fuzz fmt lint native year end-to-end tools clean help

help:
	@sed -n 's/^## //p' Makefile

## make dev     build, migrate and serve on http://127.0.0.1:8787 (PORT=, STATE=, VARS="NAME:value ...")
dev: build
	cargo run --quiet -p listenlog-workbench --bin serve -- --port $(PORT) --state $(STATE) --vars "$(VARS)"

## make test    formatting, lints, native tests, the Worker, end-to-end tests, fuzzing for a minute
test: fmt lint native
	@# The year keeps one core busy for minutes, and the Worker's build another.
	$(MAKE) --no-print-directory --jobs=2 year build
	$(MAKE) --no-print-directory end-to-end fuzz

## make build   the Worker as it is deployed, in build/
build: build/.built

## make demo    a made-up history into the running Worker, and a few questions about it (URL=)
demo:
	cargo run --quiet --release -p listenlog-workbench --bin demo -- --url $(URL)

## make deploy  into your Cloudflare account, with all it needs; again for an upgrade (VARS="NAME:value ...", ROTATE=NAME)
deploy: build
	PATH="$(NODE_BIN):$$PATH" cargo run --quiet -p listenlog-workbench --bin deploy -- --vars "$(VARS)" --rotate "$(ROTATE)"

## make undeploy  out of it again, with everything it stored, after asking
undeploy: tools
	PATH="$(NODE_BIN):$$PATH" cargo run --quiet -p listenlog-workbench --bin deploy -- --undo

## make import  Spotify's export into a Worker (FILE=, URL=, USER=id or name, CREATE=1, PLAN=free or paid, AGAIN=1)
import:
	@cargo run --quiet --profile release-native -p listenlog-import -- --file "$(FILE)" --url "$(URL)" \
	  --user "$(LISTENER)" --plan "$(PLAN)" $(if $(CREATE),--create-user) $(if $(AGAIN),--again)

## make bench   what it costs, as ratios to native SQLite in the same run (ROWS=, PARTS=import,slice,account,kill,...)
bench: build
	cargo bench --quiet --features bench --bench listenlog -- --rows $(ROWS) --only "$(PARTS)"

## make fuzz    hostile bytes for what reads uploads, guided by coverage (FUZZ_SECONDS= for each of three targets)
# What cargo-fuzz passes, but for the sanitizer, which wants a nightly compiler: this is safe Rust.
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ := target/fuzz
# It runs for a minute: what makes it faster to build counts for more.
FAST_TO_BUILD := CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_LTO=off

fuzz:
	cargo test $(ALL) --quiet --test seeds
	$(FAST_TO_BUILD) RUSTFLAGS="$(COVERAGE)" cargo build --locked --quiet -p listenlog-fuzz --features libfuzzer --target $(HOST) \
	  --target-dir $(FUZZ) --bin fuzz-archive --bin fuzz-history --bin fuzz-slice
	@for target in archive history slice; do \
	  mkdir -p $(FUZZ)/corpus/$$target && echo "fuzzing $$target for $(FUZZ_SECONDS) s" && \
	  $(FUZZ)/$(HOST)/debug/fuzz-$$target -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1024 -verbosity=0 \
	    -print_final_stats=1 -artifact_prefix=$(FUZZ)/$$target- $(FUZZ)/corpus/$$target $(FUZZ)/seeds/$$target || exit 1; \
	done

## make hammer  32 clients at once for a minute on a fresh Worker (SECONDS=)
hammer: build
	cargo run --quiet --release -p listenlog-workbench --bin hammer -- --seconds $(or $(SECONDS),60)

## make native  the native tests alone; make fmt, make lint and make end-to-end are the other parts of make test
fmt: tools-rust
	cargo fmt --all --check

lint: tools-rust
	cargo clippy $(ALL) --all-targets -- -D warnings
	cargo clippy $(ALL) --test end_to_end --test against_worker -- -D warnings
	cargo clippy --lib --target wasm32-unknown-unknown --locked -- -D warnings

native: tools-rust
	cargo test $(ALL)

## make year    a simulated year of collecting: 60,000 plays, and every fault that Spotify, queue and database know
year: tools-rust
	cargo test $(ALL) --lib a_year_of_faults -- --ignored --nocapture

end-to-end: build tests/clients/node_modules/.installed $(SCHEMATHESIS)
	cargo test $(ALL) --test end_to_end --test against_worker

build/.built: $(SOURCES) | tools
	PATH="$(NODE_BIN):$$PATH" $(WORKER_BUILD) --release
	@# worker-build keeps the names of functions: a tenth of what is uploaded, and nothing reads them.
	PATH="$(NODE_BIN):$$PATH" $(WASM_OPT_BIN) --strip-debug $(WASM_FEATURES:%=--enable-%) build/index_bg.wasm -o build/index_bg.wasm
	@touch $@

## make tools   what building needs: the wasm32 target, worker-build, wasm-bindgen, node packages
tools: tools-rust $(WORKER_BUILD) $(WASM_BINDGEN) node_modules/.installed

.PHONY: tools-rust
tools-rust:
	@rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown \
	  || rustup target add wasm32-unknown-unknown
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt

# Tools that run for seconds are not worth minutes of optimising.
$(WORKER_BUILD): export CARGO_PROFILE_RELEASE_OPT_LEVEL := 0
$(WASM_BINDGEN): export CARGO_PROFILE_RELEASE_OPT_LEVEL := 1
$(WORKER_BUILD) $(WASM_BINDGEN): export CARGO_PROFILE_RELEASE_LTO := off
$(WORKER_BUILD) $(WASM_BINDGEN): export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16

$(WORKER_BUILD):
	cargo install worker-build --version $(WORKER_BUILD_VERSION) --locked --root $(TOOLS)/worker-build-$(WORKER_BUILD_VERSION)

# Without --locked: its lock file names a crate that registries do not hold.
$(WASM_BINDGEN):
	cargo install wasm-bindgen-cli --version $(WASM_BINDGEN_VERSION) --root $(TOOLS)/wasm-bindgen-$(WASM_BINDGEN_VERSION)

# Not `npm ci`: the lock file holds this platform's binaries only where the registry of its maker had no others.
# The fuzzer of the OpenAPI documents.
$(SCHEMATHESIS): $(PYTHON_TOOLS)
	python3 -m venv $(SCHEMATHESIS_ROOT)
	$(SCHEMATHESIS_ROOT)/bin/pip install --quiet --disable-pip-version-check --requirement $(PYTHON_TOOLS)
	@touch $@

node_modules/.installed: package.json package-lock.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

tests/clients/node_modules/.installed: tests/clients/package.json tests/clients/package-lock.json
	cd tests/clients && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

## make clean   remove everything that was built, and what make dev stored
clean:
	rm -rf build target node_modules tests/clients/node_modules $(STATE)
