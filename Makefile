# Run `make` for the list of targets.

PREFIX  ?= /usr/local
DESTDIR ?=
PEERS   ?= ../shared/peers
VM      ?= ../shared/vm

GO      ?= go
TAGS    := seccomp netgo osusergo exclude_graphdriver_btrfs exclude_graphdriver_zfs exclude_graphdriver_devicemapper
LDFLAGS := -s -w -linkmode external -extldflags -static
TOOLS   := podman buildah skopeo
MONITOR := podman/engine/monitor/image/program/monitor
INIT    := shared/runtime/image/init
KEEPER  := shared/network/image/keeper
IMAGES  := $(MONITOR) $(KEEPER) $(INIT)
INITFLAGS := -std=gnu11 -Wall -Wextra -Werror -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-Wl,--build-id=none -Wl,-z,noseparate-code -s

.DEFAULT_GOAL := help
.PHONY: help build install uninstall quickstart test test-short vm-test crash-test corpus compare-runtime fuzz lint bench bench-build docs clean deps $(TOOLS:%=bin/%)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PREFIX=$(PREFIX) and DESTDIR= say where to install, PEERS=$(PEERS) where bench finds the tools to compare with."

build: $(TOOLS:%=bin/%) ## build bin/podman, bin/buildah and bin/skopeo, static

# go build knows what is out of date; make doesn't.
$(TOOLS:%=bin/%): bin/%: | deps
	@if [ -f $*/main.go ]; then \
		echo "go build -o $@ ./$*"; \
		CGO_ENABLED=1 $(GO) build -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o $@ ./$*; \
	fi

bin/podman: $(IMAGES)
bin/buildah: $(KEEPER) $(INIT)

# The first program of containers is carried inside podman and buildah.
$(INIT): shared/runtime/init/init.c shared/runtime/init/ops.h Makefile
	$(CC) $(INITFLAGS) -o $@ $<

# The programs of the processes that stay are carried inside, so they come first.
.PHONY: $(MONITOR) $(KEEPER)
$(MONITOR): SOURCE := podman/monitor-image
$(MONITOR): CGO := 1
$(MONITOR): $(INIT)
$(KEEPER): SOURCE := shared/network/keeper
$(KEEPER): CGO := 0
$(MONITOR) $(KEEPER): | deps
	@if [ -f $(SOURCE)/main.go ]; then \
		mkdir -p $(@D) bin && \
		CGO_ENABLED=$(CGO) $(GO) build -tags "$(TAGS)" -ldflags "$(if $(filter 1,$(CGO)),$(LDFLAGS),-s -w)" -o bin/.$(@F) ./$(SOURCE) && \
		if cmp -s bin/.$(@F) $@; then rm bin/.$(@F); else mv bin/.$(@F) $@; fi; \
	fi

deps:
	@hack/deps build

install: build docs ## install programs, manual pages, completions and examples of configuration files
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' hack/install

uninstall: ## remove what install installed
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' hack/install --remove

quickstart: build ## show the whole way once: build, run, push, copy
	@hack/deps quickstart
	@hack/quickstart

test: build ## run all tests; those that need root say so when they are skipped
	@hack/deps test
	PODSUITE_BIN=$(CURDIR)/bin $(GO) test -tags "$(TAGS)" -timeout 20m $(TESTFLAGS) work
	@if [ "$$(id -u)" = 0 ] && [ -w /dev/loop-control ]; then $(MAKE) --no-print-directory crash-test POINTS=1 SOME=8 SEED=1; \
		else echo "crash-test: skipped: needs root and loop devices"; fi

test-short: $(IMAGES) ## run the unit tests
	$(GO) test -tags "$(TAGS)" -short $(TESTFLAGS) work

fuzz: $(IMAGES) ## feed the parsers with mutated input; FUZZTIME= says for how long each, FUZZ= which
	@GO=$(GO) TAGS="$(TAGS)" hack/fuzz "$(or $(FUZZ),.)" "$(or $(FUZZTIME),20s)"

vm-test: build ## test what takes systemd, cgroup v2 and a reboot, in the virtual machine of VM
	@VM='$(VM)' hack/vm/run

crash-test: build ## bring faults on commands at every change they make and look at what is left; POINTS=, SOME=, SEED=, SCENARIO=, FAULTS= narrow it
	@hack/deps test
	@$(GO) build -o bin/.crash ./hack/crash
	@bin/.crash -registry "$$(hack/registry)" $(if $(POINTS),-points $(POINTS)) $(if $(SOME),-some $(SOME)) $(if $(SEED),-seed $(SEED)) $(if $(SCENARIO),-scenario $(SCENARIO)) $(if $(FAULTS),-faults $(FAULTS)) bin

corpus: build ## build the Containerfiles of buildah/corpus with ours and with docker of PEERS, and compare; CORPUS= chooses
	@mkdir -p bin && hack/base-image bin/.base.tar && $(GO) build -o bin/.corpus ./hack/corpus
	@bin/.corpus -bin bin -base bin/.base.tar -peers $(PEERS) $(CORPUS)

compare-runtime: build ## run containers with ours and with podman of PEERS, and compare what they see; CASES= chooses
	@mkdir -p bin && hack/base-image bin/.base.tar && $(GO) build -o bin/.compare-runtime ./hack/compare-runtime
	@bin/.compare-runtime -bin bin -base bin/.base.tar -peers $(PEERS) $(CASES)

lint: $(IMAGES) ## check format, go vet, shell scripts and, where installed, golangci-lint
	@hack/lint

bench: build ## compare speed with the tools in PEERS; writes bench.json
	@hack/deps bench
	@PEERS=$(PEERS) hack/bench $(BENCH)

bench-build: ## compare large builds with docker's
	@$(MAKE) --no-print-directory bench BENCH=docker

docs: build ## write the manual pages below docs/reference
	@rm -rf docs/reference
	@$(GO) run hack/man/main.go bin docs/reference

clean: ## remove what build and bench made
	rm -rf bin bench.json docs/reference $(IMAGES)
