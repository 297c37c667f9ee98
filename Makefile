# What people run, and what CI runs. TEST_DATA may name a folder of recorded trips (traces/) and hostile texts (text/);
# without it the tests make do with what they carry themselves. FUZZPKGS and FUZZTIME say what is fuzzed, and for how long;
# RUNS how often several servers are led through faults, SEED with which seed, where it is to be one that was told before.
# MINUTES how long the long benchmark takes on each database.
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.8.0
GOTESTSUM_VERSION := v1.13.0
TOOLS := $(CURDIR)/.tools
LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
VULN := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
GOTESTSUM := $(TOOLS)/gotestsum-$(GOTESTSUM_VERSION)
# Of a few tests that fail each is run once more by itself, and the summary names it: see CONTRIBUTING.md. No race is forgiven.
GOTEST := $(GOTESTSUM) --format pkgname --rerun-fails=1 --rerun-fails-max-failures=4 --rerun-fails-abort-on-data-race
FUZZPKGS ?= ./...
FUZZTIME ?= 60s
RUNS ?= 10
MINUTES ?= 30

.PHONY: help run test test-go test-node test-deploy release lint vuln bench bench-long fuzz soak soak-realtime soak-crash soak-hostile soak-cluster soak-sync build clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST)

run: ## serve the demo
	go run ./cmd/server -demo

build: ## build bin/server
	go build -trimpath -o bin/server ./cmd/server

test: lint test-go test-clients test-deploy vuln ## everything CI runs; installs what it needs

test-go: $(GOTESTSUM) ## vet and Go tests, with the race detector; the whole program on both engines, and on three nodes behind HAProxy
	go vet ./...
	$(GOTEST) --packages=./... -- -race -timeout 45m
	go test -v -run '^TestEngine$$' ./internal/realtime/zishang520 # lists what it is excepted from
	ROLECALL_ENGINE=zishang520 $(GOTEST) --packages=./test/e2e -- -race -timeout 45m
	TEST_NODES=3 $(GOTEST) --packages=./test/e2e -- -race -timeout 45m

test-clients: ## the official Socket.IO client and one in Python, on one node and on three, and a browser against the real program
	./test/clients.sh

test-deploy: ## what is in deploy/, with real proxies, systemd's checks, Helm, and the steps of the Dockerfile
	./test/deploy/run.sh

.PHONY: vendor-admin-ui
vendor-admin-ui: ## the files of the official Socket.IO Admin UI anew, with its fonts and icons, from npm
	./web/adminui/vendor.sh

release: ## archives, lists of what is in them, and checksums of VERSION, into dist
	./deploy/release.sh $(VERSION)

lint: $(LINT) ## golangci-lint
	$(LINT) run ./...

vuln: $(VULN) ## govulncheck, where its database can be reached
	./test/vuln.sh $(VULN)

bench: ## benchmarks with allocations, then the product beside other servers (writes docs/benchmarks.md)
	go test -run '^$$' -bench . -benchmem ./...
	go run ./bench

bench-long: ## mixed load on one node for MINUTES, on each database: whether anything grows (its section of docs/benchmarks.md)
	go run ./bench -scenario long -minutes $(MINUTES)

soak: soak-realtime soak-counts soak-models soak-crash soak-hostile soak-cluster soak-sync soak-adminui soak-attachments ## the hard tests in their whole size, more than an hour

soak-realtime: $(GOTESTSUM) ## those of the realtime layer, some minutes
	SOAK=1 $(GOTEST) --packages=./internal/realtime/native/soak -- -race -count=1 -timeout 30m

soak-hostile: ## attacks on a server with much in it, beside the measured business of others, ten minutes
	SOAK=1 go test -v -count=1 -timeout 60m ./test/hostile

soak-counts: ## unread messages and mentions of 100,000 operations against a recount, on each database, ten minutes
	SOAK=1 go test -v -count=1 -timeout 60m -run TestContract/rooms/what_is_unread ./internal/store/sqlite ./internal/store/postgres/chatstore

.PHONY: soak-models
soak-models: ## every store against its models, in their whole number of runs, a quarter of an hour
	SOAK=1 go test -race -count=1 -timeout 60m -run TestContract ./internal/store/sqlite ./internal/store/postgres/...

soak-crash: ## a thousand kills of a server under load
	SOAK=1 go test -count=1 -timeout 60m -v -run TestNothingAcknowledgedIsLostToKills ./test/e2e

soak-cluster: ## three servers, 200 people and five faults, RUNS times over with a seed each, twenty minutes
	SOAK=1 go test -race -v -count=$(RUNS) -failfast -timeout 60m -run TestWhatWasPromisedHoldsThroughFaults ./test/cluster

soak-sync: ## three servers, 200 people who change what was said, and kills, RUNS times over with a seed each, twenty minutes
	SOAK=1 go test -race -v -count=$(RUNS) -failfast -timeout 60m -run TestSyncedRoomsEqualTheStore ./test/cluster

soak-rolling: ## three nodes behind HAProxy, rolled under 3,000 connections, two minutes
	SOAK=1 go test -v -count=1 -timeout 15m ./test/rolling

.PHONY: soak-attachments
soak-attachments: ## 200 attachments of 5 MB at once, and a hundred kills in the middle of some; three minutes
	SOAK=1 go test -count=1 -timeout 20m -v -run 'TestManyAttachmentsAtOnce|TestKillsLeaveNoAttachmentBehind' ./test/e2e

.PHONY: bench-rooms
bench-rooms: ## a room of a million messages beside one of a thousand, and the list of somebody in 5,000, on each database; ten minutes
	SOAK=1 go test -count=1 -timeout 30m -v ./test/bigrooms
	SOAK=1 TEST_DATABASE=postgres go test -count=1 -timeout 30m -v ./test/bigrooms

.PHONY: soak-adminui
soak-adminui: ## what an admin at the Admin UI costs with 10,000 sockets, on a machine that does nothing else; two minutes
	SOAK=1 go test -count=1 -timeout 10m -v -run TestAdminUICost ./test/e2e

fuzz: ## every fuzz target of FUZZPKGS, one after the other, for FUZZTIME each
	./test/fuzz.sh $(FUZZTIME) $(FUZZPKGS)

$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TOOLS)/golangci-lint $@

$(GOTESTSUM):
	GOBIN=$(TOOLS) go install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	mv $(TOOLS)/gotestsum $@

$(VULN):
	GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	mv $(TOOLS)/govulncheck $@

clean: ## remove what was built
	rm -rf bin .tools
