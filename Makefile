# The project's commands. What they need is installed below .tools, pinned, the first time.

HOST    := $(shell rustc -vV | sed -n 's/^host: //p')
ARCH    := $(if $(findstring x86_64,$(HOST)),x86_64,arm64)
# cargo-lambda names the target, so everything else does: what one compiles, the other reuses.
CARGO   := --locked --workspace --target $(HOST)
STACK   := .tools/stack/bin/python tests/local/stack.py
# Where the stack of the end-to-end tests listens; another one lets two checkouts be tested side by side.
TEST_PORT := 4577
SAM     := PATH="$(CURDIR)/.tools/sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 sam
NEXTEST := $(shell command -v cargo-nextest)
# Tests of the deployed stack mostly wait.
# Without nextest, tests cannot run alone, so the one that kills builders is left out.
# Readers and clients that this machine has not cannot be tested with; the rest is never left out.
LACKING := $(strip $(foreach program,java unzip bsdtar go npm,$(if $(shell command -v $(program)),,$(program))) \
  $(if $(shell command -v 7z),,sevenzip))
RUN     := $(if $(NEXTEST),\
  cargo nextest run $(CARGO) $(if $(LACKING),-E 'all()$(foreach program,$(LACKING), - test(::$(program)_))'),\
  cargo test $(CARGO) --lib --bins --tests -- --test-threads=8 --skip a_killed_builder $(foreach program,$(LACKING),--skip ::$(program)_))
SOURCES  = Cargo.toml Cargo.lock template.yaml $(shell find functions shared -type f)

.PHONY: help demo test lint deny advisories bench fuzz stack down build

help:
	@echo 'make demo   make an export on a local stack, which stays up'
	@echo 'make test   everything that must hold: lints, unit, property and end-to-end tests'
	@echo 'make lint   formatting, clippy, the template'
	@echo 'make deny   licences and origins of dependencies; make advisories, known faults of them'
	@echo 'make bench  how fast exports are made, beside others; BENCH="--rounds 1" is quicker'
	@echo 'make fuzz   odd input for the engine, a minute each; FUZZ_SECONDS=3600 is more thorough'
	@echo 'make stack  start the stack that the end-to-end tests use, to run them one by one'
	@echo 'make down   stop the stacks that were started'

demo: build
	@$(STACK) up demo 4566
	@cargo run --quiet --locked --target $(HOST) --package tests --bin demo

test: lint build .tools/check/done $(if $(shell command -v npm),.tools/clients/done)
	@cargo build --quiet $(CARGO) --tests
	@$(STACK) up test $(TEST_PORT) --auth
	@$(if $(LACKING),echo 'Left out for want of the program: $(LACKING)')
	@$(RUN); status=$$?; $(STACK) down test; exit $$status

lint: .tools/sam/done
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy --quiet $(CARGO) --all-targets -- --deny warnings
	@$(SAM) validate --lint --region us-east-1
	.tools/sam/bin/cfn-lint template.yaml

DENY := .tools/deny/bin/cargo-deny --locked
deny: .tools/deny/done
	$(DENY) check bans licenses sources

# Fetches the RustSec database from GitHub, and fails where that cannot be reached.
advisories: .tools/deny/done
	$(DENY) check advisories

bench:
	@python3 tests/bench/run.py $(BENCH)

# Stable Rust: the fuzzer's coverage comes from a pass of LLVM. Findings stay in .local/fuzz. With `fuzzing`
# set, the engine's windows and buffers are small, so that all their borders are crossed.
FUZZ_SECONDS := 60
fuzz:
	@cd tests/fuzz && export CARGO_TARGET_DIR=$(CURDIR)/.local/fuzz RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module \
	  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"; \
	  cargo clippy --quiet --locked --release --target $(HOST) -- --deny warnings && \
	  cargo build --quiet --locked --release --target $(HOST)
	@mkdir -p .local/fuzz/corpus/catalog && cp shared/export/catalog.toml .local/fuzz/corpus/catalog
	@cd .local/fuzz && for target in deflate gzip lines csv filter order catalog; do mkdir -p corpus/$$target; \
	  ./$(HOST)/release/$$target corpus/$$target $(CURDIR)/tests/fuzz/seeds/$$target -rss_limit_mb=1024 \
	    -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$target- >$$target.log 2>&1 & pids="$$pids $$!"; done; \
	  for pid in $$pids; do wait $$pid || { grep -hE 'panicked|ERROR|artifact' -A3 *.log; exit 1; }; done
	@cd .local/fuzz && grep -h DONE *.log

stack: build .tools/check/done $(if $(shell command -v npm),.tools/clients/done)
	@$(STACK) up test $(TEST_PORT) --auth

down: .tools/stack/done
	@$(STACK) down demo; $(STACK) down test

build: .local/build/template.yaml

# Unoptimised and for this machine: what is deployed to AWS is built by plain `sam build`.
.local/build/template.yaml: $(SOURCES) .tools/sam/done .tools/stack/done
	@echo 'Building the functions...' && mkdir -p .local
	@SAM_BUILD_MODE=debug CARGO_LAMBDA_COMPILER=cargo $(SAM) build --build-dir .local/build \
	  --parameter-overrides Architecture=$(ARCH) >.local/build.log 2>&1 || { tail -40 .local/build.log; exit 1; }
	@touch $@

.tools/%/done: tests/local/requirements-%.txt
	@echo 'Installing $*...'
	@mkdir -p .local && python3 -m venv .tools/$*
	@.tools/$*/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.tools/clients/done: $(wildcard tests/clients/*)
	@echo 'Installing published clients...'
	@mkdir -p .tools/clients && cp $^ .tools/clients
	@cd .tools/clients && npm ci --silent --no-audit --no-fund 2>.npm.log || { cat .npm.log; exit 1; }
	@touch $@
