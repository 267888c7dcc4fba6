# Each target does its own set-up. `make demo` and `make test` are all a newcomer needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help tools build codex demo test evals lint bench docs clean

PATCHBAY := target/debug/patchbay
# The codex of tests and evals: the pinned one, fetched below target/, unless one is named.
CODEX_PATH := target/codex/path
WITH_CODEX = PATCHBAY_CODEX="$${PATCHBAY_CODEX:-$$(cat $(CODEX_PATH))}"

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

tools: ## Check what the machine must have, install what it can
	@.ci/tools

build: ## Build the program
	cargo build --bins

codex: build
	@mkdir -p target/codex
	@if [ -z "$${PATCHBAY_CODEX-}" ]; then \
		$(PATCHBAY) install-codex --to target/codex --json >target/codex/installed.json; \
		sed -E 's/.*"binary":"([^"]+)".*/\1/' target/codex/installed.json >$(CODEX_PATH); \
	fi

demo: tools codex ## Play the whole way of one turn, offline (DEMO=--keep leaves everything)
	$(WITH_CODEX) $(PATCHBAY) demo $(DEMO)

test: tools codex ## Run all tests, with the real git, SQLite and codex
	$(WITH_CODEX) cargo nextest run $(TESTS)

evals: tools codex ## Run all evals, which takes long (EVALS=gate: the quick ones; EVALS="NAME…": these)
	$(WITH_CODEX) .ci/evals $(or $(EVALS),all)

lint: tools ## Format, clippy, queries, licences
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	.ci/sqlx check
	@.ci/tools deny
	cargo deny --log-level error check licenses bans sources

bench: tools codex ## Measure the budgets (BENCH=--check fails on a missed one)
	$(WITH_CODEX) cargo bench --bench budgets -- $(BENCH)

docs: build ## API pages and the manual page, below target/
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	$(PATCHBAY) man >target/patchbay.1
	@echo "target/doc/patchbay/index.html and target/patchbay.1"

clean:
	cargo clean
