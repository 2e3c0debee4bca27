# eksact: build, test, run. `make help` lists the targets.
#
# Everything is built with the same flags (GOFLAGS below), so that building,
# vetting and testing share one build cache: Kubernetes is compiled once, which
# takes ten minutes on two cores; after that a change of ours takes seconds.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export GOFLAGS := -trimpath
export CGO_ENABLED := 0
GO ?= go

# ARCH is the architecture to build for, OUT where the programs go.
ARCH ?= $(shell $(GO) env GOARCH)
OUT ?= bin

# ---- Versions ---------------------------------------------------------------
# The components report v1.37.2-eks-1a2b3c4, as EKS's do: upstream's release,
# then seven digits that name what it was built from. Here they are a digest of
# our sources for it and of the modules' versions, so that they change only when
# the program does. It reports no build time: the date is that of the last
# commit of those sources, or SOURCE_DATE_EPOCH.

KUBE_SOURCES := $(shell find cmd/eksact-kube -name '*.go' ! -name '*_test.go' | LC_ALL=C sort)
module_version = $(shell awk '$$1 == "$(1)" {print $$2; exit}' go.mod)
KUBE_VERSION := $(call module_version,k8s.io/kubernetes)
KUBE_MINOR := $(word 2,$(subst ., ,$(KUBE_VERSION)))
CONTAINERD_MODULE := github.com/containerd/containerd/v2
CONTAINERD_VERSION := $(call module_version,$(CONTAINERD_MODULE))
SOURCE_ID := $(shell { cat $(KUBE_SOURCES); grep -E '^[[:space:]](k8s\.io|go\.etcd\.io|github\.com/containerd)/' go.mod; } | sha1sum | cut -c1-40)
KUBE_GIT_VERSION := $(KUBE_VERSION)-eks-$(shell echo $(SOURCE_ID) | cut -c1-7)
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct -- cmd/eksact-kube go.mod 2>/dev/null),0)
BUILD_DATE := $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),unversioned)

kube_version_flags = -X $(1).gitVersion=$(KUBE_GIT_VERSION) -X $(1).gitMajor=1 -X $(1).gitMinor=$(KUBE_MINOR) \
	-X $(1).gitCommit=$(SOURCE_ID) -X $(1).gitTreeState=clean -X $(1).buildDate=$(BUILD_DATE)
KUBE_LDFLAGS := -s -w \
	$(call kube_version_flags,k8s.io/component-base/version) \
	$(call kube_version_flags,k8s.io/client-go/pkg/version) \
	-X $(CONTAINERD_MODULE)/version.Version=$(CONTAINERD_VERSION)+eksact \
	-X go.etcd.io/etcd/api/v3/version.GitSHA=eksact
LDFLAGS := -s -w -X github.com/eksact/eksact/internal/version.Version=$(VERSION) \
	-X github.com/eksact/eksact/internal/version.Kubernetes=$(KUBE_GIT_VERSION) \
	-X $(CONTAINERD_MODULE)/version.Version=$(CONTAINERD_VERSION)+eksact

# -buildvcs=false: the commit is in the version; stamped by Go it would relink
# every program at every commit.
build_program = GOOS=linux GOARCH=$(ARCH) $(GO) build -buildvcs=false -ldflags "$(1)" -o $(2) $(3)

# ---- Build ------------------------------------------------------------------

KUBE_NAMES := containerd etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet
NODE_NAMES := eksact-cni eksact-credential

.PHONY: build programs images
build: programs images ## build all programs and the system images into bin/
programs: $(OUT)/eksact $(OUT)/eksact-node $(OUT)/eksact-kube $(OUT)/kubectl $(OUT)/coredns $(OUT)/metrics-server $(OUT)/pause
images: $(OUT)/images/.made

.PHONY: FORCE
FORCE:

# Ours link in seconds: Go itself decides whether anything changed.
$(OUT)/eksact: FORCE
	@$(call build_program,$(LDFLAGS),$@,./cmd/eksact)

$(OUT)/eksact-node: FORCE
	@$(call build_program,$(LDFLAGS),$@,./cmd/eksact-node)
	@for n in $(NODE_NAMES); do ln -sfn eksact-node $(OUT)/$$n; done
	@ln -f $@ $(OUT)/containerd-shim-runc-v2 # a hard link: see internal/programs

