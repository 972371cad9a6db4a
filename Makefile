# Waybill. `make` lists what can be done.
GO ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BUF := github.com/bufbuild/buf/cmd/buf@v1.75.0
FUZZTIME ?= 5s
ORDERS ?= 10000
# So long may the tests of one package take: on a busy machine they take ten times what they take at rest.
TIMEOUT ?= 30m
# One way to build for every target (but the race detector, which needs cgo), and no folder's name in what is built: what one target
# has built is not built again for the next one, nor in another clone.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -trimpath)

CHAOS_ORDERS := $(if $(filter file,$(origin ORDERS)),2000,$(ORDERS))
SEED ?= 1

PLUGINS := $(notdir $(patsubst %/,%,$(wildcard plugins/*/)))

.PHONY: help build test race lint arrows generate verify fuzz failpoints bench chaos chaosproof recovery demo clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

demo: build ## the whole story of a few orders against simulated carriers, in seconds
	@bin/waybill demo

build: ## bin/waybill and bin/plugins/waybill-carrier-*
	@mkdir -p bin/plugins
	$(GO) build -o bin/waybill ./cmd/waybill
	@set -e; for p in $(PLUGINS); do echo "$(GO) build -o bin/plugins/waybill-carrier-$$p ./plugins/$$p"; \
		$(GO) build -o bin/plugins/waybill-carrier-$$p ./plugins/$$p; done

# Vet is lint's: it would look at every package here again.
test: build ## every test, those of the examples too
	$(GO) test -vet=off -timeout $(TIMEOUT) ./...
	cd examples/hello-carrier && $(GO) test -timeout $(TIMEOUT) ./...
	cd examples/webhook-receiver && $(GO) test -timeout $(TIMEOUT) ./...

# Properties hold or not without the race detector too, which makes each case ten times as dear: here a few show what they share.
race: build ## the tests under the race detector
	CGO_ENABLED=1 RAPID_CHECKS=$${RAPID_CHECKS:-20} $(GO) test -vet=off -race -timeout $(TIMEOUT) ./...

lint: ## formatting, vet, staticcheck, and the clock rule
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@bad=$$(git grep -nE '\btime\.(Now|Sleep|After|NewTimer|NewTicker|Tick|AfterFunc|Since|Until)\(' -- 'core/*.go' 'simulator/*.go' \
		':!*_test.go' ':!core/clock/*' ':!core/carrierhost/*' ':!simulator/clock.go' | grep -v '//wallclock:'); \
		test -z "$$bad" || { echo "$$bad"; echo "core and simulator read time from the injected clock (a line that must not says //wallclock: why)"; exit 1; }

arrows: ## fail when an import points the wrong way (the table is in cmd/waybill/arrows_test.go)
	$(GO) test -count=1 -run '^TestArrows' ./cmd/waybill

generate: ## write generated code again
	cd sdk/proto && $(GO) run $(BUF) generate

verify: generate ## fail when generated code or go.mod is not what it should be
	$(GO) mod tidy -diff
	@test -z "$$(git status --porcelain -- sdk/internal sdk/proto)" || { git status --porcelain; git diff -- sdk | head -50; echo "generated code differs: run make generate and commit"; exit 1; }

# Each package's test binary is built once, with the fuzzer's instrumentation, and run for each of its targets in the package's folder;
# what the fuzzer learns stays where `go test -fuzz` keeps it. The fuzzer at times takes the end of its time for a failure of the target
# ("context deadline exceeded", no failing input): such a target is tried again, up to four times, with more of it.
fuzz: ## every fuzz target for FUZZTIME (default 5s)
	@set -e; bin=$$(mktemp -d); trap 'rm -rf "$$bin"' EXIT; corpus=$$($(GO) env GOCACHE)/fuzz/$$($(GO) list -m); \
	try() { (cd $$1 && "$$bin/fuzz.test" -test.run '^$$' -test.fuzz "^$$2$$" -test.fuzztime $$3 -test.fuzzminimizetime 1x \
		-test.fuzzcachedir "$$corpus/$$1" 2>&1); }; \
	for d in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		$(GO) test -c -fuzz=. -o "$$bin/fuzz.test" ./$$d; \
		for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$d/*_test.go); do echo "== $$d $$t"; \
			again=0; until out=$$(try $$d $$t $$([ $$again = 0 ] && echo $(FUZZTIME) || echo 10s)); do echo "$$out"; again=$$((again + 1)); \
				case "$$out" in *"Failing input"*) exit 1;; *"context deadline exceeded"*) [ $$again -le 4 ];; *) exit 1;; esac; done; \
			echo "$$out" | tail -2; done; done

failpoints: ## the tests of the failpoints, in a build that has them
	$(GO) vet -tags failpoint ./core/failpoint/... ./cmd/waybill
	$(GO) test -tags failpoint ./core/failpoint/...
	$(GO) test -tags failpoint -run '^TestTargets' ./cmd/waybill

bench: build ## what it costs, each figure beside its floor
	bin/waybill bench --orders $(ORDERS)
	bin/waybill bench reload
	bin/waybill bench trackers
	bin/waybill bench webhooks
	bin/waybill bench rules

chaos: build ## kill everything while ORDERS orders (default 2000) are dispatched; prove that nothing was lost, bought twice or left untold
	$(GO) build -tags failpoint -o bin/waybill-chaos ./cmd/waybill
	bin/waybill-chaos chaos --orders $(CHAOS_ORDERS) --seed $(SEED)

chaosproof: build ## take away one safeguard of dispatch after the other, and require chaos to see it; and to see nothing where none is missing
	WAYBILL_CHAOS_PROOF=1 $(GO) test ./cmd/waybill -run '^TestChaosSeesWhatIsMissing$$' -count 1 -v -timeout 60m

recovery: build ## kill a process with a store of 100,000 finished orders and 500 in flight; hold the next start to 2 s of a processor and 20 s on the clock, and see the 500 reach their end
	WAYBILL_RECOVERY_FINISHED=100000 WAYBILL_RECOVERY_INFLIGHT=500 $(GO) test ./cmd/waybill -run '^TestRecovery$$' -count 1 -v -timeout 10m

clean: ## remove what build made
	rm -rf bin
