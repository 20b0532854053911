# What people type here every day. `make` or `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Tools are pinned in tools/go.mod and built by the go command when first used. The path is absolute because it is also
# used from within the other modules.
TOOLS := $(CURDIR)/tools
tool := go tool -modfile=$(TOOLS)/go.mod
phase := $(TOOLS)/phase.sh
compile := $(TOOLS)/compile.sh

# Everything is compiled as the image's program is, without C and without this machine's paths, so that all share every compiled package.
# The race detector needs C.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath,$(shell go env GOFLAGS)) -trimpath)
race := CGO_ENABLED=1

# Every Go module with code of its own.
MODULES := . e2e e2e/certmanager e2e/prometheus

# Computing these with the race detector takes longest, each on one core: they come first.
SLOWEST := ./updater ./recommender ./replay

# Scenarios wait more than they compute: two packages of them run at a time, each with a cluster of its own, and those that
# take longest come first. The others measure time, or how long somebody waits, and have the machine to themselves.
LONGEST := ./scenarios ./storm ./realnode ./llama
ALONE := ./dashboard ./failopen

# What generate writes, and nobody edits.
GENERATED := api/v1alpha1/zz_generated.deepcopy.go api/v1alpha1/applyconfiguration config/crd/bases \
	$(addprefix charts/loadline/,templates/crd templates/policy templates/rbac templates/webhook prometheus values.schema.json README.md)

# Variables, in the order of `make help`, which prints the comment above each.

## RUN             e2e, test-full, test-model: only the scenarios whose name matches this regular expression
RUN ?=

## DATA            test, e2e: a folder with recorded usage, which takes the place of generated history; bench: what to measure
DATA ?=
override DATA := $(abspath $(DATA))

## KEEP            demo: 1 leaves everything running, with a kubeconfig, until Ctrl-C
KEEP ?=

## BENCH           bench: only the benchmarks whose name matches this regular expression (default: all)
BENCH ?= .

## COUNT           bench: how often each benchmark runs (default: 6)
COUNT ?= 6

## QUICK           bench with DATA: 1 takes a third of the series, and no grid of settings
QUICK ?=

## GRID_EVERY      bench with DATA: replay the grid of settings on one of so many workloads (default: 6)
GRID_EVERY ?=

## BENCH_OUT       bench with DATA: a file for the results as JSON
BENCH_OUT ?=
override BENCH_OUT := $(abspath $(BENCH_OUT))

## FUZZTIME        fuzz: how long each fuzz test looks for a failing input (default: 30s)
FUZZTIME ?= 30s

## IMAGE           image, image-tar: the name of the container image (default: loadline:dev)
IMAGE ?= loadline:dev

## ARCH            image-tar: the architecture to build for, such as arm64 (default: this machine's)
ARCH ?=

## BINDIR          install: the folder for the programs (default: ~/.local/bin)
BINDIR ?= $(HOME)/.local/bin

## LOADLINE_CACHE  demo, test, e2e: where built control planes are kept (default: ~/.cache/loadline)
LOADLINE_CACHE ?=
override LOADLINE_CACHE := $(abspath $(LOADLINE_CACHE))
export DATA KEEP LOADLINE_CACHE

##@ Look
.PHONY: help
help: ## List the targets and the variables
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-15s  %s\n", $$1, $$2 } \
		/^## / { variables = variables "\n  " substr($$0, 4) } \
		END { print "\nVariables, set as in: make e2e RUN=Prometheus" variables }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show the whole path on a real control plane with simulated nodes
	@cd e2e && $(compile) "the demo" ./demo
	@cd e2e && go build -o ../bin/demo ./demo && exec ../bin/demo # `go run` would call a well-handled interrupt a failure.

##@ Change
.PHONY: generate
generate: ## Write anew what follows from the API types and from config/: deepcopy, CRDs, the chart's templates
	@$(compile) controller-gen -modfile=$(TOOLS)/go.mod sigs.k8s.io/controller-tools/cmd/controller-gen
	@started=$$(mktemp); trap 'rm -f "$$started"' EXIT; \
	$(phase) generate $(tool) controller-gen object crd applyconfiguration \
		paths=./api/v1alpha1 output:crd:dir=config/crd/bases; \
	$(phase) "the chart's templates" go run ./internal/chart .; \
	find $(GENERATED) -type f ! -newer "$$started" -delete # What is left over from a type that is gone.

.PHONY: fmt
fmt: golangci-lint ## Format all Go code
	@for module in $(MODULES); do (cd $$module && $(tool) golangci-lint fmt); done

.PHONY: lint
lint: golangci-lint ## Check all Go code, also the direction of imports between packages
	@for module in $(MODULES); do \
		(cd $$module && $(compile) "$$module for lint" -test ./... && \
			$(phase) "lint $$module" $(tool) golangci-lint run --allow-serial-runners ./...); \
	done

