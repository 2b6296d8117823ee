# The downloads of `make setup`, side by side; each is made anew when its list of versions changes.
SHELL := /bin/bash
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check

# pip runs from a folder of its own, so that no half-made environment is taken for a whole one.
.venv/.packages: requirements/lock.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "Python packages ..."
	@[ -x .venv/bin/python ] || "$$(python3 local/junctor_local/prerequisites.py --python)" -m venv .venv
	@$(PIP) --no-deps --requirement requirements/lock.txt
	@$(PIP) --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))
	@touch $@

$(CACHE)/kafka/.jars: local/pom.xml
	@echo "Kafka ..."
	@rm -rf '$(CACHE)/kafka/libs' && mkdir -p '$(CACHE)/kafka'
	@mvn --quiet --batch-mode --file local/pom.xml dependency:copy-dependencies \
	  -DincludeScope=runtime -DoutputDirectory='$(CACHE)/kafka/libs'
	@touch $@

$(CACHE)/kafka/classes.jsa: $(CACHE)/kafka/.jars | .venv/.packages
	@JUNCTOR_CACHE='$(CACHE)' .venv/bin/python -m junctor_local.kafka_classes

$(CACHE)/node/.modules: local/package.json local/package-lock.json
	@echo "ClickHouse and buf ..."
	@mkdir -p '$(CACHE)/node' && cp local/package.json local/package-lock.json '$(CACHE)/node/'
	@cd '$(CACHE)/node' && npm ci --loglevel=error --ignore-scripts --no-fund --no-audit
	@touch $@
