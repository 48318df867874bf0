# Every command of daily work. `make` alone prints the list.
SHELL := /bin/sh
GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod
BIN = bin/stackforge
PACKAGES = ./...

.DEFAULT_GOAL := help
.PHONY: help
help: ## Print this list.
	@grep -hE '^[a-z/]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 16

.PHONY: run
run: setup build ## Run API and worker on a private PostgreSQL in .data (or on DATABASE_URL): migrated, seeded, ready.
	@$(BIN) serve --embedded --worker --migrate --seed

.PHONY: setup
setup: ## Install PostgreSQL and its extensions where they are missing (Debian, Ubuntu); does nothing with DATABASE_URL.
	@if [ -z "$$DATABASE_URL" ]; then scripts/setup; fi

.PHONY: build
build: ## Compile the program to bin/stackforge.
	@$(GO) build -trimpath -o $(BIN) .

.PHONY: api worker migrate seed
api: build ## Run the API alone (needs DATABASE_URL).
	@$(BIN) serve
worker: build ## Run a worker alone (needs DATABASE_URL, or a running `make run`).
	@$(BIN) worker
migrate: build ## Bring the database to the state of migrations/.
	@$(BIN) migrate
seed: build ## Load the demonstration data.
	@$(BIN) seed

.PHONY: demo
demo: build ## Import Debian's package index into the server that `make run` runs, and search it.
	@STACKFORGE_BIN=$(BIN) scripts/demo

.PHONY: test test/unit test/race test/bare
test: ## Run all tests on a PostgreSQL of their own, with its extensions and then with contrib only.
	@scripts/setup
	@$(GO) run ./db/dbtest/serve -- $(GO) test $(PACKAGES)
	@$(GO) run ./db/dbtest/serve -lane bare -- $(GO) test $(PACKAGES)
test/unit: ## Run the tests that need no database.
	@$(GO) test -short $(PACKAGES)
test/race: ## Run all tests with the race detector.
	@$(GO) run ./db/dbtest/serve -- $(GO) test -race $(PACKAGES)
test/bare: ## Run all tests with contrib extensions only.
	@$(GO) run ./db/dbtest/serve -lane bare -- $(GO) test $(PACKAGES)

.PHONY: workflows
workflows: ## Run the acceptance scripts of workflows/ against the program, over REST and over GraphQL.
	@scripts/setup
	@$(GO) run ./db/dbtest/serve -- $(GO) test -count=1 -v -run TestWorkflows ./workflows
	@$(GO) run ./db/dbtest/serve -lane bare -- $(GO) test -count=1 -run TestWorkflows ./workflows

.PHONY: fuzz/rest
fuzz/rest: build ## Send generated requests to every REST operation and check the answers (needs Python; EXAMPLES=30).
	@scripts/fuzz-rest $(EXAMPLES)

.PHONY: bench
bench: build ## Measure, each figure beside a peer or a limit of the same run.
	@$(GO) run ./bench

.PHONY: relevance
relevance: ## Measure how well each mode of search ranks a judged set; fails below the floors.
	@$(GO) run ./relevance -check

.PHONY: generate generate/check
generate: ## Make graph/, schema.sql, .env.example and the configuration page again.
	@rm -f graph/generated.go graph/direct.go graph/model/models_gen.go
	@$(GO) -C tools run ./graphgen
	@$(GO) run ./db/dbtest/serve -- $(GO) run ./db/dbtest/schemadump migrations/schema.sql
	@$(GO) generate ./config
generate/check: generate ## Fail when generated files are stale.
	@git diff --exit-code -- graph migrations/schema.sql .env.example docs/configuration.md

.PHONY: fmt lint vuln
fmt: ## Format the code.
	@$(TOOL) golangci-lint fmt
lint: ## Check the code, the layers included.
	@$(TOOL) golangci-lint run
vuln: ## Look for known vulnerabilities (needs the Go vulnerability database).
	@$(TOOL) govulncheck $(PACKAGES)

.PHONY: playground
playground: ## Build the playground's page again (needs Node).
	@cd playground/web && npm ci && npm run build

.PHONY: check
check: ## Everything CI does, in the same order.
	@bash .ci/run
