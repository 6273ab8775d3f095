# The project's commands. What they need is installed below .tools, pinned, the first time.

HOST    := $(shell rustc -vV | sed -n 's/^host: //p')
ARCH    := $(if $(findstring x86_64,$(HOST)),x86_64,arm64)
# cargo-lambda names the target, so everything else does: what one compiles, the other reuses. And whatever is
# built, features are those of the whole workspace: with others, the AWS SDK would be compiled again.
CARGO   := --locked --workspace --target $(HOST)
BUILT   := target/$(HOST)/debug
FUNCTIONS := $(shell sed -n 's/.*Binary: \([a-z]*\).*/\1/p' template.yaml)
STACK   := .tools/stack/bin/python tests/local/stack.py
# Where the stacks listen. Another port lets two checkouts be tested side by side.
DEMO_PORT := 4566
TEST_PORT := 4577
SAM_PORT  := 4588
SAM     := PATH="$(CURDIR)/.tools/sam/bin:$(CURDIR)/.tools/lambda/bin:$$PATH" SAM_CLI_TELEMETRY=0 sam
UV      := UV_CACHE_DIR="$(CURDIR)/.tools/cache" UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv
# Readers and clients that this machine has not cannot be tested with; the rest is never left out.
LACKING := $(strip $(foreach program,java unzip bsdtar go npm jq,$(if $(shell command -v $(program)),,$(program))) \
  $(if $(shell command -v 7z),,sevenzip) \
  $(if $(and $(shell command -v chromium),$(shell command -v npm)),,chromium))
NEXTEST := PATH="$(CURDIR)/.tools/check/bin:$$PATH" cargo nextest run $(CARGO) \
  $(if $(LACKING),-E 'all()$(foreach program,$(LACKING), - test(::$(program)_))')

TESTERS := .tools/stack/done .tools/check/done $(if $(shell command -v npm),.tools/clients/done)

# What is downloaded goes beside what is compiled. Cargo counts its own processes.
MAKEFLAGS += --jobs=4
unexport MAKEFLAGS

.PHONY: help demo test smoke lint deny advisories bench fuzz stack down programs sam

help:
	@echo 'make demo   make an export on a local stack, which stays up'
	@echo 'make test   everything that must hold: lints, unit, property and end-to-end tests'
	@echo 'make smoke  test a deployed stack from outside, by API=... and TOKEN=...; SMOKE=--help tells of more'
	@echo 'make lint   formatting, clippy, the template'
	@echo 'make deny   licences and origins of dependencies; make advisories, known faults of them'
	@echo 'make bench  how fast exports are made, beside others; BENCH="--rounds 1" is quicker'
	@echo 'make fuzz   odd input for the engine, a minute each; FUZZ_SECONDS=3600 is more thorough'
	@echo 'make sam    the demo on what `sam build` built and `sam deploy` deployed'
	@echo 'make stack  start the stack that the end-to-end tests use, to run them one by one'
	@echo 'make down   stop the stacks that were started'

demo: .tools/stack/done programs
	@$(STACK) up demo $(DEMO_PORT) $(BUILT)
	@$(BUILT)/demo

test: lint programs $(TESTERS)
	@cargo build $(CARGO) --tests
	@$(STACK) up test $(TEST_PORT) $(BUILT) --auth
	@$(if $(LACKING),echo 'Left out for want of the program: $(LACKING)')
	@$(NEXTEST); status=$$?; $(STACK) down test; exit $$status

# The script takes the token from the environment, so that no list of processes shows it. `TOKEN` may be set there, too.
smoke: export DECANT_URL := $(API)
smoke: export DECANT_TOKEN := $(TOKEN)
smoke:
	@python3 -B tests/smoke/run.py $(SMOKE)

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

stack: programs $(TESTERS)
	@$(STACK) up test $(TEST_PORT) $(BUILT) --auth

down: .tools/stack/done
	@$(STACK) down demo; $(STACK) down test; $(STACK) down sam

programs:
	@echo 'Compiling the functions...'
	@cargo build $(CARGO) $(FUNCTIONS:%=--bin %) --bin demo

# Unoptimised and for this machine: what is deployed to AWS is built by plain `sam build`.
sam: programs .tools/sam/done .tools/lambda/done .tools/stack/done
	@echo 'Building with SAM...'
	@SAM_BUILD_MODE=debug CARGO_LAMBDA_COMPILER=cargo $(SAM) build --build-dir .local/build \
	  --parameter-overrides Architecture=$(ARCH) >.local/build.log 2>&1 || { tail -40 .local/build.log; exit 1; }
	@$(STACK) up sam $(SAM_PORT) .local/build
	@$(BUILT)/demo sam; status=$$?; $(STACK) down sam; exit $$status

.tools/%/done: tests/local/requirements-%.txt .tools/uv/done
	@echo 'Installing $*...'
	@$(UV) venv --quiet --no-project --allow-existing .tools/$*
	@$(UV) pip install --quiet --python .tools/$*/bin/python --requirement $<
	@echo 'Installed $*.' && touch $@

# It installs in seconds what takes pip a minute.
.tools/uv/done: tests/local/requirements-uv.txt
	@python3 -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.tools/clients/done: $(wildcard tests/clients/*)
	@echo 'Installing published clients...'
	@mkdir -p .tools/clients && cp $^ .tools/clients
	@cd .tools/clients && npm ci --silent --no-audit --no-fund 2>.npm.log || { cat .npm.log; exit 1; }
	@touch $@