.PHONY: golangci-lint
golangci-lint:
	@$(compile) golangci-lint -modfile=$(TOOLS)/go.mod github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: verify
verify: ## Fail if generated files, go.mod or go.sum are out of date, or if go vet objects
	@before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; \
	tar cf - $(GENERATED) | tar xf - -C "$$before"; \
	$(MAKE) generate; \
	for path in $(GENERATED); do \
		diff -ru "$$before/$$path" "$$path" || { echo "$$path is out of date: run make generate" >&2; exit 1; }; \
	done
	@for module in $(MODULES) e2e/containerd e2e/ollama tools; do $(phase) "go mod tidy -diff in $$module" go -C $$module mod tidy -diff; done
	@for module in $(MODULES); do \
		(cd $$module && $(compile) "$$module" -tags full -test ./... && $(phase) "go vet in $$module" go vet -tags full ./...); \
	done

##@ Test
.PHONY: test
test: ## Run the unit tests with the race detector, then the scenarios (set up what they need, without root)
	@$(phase) "make test" $(MAKE) unit e2e

# The race detector slows down computing most, and computing is what properties do. With it, ten inputs of each have to do; without it
# their packages run again, with all of them.
# No package waits for a whole second at its end whether a race shows. What go vet would look for before each test is in `make verify`,
# once.
.PHONY: unit
unit: ## Run the unit tests alone (some start an API server)
	@command -v "$$(go env CC)" >/dev/null || \
		{ echo "The race detector needs a C compiler, and $$(go env CC) is not installed: install gcc or clang, or set CC." >&2; exit 1; }
	@cd e2e && $(phase) "control plane and Prometheus" go run ./cmd/binaries
	@$(race) $(compile) "the unit tests" -test -race ./...
	@export KUBEBUILDER_ASSETS=$$(cd e2e && go run ./cmd/binaries); \
	$(race) RAPID_CHECKS=10 GORACE=atexit_sleep_ms=100 $(phase) "unit tests" $(tool) gotestsum --format pkgname-and-test-fails -- \
		-race -vet=off -shuffle=on $(SLOWEST) ./...; \
	$(phase) "unit tests with properties, each for 100 inputs" $(tool) gotestsum --format pkgname-and-test-fails -- -vet=off -shuffle=on \
		$$(grep -rl --include='*_test.go' --exclude-dir=e2e '"pgregory.net/rapid"' . | xargs -n 1 dirname | sort -u)

.PHONY: e2e
e2e: ## Run the scenarios alone: real API server, scheduler and Prometheus, simulated nodes
	@if [[ -n "$(DATA)" && ! -d "$(DATA)" ]]; then echo "DATA=$(DATA): no such folder" >&2; exit 1; fi
	@cd e2e && $(phase) "control plane and Prometheus" go run ./cmd/binaries
	@cd e2e && $(compile) "the scenarios" -test ./...
	@cd e2e && $(phase) scenarios $(tool) gotestsum --format standard-verbose -- \
		-p 2 -vet=off -count=1 -shuffle=on -timeout=30m $(if $(RUN),-run '$(RUN)') ./scenarios ./...

.PHONY: test-full
test-full: full-together full-alone ## Run the scenarios behind the build tag full, such as those with a real model server or a real node

.PHONY: full-together
full-together:
	@$(phase) "control plane, Prometheus, Ollama and a real node" $(MAKE) full-programs
	@packages=$$(cd e2e && grep -rlE --include='*_test.go' --exclude-dir=certmanager '^//go:build .*\bfull\b' . | xargs -n 1 dirname | sort -u) && \
	$(MAKE) full-scenarios PACKAGES="$$(echo $$packages)"
	@cd e2e/certmanager && $(compile) "cert-manager" -tags full -test . && \
	$(phase) "scenarios with cert-manager" $(tool) gotestsum --format standard-verbose -- \
		-tags full -vet=off -count=1 -timeout=20m $(if $(RUN),-run '$(RUN)') .

.PHONY: full-alone
full-alone:
	@cd e2e && $(compile) "the full scenarios that measure time" -tags full -test $(ALONE)
	@cd e2e && $(phase) "full scenarios that measure time" $(tool) gotestsum --format standard-verbose -- \
		-tags full -p 1 -vet=off -count=1 -shuffle=on -timeout=60m $(if $(RUN),-run '$(RUN)') $(ALONE)

.PHONY: full-programs
full-programs:
	@cd e2e && go run ./cmd/binaries -full

.PHONY: test-model
test-model: ## Run those of them alone that ask a real model server: Ollama with a tiny random model
	@cd e2e && $(phase) "control plane, Prometheus and Ollama" go run ./cmd/binaries -model
	@$(MAKE) full-scenarios PACKAGES=./llama

