# run         build everything, start the appliance and do the example job (ONCE=1: end with its exit code; SEED=n)
# test        all tests, with the runner's totals
# test-layers each layer of a sandbox left away in turn, in builds that can: the last part of test
# test-large  Calc and Chromium, each in its sandbox: builds their pack first
# test-fresh  `make run ONCE=1` and `make test` in a new Debian 12 root, from a clone of the last commit
# test-boot   boots an emulated machine with real firmware under Secure Boot and judges its evidence
# test-leaks  a thousand jobs (JOBS=n), and that nothing of them is left
# check       formatting, lints, licences and sources of dependencies, the allowed arrows
# fuzz        every fuzz target for SECONDS=n each (10), from the committed corpus
# packs-large the office pack as well (LibreOffice Calc, Chromium): no part of run or test
# bench       measure
# attest      the verifier as one static file, to be carried to an auditor's machine
# clean       remove what was built; downloads under var/cache stay
#
# Each target installs what it needs (ci/debian-packages.txt), as root or through sudo; only Rust is yours to bring.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/debug
VAR := var
TOOLS := $(VAR)/tools
# A copy, so that cargo may link the program anew while it works.
IMAGE := $(VAR)/tools/image
# A test that builds a sandbox needs root; the build does not.
RUNNER := $(if $(SUDO),CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="sudo -E")

.PHONY: help run test test-layers test-large test-fresh test-boot test-leaks check fuzz bench attest clean \
	rust packages tools builder packs packs-large workspace test-binaries bench-binaries reproducible

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

run: rust packages builder
	@$(MAKE) -j2 workspace packs
	@exec $(SUDO) $(BIN)/stand run $(if $(ONCE),--once) $(if $(SEED),--seed $(SEED))

test: rust packages tools builder
	@$(MAKE) -j2 test-binaries packs
	@$(RUNNER) $(TOOLS)/cargo-nextest nextest run --workspace --locked
	@$(MAKE) test-layers

# Builds that can leave a layer away bear a mark and do not serve. As much of the workspace is named as in `test`, or
# cargo would compile the dependencies anew; at the end the programs are again those without the features.
test-layers: rust packages tools
	@$(RUNNER) $(TOOLS)/cargo-nextest nextest run --locked --workspace --test escape --test sandbox \
		--features casemate-agentd/weaken,casemate-agentd/host-root \
		-E 'test(layers::) | test(build::) | test(selftest::) | test(weakened::) | test(exec::)'
	@$(MAKE) workspace

test-large: rust packages tools packs-large
	@$(RUNNER) $(TOOLS)/cargo-nextest nextest run --locked --workspace --test large --run-ignored only

test-fresh: rust packages
	@ci/test-fresh

test-leaks: rust packages tools builder
	@$(MAKE) -j2 test-binaries packs
	@$(RUNNER) CASEMATE_TEST_JOBS=$(or $(JOBS),1000) \
		$(TOOLS)/cargo-nextest nextest run --locked -p casemate-tests --test leaks --no-capture

# The programs of the initrd are linked statically; copied, because the test links `unseal` anew.
STATIC := -C target-feature=+crt-static -C strip=symbols
test-boot: rust packages
	@ci/install-packages ci/debian-packages-image.txt
	@ci/fetch-kernel $(VAR)/boot/kernel
	@cargo build --locked -p casemate-attest --bin attest
	@cargo rustc --locked -p casemate-device --bin unseal -- $(STATIC)
	@install -D -m 755 $(BIN)/unseal $(VAR)/boot/guest/unseal
	@cargo rustc --locked -p casemate-device --example guest -- $(STATIC)
	@install -D -m 755 $(BIN)/examples/guest $(VAR)/boot/guest/guest
	@cargo test --locked -p casemate-device --test boot -- --ignored --nocapture --test-threads 1

check: rust packages tools
	@cargo fmt --all -- --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(TOOLS)/cargo-deny --locked check bans licenses sources
	@cargo test --quiet --locked -p casemate-tests --test arrows
	@packer validate -var out=/nonexistent -var keys=/nonexistent -var image=/nonexistent -var run=/nonexistent packer

fuzz: rust packages
	@ci/fuzz $(or $(SECONDS),10)

bench: rust packages builder
	@$(MAKE) -j2 bench-binaries packs
	@shopt -s nullglob; for bench in $(BIN)/bench $(BIN)/examples/bench-*; do \
		if [[ -x $$bench && ! -d $$bench ]]; then $(SUDO) $$bench; fi; done

attest: rust packages
	@RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --package casemate-attest --bin attest \
		--profile ship --target x86_64-unknown-linux-gnu
	@file=$(TARGET)/x86_64-unknown-linux-gnu/ship/attest; \
		printf '%s: %d KiB, static\n' "$$file" $$(($$(stat --format=%s "$$file") / 1024))

clean:
	@cargo clean
	@if [[ -d $(VAR) ]]; then \
		$(SUDO) find $(VAR) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf --one-file-system {} +; fi

# The two builds of the desktop pack must be one file (about two minutes).
reproducible: rust packages builder
	@$(SUDO) $(IMAGE) pack desktop --out $(VAR)/packs --verify-reproducible

rust:
	@ci/check-rust

packages:
	@ci/install-packages

tools: packages
	@ci/fetch-tools $(TOOLS)

# The pack builder first: it then works while cargo compiles the rest.
builder: rust packages
	@cargo build --locked --workspace --bin image
	@install -D -m 755 $(BIN)/image $(IMAGE)

workspace:
	@cargo build --locked --workspace --bins

test-binaries:
	@cargo build --locked --workspace --all-targets

bench-binaries:
	@cargo build --locked --workspace --bins --examples

packs:
	@$(SUDO) $(IMAGE) keys dev --out $(VAR)/dev
	@$(SUDO) $(IMAGE) dev-release --keys $(VAR)/dev --out $(VAR)/dev
	@$(SUDO) $(IMAGE) pack ocr --out $(VAR)/packs
	@$(SUDO) $(IMAGE) pack desktop --out $(VAR)/packs

packs-large: rust packages builder packs
	@$(SUDO) $(IMAGE) pack office --out $(VAR)/packs
