GO ?= go

.PHONY: test test-all bench screenshots lint deps

# Runs every test with a private PostgreSQL and Redis; lists at the end what this machine could not test.
test: lint-vet
	$(GO) run ./internal/testenv/testrun $(GO) test -timeout 30m -parallel 3 ./...

# The same with the race detector, every chat on every database, a larger crowd of jobs and longer fuzzing.
test-all: lint
	SIGNALBOX_TEST_ALL=1 $(GO) run ./internal/testenv/testrun $(GO) test -race -timeout 60m ./...
	SIGNALBOX_TEST_CROWD=1 $(GO) run ./internal/testenv/testrun $(GO) test -timeout 20m ./... -run 'TestACrowdFinishesAtTheSameMoment|TestALargeReply'
	$(GO) test ./ci/config/yaml -run '^$$' -fuzz FuzzParse -fuzztime 60s
	$(GO) test ./ci/expression -run '^$$' -fuzz FuzzParse -fuzztime 60s
	$(GO) test ./ci/config -run '^$$' -fuzz FuzzLoad -fuzztime 60s
	$(GO) test ./ci/config -run '^$$' -fuzz FuzzInterpolate -fuzztime 60s
	$(GO) test ./ci/plan -run '^$$' -fuzz FuzzGlob -fuzztime 60s

lint-vet:
	$(GO) vet ./...

lint: lint-vet
	$(GO) tool staticcheck ./...
	@test -z "$$($(GO) tool gofumpt -l .)" || { echo "not formatted:"; $(GO) tool gofumpt -l .; exit 1; }

bench:
	$(GO) run ./internal/testenv/testrun --durable $(GO) test ./bench -run '^$$' -bench . -benchtime 1x -timeout 20m -v

# Pictures of all pages, in light, dark and on a phone, in the folder screenshots.
screenshots:
	mkdir -p screenshots
	SIGNALBOX_SCREENSHOTS=$(CURDIR)/screenshots $(GO) run ./internal/testenv/testrun $(GO) test -timeout 20m ./... -count=1 -run 'TestFirstSteps|Browser'

# Installs what the tests need from Debian's packages. Needs root.
deps:
	./.ci/deps
