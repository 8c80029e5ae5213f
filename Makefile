# `make` alone lists what there is. Everything installs itself into .venv first; nothing else on
# the machine is touched. ARGS reaches the command: `make test ARGS="-k acknowledge"`.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run demo test faults e2e image clients rules chaos bench bench-peers lint types contracts check format migration constraints secrets install
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Variables of the command line, such as NTFY_TOPIC, are in the environment of what is run.
run: $(INSTALLED) ## run everything here; NTFY_TOPIC=… or EMAIL=… sends pages to you
	@exec $(BIN)/incident-service dev $(ARGS)

demo: $(INSTALLED) ## fire at the running service and follow what happens
	@exec $(BIN)/incident-service demo $(ARGS)

test: $(INSTALLED) ## run the tests, on a real PostgreSQL and Valkey
	$(BIN)/pytest $(ARGS)

faults: $(INSTALLED) ## run the tests that kill processes and take servers away
	@command -v pgbouncer > /dev/null || test -x /usr/sbin/pgbouncer || { \
	  echo "PgBouncer is needed: install the package pgbouncer." >&2; exit 1; }
	$(BIN)/pytest -m faults $(ARGS)

e2e: $(INSTALLED) ## run the tests that drive a real Alertmanager, and the demo
	@command -v prometheus-alertmanager > /dev/null || command -v alertmanager > /dev/null || { \
	  echo "Alertmanager is needed: install the package prometheus-alertmanager." >&2; exit 1; }
	$(BIN)/pytest -m e2e $(ARGS)

image: $(INSTALLED) ## follow the Dockerfile without Docker and try the commands of its image
	$(BIN)/pytest -m image -n 0 $(ARGS)

clients: $(INSTALLED) .venv-clients/.installed tests/clients/typescript/node_modules ## generate clients in Python and TypeScript, and use them
	$(BIN)/pytest -m clients -n 0 $(ARGS)

.venv-clients/.installed: tests/clients/python/requirements.txt
	@python=$$(sh scripts/find-python); "$$python" -m venv --clear .venv-clients
	@.venv-clients/bin/pip install --quiet --requirement $<
	@touch $@

tests/clients/typescript/node_modules: tests/clients/typescript/package-lock.json
	@command -v npm > /dev/null || { \
	  echo "npm is needed: install Node.js 20 or later with npm." >&2; exit 1; }
	@npm ci --silent --no-audit --no-fund --prefix tests/clients/typescript
	@touch $@

rules: ## check and test the alert rules and the example configurations in monitoring/
	@command -v promtool > /dev/null || { \
	  echo "promtool is needed: install the package prometheus." >&2; exit 1; }
	@command -v amtool > /dev/null || { \
	  echo "amtool is needed: install the package prometheus-alertmanager." >&2; exit 1; }
	promtool check rules monitoring/rules.yml
	promtool test rules monitoring/rules.test.yml
	promtool check config monitoring/prometheus.yml
	amtool check-config monitoring/alertmanager.yml

chaos: $(INSTALLED) ## break a running service at random, under load: ARGS="--seconds 600 --seed 1"
	$(BIN)/python -m benchmarks.chaos $(ARGS)

bench: $(INSTALLED) ## measure how fast webhooks are taken, next to what else could take them
	$(BIN)/python -m benchmarks.ingest $(ARGS)

bench-peers: ## install Alerta into .venv-peers, for `make bench` to compare with
	@python=$$(sh scripts/find-python); "$$python" -m venv .venv-peers
	.venv-peers/bin/pip install --quiet 'alerta-server==9.1.0' 'gunicorn==27.0.1' 'psycopg2-binary==2.9.13'

lint: $(INSTALLED) ## look for mistakes, and for code that is not formatted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED) ## format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(INSTALLED) ## check the types
	$(BIN)/mypy

contracts: $(INSTALLED) ## check who imports whom
	$(BIN)/lint-imports

check: lint types contracts test ## all of it, as before a commit

migration: $(INSTALLED) ## write a migration for changed models: make migration m="add incident title"
	@test -n "$(m)" || { echo 'Say what it does: make migration m="add incident title"' >&2; exit 1; }
	$(BIN)/python scripts/make_migration.py "$(m)"

# In an environment of its own, so that nothing gets in that the project does not ask for.
# Before Python 3.11.3, clients of Redis ask for async-timeout; later ones would not list it.
constraints: ## renew constraints.txt with the newest releases that pyproject.toml allows
	@set -eu; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	python=$$(sh scripts/find-python); "$$python" -m venv "$$fresh"; \
	"$$fresh/bin/pip" install --quiet '.[embedded,otel,dev]' async-timeout; \
	"$$fresh/bin/pip" freeze --exclude incident-service > "$$fresh/frozen"; \
	cp "$$fresh/frozen" constraints.txt

secrets: ## write the passwords that docker-compose.yml asks for, once
	@sh scripts/make-secrets

install: $(INSTALLED) ## install into .venv, without running anything

# An environment whose Python has moved away is made anew.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -c '' 2> /dev/null || { \
	  python=$$(sh scripts/find-python) && "$$python" -m venv --clear $(VENV); }
	@echo "Installing into $(VENV); the first time takes about half a minute."
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[embedded,otel,dev]'
	@touch $@