# Upstream's link in half a minute: only when their sources, the modules or this
# file changed.
$(OUT)/eksact-kube: $(KUBE_SOURCES) go.mod Makefile
	@echo "linking $@ (Kubernetes $(KUBE_GIT_VERSION); the first time it compiles for ten minutes)"
	@$(call build_program,$(KUBE_LDFLAGS),$@,./cmd/eksact-kube)
	@touch $@
	@for n in $(KUBE_NAMES); do ln -sfn eksact-kube $(OUT)/$$n; done

$(OUT)/kubectl: $(wildcard cmd/kubectl/*.go) go.mod Makefile
	@$(call build_program,$(KUBE_LDFLAGS),$@,./cmd/kubectl)
	@touch $@

$(OUT)/coredns: $(wildcard cmd/coredns/*.go) go.mod Makefile
	@$(call build_program,-s -w,$@,./cmd/coredns)
	@touch $@

$(OUT)/metrics-server: $(wildcard cmd/metrics-server/*.go) go.mod Makefile
	@$(call build_program,$(KUBE_LDFLAGS),$@,./cmd/metrics-server)
	@touch $@

$(OUT)/pause: FORCE
	@[ ! -L $@ ] || rm $@
	@$(call build_program,-s -w,$@,./cmd/pause)

# go build refreshes a program's time even when it need not link it anew, so
# that what the images are made of is compared by content.
$(OUT)/images/.made: $(OUT)/pause $(OUT)/coredns $(OUT)/metrics-server $(wildcard internal/images/*.go internal/images/build/*.go internal/images/cmd/system/*.go)
	@sum=$$(cat $^ | sha256sum); \
	if [ "$$(cat $@ 2>/dev/null)" != "$$sum" ]; then \
		$(GO) run ./internal/images/cmd/system -dir $(OUT) -arch $(ARCH); \
		echo "$$sum" >$@; \
	fi

# ---- Run --------------------------------------------------------------------

.PHONY: deps deps-test up down
deps: ## install the Debian packages that running needs, if any is missing (root)
	@scripts/deps run

deps-test: ## the same for testing
	@scripts/deps run test

up: deps build ## build, start the workshop's cluster and prove its controls (root)
	$(OUT)/eksact up --hosts
	$(OUT)/eksact verify

down: ## stop everything and remove it (root)
	$(OUT)/eksact down

# ---- Test -------------------------------------------------------------------

.PHONY: test test-unit test-race test-integration lint fmt-check bench bench-policy bench-logs bench-netpol bench-identity
test: deps-test build lint test-unit test-integration ## everything: lint, unit and integration tests (root)
	@echo "== all passed"

test-unit: ## tests that need neither root nor a cluster
	@echo "== unit tests"
	@$(GO) test ./...

test-race: ## our packages with the race detector, which takes a C compiler and a while
	@CGO_ENABLED=1 $(GO) test -race -timeout 60m ./internal/...

# One package at a time: they share the machine's network and cgroups.
test-integration: build conformance-programs ## the workshop and the failures, on real clusters (root)
	@echo "== beside other implementations"
	@for m in matcher clusterpolicy; do (cd test/conformance/$$m && $(GO) test ./...); done
	@echo "== integration tests"
	@notes=$$(mktemp); status=0; \
	EKSACT_INTEGRATION=1 EKSACT_PROGRAMS=$(abspath $(OUT)) EKSACT_NOTES=$$notes \
		$(GO) test -p 1 -count=1 -timeout 60m ./test/... ./internal/guard/... || status=$$?; \
	cat $$notes; rm -f $$notes; exit $$status

# Suites of others are modules of their own: cyclonus with its own versions, Kubernetes'
# tests with those of the module above.
.PHONY: conformance conformance-programs
conformance: build conformance-programs ## NetworkPolicy: cyclonus, Kubernetes' own tests, the leak loop; half an hour (root)
	@cd test/conformance/cyclonus && $(GO) test ./...
	@EKSACT_INTEGRATION=1 EKSACT_CONFORMANCE=whole EKSACT_PROGRAMS=$(abspath $(OUT)) $(GO) test -v -count=1 -timeout 3h ./test/conformance

conformance-programs:
	@cd test/conformance/cyclonus && $(GO) build -o $(abspath $(OUT))/conformance/cyclonus . && \
		$(GO) build -ldflags "-s -w" -o $(abspath $(OUT))/conformance/worker ./worker
	@cd test/conformance/upstream && $(GO) build -mod=mod -ldflags "-s -w" -o $(abspath $(OUT))/conformance/e2e ./e2e && \
		$(GO) build -mod=mod -ldflags "-s -w" -o $(abspath $(OUT))/conformance/agnhost k8s.io/kubernetes/test/images/agnhost
	@$(GO) build -ldflags "-s -w" -o $(OUT)/conformance/probe ./test/conformance/leak/probe
	@$(GO) build -o $(OUT)/conformance/leak ./test/conformance/leak

lint: fmt-check ## gofmt, go vet, staticcheck
	@echo "== go vet"
	@$(GO) vet ./...
	@echo "== staticcheck"
	@$(GO) tool staticcheck ./...

fmt-check: ## fail if a file is not formatted
	@echo "== gofmt"
	@unformatted=$$(gofmt -l cmd internal tools $(wildcard test bench)); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w on them):"; echo "$$unformatted"; exit 1; fi

bench: build ## benchmarks of what needs no cluster, on standard output (bench/start has a cluster's start)
	@$(GO) test -run '^$$' -bench . -benchmem ./internal/... | grep -v 'no test files'
	@$(GO) run ./bench/tokenreview
	@$(GO) run ./bench/frontdoor

# A module of its own, for some of the peers are AGPL; -mod=mod because its versions
# follow those of the module above. moto is a peer too where it is installed.
bench-policy: ## IAM decisions beside other evaluators, on standard output; fetches them
	@cd bench/policy && { ! command -v npm >/dev/null || npm ci --silent --no-audit --no-fund; } && $(GO) run -mod=mod .

# A module of its own, too, for DuckDB is C++ (g++ links it). Cold takes root; EVENTS are a
# million, ONLY names the stores to run ("eksact"). ripgrep and jq run where installed.
bench-logs: ## audit logs in this store and others, on standard output; fetches them
	@cd bench/logs && CGO_ENABLED=1 $(GO) run -mod=mod . -events $(or $(EVENTS),1000000) -only '$(ONLY)'

bench-netpol: build ## NetworkPolicy beside two other engines, on standard output; fetches them (root)
	@scripts/bench-netpol

bench-identity: build ## credentials of pods, and the webhook that pods pass, with a real API server (root)
	@EKSACT_PROGRAMS=$(abspath $(OUT)) $(GO) test ./test/irsa -count=1 -run '^$$' -bench Identities -benchtime 3s | grep -E 'calls/s|FAIL'
	@EKSACT_PROGRAMS=$(abspath $(OUT)) $(GO) test ./test/irsa -count=1 -v -run '^$$' -bench Webhook -benchtime 3000x | grep -E 'p50: |sees it|FAIL'

# ---- Release ----------------------------------------------------------------
# One file for each architecture, with the other programs and the images inside.

.PHONY: release release-one clean help
release: ## dist/eksact-linux-amd64 and dist/eksact-linux-arm64
	@$(MAKE) release-one ARCH=amd64
	@$(MAKE) release-one ARCH=arm64
	@cd dist && sha256sum eksact-linux-* | tee SHA256SUMS

release-one:
	@echo "== release for $(ARCH)"
	@$(MAKE) $(addprefix dist/stage/$(ARCH)/,pause eksact-node eksact-kube kubectl coredns metrics-server images/.made) OUT=dist/stage/$(ARCH) ARCH=$(ARCH)
	@$(GO) run ./internal/programs/cmd/pack -dir dist/stage/$(ARCH) -o internal/programs/payload/$(ARCH)
	@GOOS=linux GOARCH=$(ARCH) $(GO) build -buildvcs=false -tags release -ldflags "$(LDFLAGS)" -o dist/eksact-linux-$(ARCH) ./cmd/eksact

clean: ## remove what was built
	rm -rf bin dist internal/programs/payload

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
