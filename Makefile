# citycode: `make help` lists what can be done here.
# Go, Node 20.19+, git and make are enough to build and to run the demo;
# `make test` installs what else the tests need (scripts/setup).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
FUZZTIME    ?= 30s
DATA        ?= .data
NPM         := npm --prefix web --silent

# One PostgreSQL cluster for all packages' tests, gone when they end.
WITH_POSTGRES := go run ./internal/db/dbtest/withpostgres

# Stamps lie in node_modules, so that removing it builds all again.
INSTALLED   := web/node_modules/.citycode-installed
PAGES       := web/node_modules/.citycode-pages
WEB_SOURCES := $(shell find web -mindepth 1 \( -path web/node_modules -o -path web/dist \) -prune -o -print)

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Build all and run a city of invented people on http://127.0.0.1:8080 (ARGS="--lan" for two real phones)
	@echo 'Starting the demo: invented people, nothing to set up. Stop it with Ctrl-C.'
	@exec bin/citycode demo $(ARGS)

.PHONY: serve
serve: build ## Run as in production, with SQLite in DATA=.data (docs/operate.md says how to run it for real)
	@mkdir -p -m 0700 $(DATA)
	@exec bin/citycode serve --data $(DATA) $(ARGS)

.PHONY: build
build: tools $(PAGES) ## Build the pages and bin/citycode, one file that holds both
	@echo 'Building bin/citycode'
	@CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/citycode ./cmd/citycode

.PHONY: tools
tools:
	@scripts/setup --tools

$(INSTALLED): web/package-lock.json
	@echo 'Installing the page builder (npm ci, about half a minute the first time)'
	@$(NPM) ci --no-audit --no-fund
	@touch $@

# Built pages can be deleted without their stamp: then the stamp doesn't count.
ifeq ($(wildcard web/dist/assets),)
.PHONY: $(PAGES)
endif
$(PAGES): $(INSTALLED) $(WEB_SOURCES)
	@echo 'Building the pages'
	@$(NPM) run build -- --logLevel error
	@touch $@

.PHONY: test
test: setup check test-go test-web build verify-generated e2e ## Everything that must pass before a change lands; ends with the browser tests' count

.PHONY: setup
setup: ## Install what the tests need and this machine lacks (Debian packages; nothing is started)
	@scripts/setup

.PHONY: check
check: $(INSTALLED) ## Format, vet, staticcheck, eslint, vue-tsc, and that the documents fit the code
	@echo 'Checking format'
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	  [ -z "$$unformatted" ] || { printf 'gofmt would change:\n%s\n' "$$unformatted" >&2; exit 1; }
	@echo 'Checking Go (vet, staticcheck)'
	@go vet ./...
	@go run $(STATICCHECK) ./...
	@echo 'Checking the pages (eslint, vue-tsc)'
	@$(NPM) run check
	@echo 'Checking the documents'
	@scripts/check-docs

.PHONY: test-go
test-go: ## Go tests, on SQLite and on a private PostgreSQL
	@echo 'Testing Go'
	@$(WITH_POSTGRES) go test ./...

.PHONY: test-web
test-web: $(INSTALLED) ## Unit tests of the pages
	@echo 'Testing the pages'
	@$(NPM) test

.PHONY: e2e
e2e: build ## The real program in a real browser; its last line counts the tests
	@echo 'Testing in a browser'
	@$(NPM) run e2e

.PHONY: screenshots
screenshots: build ## Make the pictures in docs/image anew
	@$(NPM) run screenshots

.PHONY: fuzz
fuzz: ## Every fuzz test for FUZZTIME=30s each
	@grep -rlE '^func Fuzz' --include='*_test.go' code internal | xargs -rn1 dirname | sort -u | while read -r dir; do \
	  grep -hoE '^func Fuzz\w+' "$$dir"/*_test.go | sed 's/^func //' | while read -r name; do \
	    echo "$$dir $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$dir"; \
	  done; \
	done

.PHONY: bench
bench: ## Benchmarks of the hot paths
	@$(WITH_POSTGRES) go test -run '^$$' -bench . -benchmem ./code/... ./internal/...

.PHONY: fault
fault: build ## kill -9 under load, twenty times on each engine, and every acknowledged scan looked for
	@CITYCODE_FAULT_KILLS=20 $(WITH_POSTGRES) go test -count=1 -timeout 60m ./test/fault/...

.PHONY: generate
generate: $(INSTALLED) ## Make the OpenAPI file and the pages' types anew
	@go run ./cmd/citycode openapi > internal/api/testdata/openapi.json.new
	@mv internal/api/testdata/openapi.json.new internal/api/testdata/openapi.json
	@$(NPM) run generate

.PHONY: verify-generated
verify-generated: $(INSTALLED) ## Fail if generated files differ from what generate makes
	@echo 'Comparing generated files'
	@go run ./cmd/citycode openapi | diff -u internal/api/testdata/openapi.json - || \
	  { echo 'internal/api/testdata/openapi.json is not what the program says: run make generate' >&2; exit 1; }
	@$(NPM) run generate -- --check || \
	  { echo "the pages' types are not what the OpenAPI file says: run make generate" >&2; exit 1; }
