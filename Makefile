# Caspian. `make demo` shows it at work, `make test` proves it; both install and build what they need.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

CARGO ?= cargo
GUESTS := appointment-audit patient-onboarding caspian-probe
GUESTS += caspian-minimal
GUEST_DIR = $(or $(CARGO_TARGET_DIR),target)/wasm32-wasip2/guest
# One set of features for demo and tests, so that both use the same build.
WORKSPACE := --workspace --exclude caspian-bench --features caspian/failpoints

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: tools
tools: ## Check what must be installed, and install the wasm32-wasip2 target if it is missing
	@scripts/check-tools.sh
	@scripts/install-wasm-target.sh wasm32-wasip2

.PHONY: guests
guests: tools ## Build the components: plugins and test guests
	$(CARGO) build --locked --profile guest --target wasm32-wasip2 $(GUESTS:%=-p %)
	@for plugin in plugins/*/; do \
	  name=$$(basename $$plugin); file=$${name//-/_}.wasm; \
	  cp "$(GUEST_DIR)/$$file" "$$plugin$$file"; \
	done

.PHONY: build
build: guests ## Build the host and the emulator for development
	$(CARGO) build --locked $(WORKSPACE)

.PHONY: demo
demo: build ## Show the whole way: emulator, host, plugin, a crash in the middle, nothing lost or doubled
	@python3 scripts/demo.py "$(or $(CARGO_TARGET_DIR),target)/debug/caspian"

.PHONY: test
test: build ## Run all tests
	$(CARGO) test --locked --doc $(WORKSPACE) --quiet
	@$(CONFORMANCE)
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --locked $(WORKSPACE) --no-fail-fast; \
	else \
	  $(CARGO) test --locked $(WORKSPACE) --lib --bins --tests --no-fail-fast; \
	fi

TOOLS := $(or $(CARGO_TARGET_DIR),target)/tools
CONFORMANCE = tool=$$(scripts/install-schemathesis.sh "$(TOOLS)/schemathesis") && \
	python3 scripts/conformance.py "$(or $(CARGO_TARGET_DIR),target)/debug/caspian" "$$tool" "$(TOOLS)/conformance"

.PHONY: conformance
conformance: build ## Drive the emulator from Caspio's contract with Schemathesis, every response checked
	@$(CONFORMANCE)

# Compiles in a minute; the release build would take several.
DENY_VERSION := 0.20.2
DENY := $(or $(CARGO_TARGET_DIR),target)/tools/bin/cargo-deny

.PHONY: pairwise
pairwise: build ## Run end-to-end tests under other behaviours of Caspio, each two of them together (some minutes); SUITES=… names others than journey
	@python3 scripts/pairwise.py $(or $(SUITES),journey)

# What libtest says besides is left out.
.PHONY: chaos
chaos: build ## Fault campaign: N=1000 schedules drawn from SEED=1, at most SECONDS=…; ONLY=n repeats one
	@CHAOS_N="$(or $(N),$(if $(SECONDS),,1000))" CHAOS_SEED="$(SEED)" CHAOS_SECONDS="$(SECONDS)" CHAOS_ONLY="$(ONLY)" \
	  $(CARGO) test --locked $(WORKSPACE) --quiet --test chaos -- --nocapture | sed -u -E '/^(running 1 test|test .*|\.|)$$/d'

.PHONY: deny
deny: ## Check licences, banned crates and sources of all dependencies
	@"$(DENY)" --version 2>/dev/null | grep -qF " $(DENY_VERSION)" || env -u CARGO_TARGET_DIR \
	  $(CARGO) install --quiet --locked --profile dev --root "$(abspath $(DENY)/../..)" cargo-deny@$(DENY_VERSION)
	"$(DENY)" --log-level warn --locked check licenses bans sources

.PHONY: lint
lint: guests deny ## Check formatting, lints and dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked $(WORKSPACE) --all-targets -- -D warnings
	$(CARGO) clippy --locked -p caspian -p caspian-bench --all-targets -- -D warnings
	$(CARGO) clippy --locked --target wasm32-wasip2 $(GUESTS:%=-p %) -- -D warnings

.PHONY: bench
bench: guests ## Measure the host (release build, a few minutes); BENCH="attempt ingress" measures only these
	$(CARGO) build --locked --release -p caspian -p caspian-bench
	@"$(or $(CARGO_TARGET_DIR),target)/release/caspian-bench" $(BENCH)

.PHONY: release
release: tools ## Build the binary to install: target/release/caspian
	$(CARGO) build --locked --release -p caspian

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
	rm -f plugins/*/*.wasm