.PHONY: full-scenarios
full-scenarios:
	@cd e2e && $(compile) "the full scenarios" -tags full -test $(PACKAGES)
	@cd e2e && $(phase) "full scenarios" $(tool) gotestsum --format standard-verbose -- \
		-tags full -p 2 -vet=off -count=1 -shuffle=on -timeout=60m $(if $(RUN),-run '$(RUN)') \
		$(filter $(PACKAGES),$(LONGEST)) $(filter-out $(LONGEST) $(ALONE),$(PACKAGES))

.PHONY: fuzz
fuzz: ## Look for inputs that break a parser, FUZZTIME for each fuzz test
	@grep -rHoE --include='*_test.go' --exclude-dir=e2e '^func Fuzz[A-Za-z0-9_]+' . | while IFS=: read -r file name; do \
		name=$${name#func }; \
		$(phase) "$$name in $$(dirname $$file)" go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname $$file)"; \
	done

.PHONY: nightly
nightly: ## What takes too long for each change: a minute of each fuzz test, and a pass over 500 workloads without the model's server
	@$(MAKE) fuzz FUZZTIME=60s
	@$(phase) "500 workloads" go test -run '^$$' -bench '^BenchmarkPassOver500Workloads$$' -benchtime 20x -count 3 ./recommender

.PHONY: bench
bench: $(if $(DATA),measure,benchmarks) ## Run the benchmarks and compare them with the run before; with DATA, score forecasts and sizes on it

.PHONY: benchmarks
benchmarks:
	@mkdir -p dist; if [[ -f dist/bench.txt ]]; then mv dist/bench.txt dist/bench.before.txt; fi
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./... | tee dist/bench.txt
	@$(tool) benchstat $$(ls dist/bench.before.txt 2>/dev/null || true) dist/bench.txt

.PHONY: measure
measure:
	@if [[ ! -d "$(DATA)" ]]; then echo "DATA=$(DATA): no such folder" >&2; exit 1; fi
	@$(compile) "the measurements" ./cmd/bench
	@go build -o bin/ ./cmd/bench
	@$(phase) "scores on $(DATA)" bin/bench -data "$(DATA)" $(if $(QUICK),-quick) $(if $(GRID_EVERY),-grid-every $(GRID_EVERY)) $(if $(BENCH_OUT),-out "$(BENCH_OUT)")

.PHONY: bench-admission
bench-admission: ## Create 2,000 pods with no webhook, a constant one, Loadline's and the Vertical Pod Autoscaler's, and compare
	@cd e2e && $(phase) "control plane and Prometheus" go run ./cmd/binaries
	@cd e2e && $(compile) "the comparison" ./admissionbench
	@cd e2e && go build -o ../bin/admissionbench ./admissionbench && $(phase) "admission compared" ../bin/admissionbench

.PHONY: bench-footprint
bench-footprint: ## Have 5,000 workloads sized, and say what each part used
	@cd e2e && $(phase) "control plane and Prometheus" go run ./cmd/binaries
	@cd e2e && $(compile) "the crowd" ./footprint
	@cd e2e && go build -o ../bin/footprint ./footprint && $(phase) "5,000 workloads" ../bin/footprint

##@ Ship
.PHONY: build
build: ## Build bin/loadline, and link it as the kubectl plugin bin/kubectl-loadline, and as what completes that
	@$(compile) loadline ./cmd/loadline
	@go build -o bin/ ./cmd/loadline
	@ln -sf loadline bin/kubectl-loadline
	@ln -sf loadline bin/kubectl_complete-loadline

.PHONY: install
install: build ## Install loadline, and it as a plugin of kubectl, into BINDIR
	@mkdir -p "$(BINDIR)"
	@install -m 0755 bin/loadline "$(BINDIR)/loadline"
	@ln -sf loadline "$(BINDIR)/kubectl-loadline"
	@ln -sf loadline "$(BINDIR)/kubectl_complete-loadline"
	@echo "$(BINDIR)/loadline; with $(BINDIR) in your PATH, kubectl loadline is the same"

.PHONY: image
image: ## Build the container image with docker or podman
	@engine=$$(command -v docker || command -v podman) || { echo "make image needs docker or podman" >&2; exit 1; }; \
	"$$engine" build --tag $(IMAGE) \
		--build-arg VERSION="$$(git describe --tags --always --dirty)" --build-arg COMMIT="$$(git rev-parse HEAD)" .

.PHONY: image-tar
image-tar: ## Build the container image without docker, as dist/loadline.tar, for linux/ARCH
	@cd e2e && go build -o ../bin/image ./cmd/image
	@$(phase) "the image" bin/image -root . -name $(IMAGE) $(if $(ARCH),-arch $(ARCH)) -out dist/loadline.tar
