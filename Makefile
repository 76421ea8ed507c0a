# The commands of a fresh clone. Needs make and Python 3.11 to 3.13, nothing else.

VENV      := .venv
BIN       := $(VENV)/bin
INSTALLED := $(VENV)/installed
ARGS      ?=
JOBS      ?= 3
DATA      ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check lint fix bench bench-sources bench-overload bench-central bench-registry \
    bench-setpoints bench-firstview bench-boards bench-detection bench-training bench-federation federation weeks \
    walk faults faults-uplink faults-setpoints clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(INSTALLED) ## a simulated plant, the gateway and its page (ARGS="--seed 7 --fault none")
	$(BIN)/wheeltapper demo $(ARGS)

walk: $(INSTALLED) ## the life of a model on a simulated pump, command by command (about twelve minutes)
	@$(BIN)/wheeltapper walk models $(ARGS)

# Three processes for two cores, for half of a test is waiting. The longest files begin first, in the
# order of tests/conftest.py. Byte code is kept even where the
# shell says not to: without it each of the many processes compiles the product and the tests anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(INSTALLED) ## every test, on two cores (ARGS="tests/gateway -k align" JOBS=0, FULL=1: long counts)
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint test ## what has to hold before a push: lint, format, types, import rules, tests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(INSTALLED) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## measure the whole gateway under load and print JSON (about 6 minutes)
	@$(BIN)/python -m bench.run $(ARGS)

bench-sources: $(INSTALLED) ## measure the OPC UA and Modbus sources alone (about 6 minutes)
	@$(BIN)/python -m bench.sources $(ARGS)

bench-overload: $(INSTALLED) ## three times what the processor can take (about 3 minutes)
	@$(BIN)/python -m bench.overload $(ARGS)

bench-central: $(INSTALLED) ## measure what sending to a central store costs (seconds)
	@$(BIN)/python -m bench.central $(ARGS)

bench-registry: $(INSTALLED) ## measure what delivering models costs a gateway (half a minute)
	@$(BIN)/python -m bench.registry $(ARGS)

bench-setpoints: $(INSTALLED) ## how long the guard takes to decide, and how much of it the disk does (a minute)
	@$(BIN)/python -m bench.setpoints $(ARGS)

bench-federation: $(INSTALLED) ## local-only, federated, centralised on unlike machines (minutes)
	@$(BIN)/python -m bench.federation $(ARGS)

federation: $(INSTALLED) ## three simulated gateways learn together, to the model in force (8 minutes)
	@rm -rf build/federation
	@$(BIN)/python -m bench.federation --walk build/federation $(ARGS)

bench-firstview: $(INSTALLED) ## how soon the console shows 500 signals and 1,000 alarms (a minute)
	@$(BIN)/python -m bench.firstview $(ARGS)

bench-boards: $(INSTALLED) ## how long the queries of each board take, of a day of 500 signals (minutes)
	@$(BIN)/python -m bench.boards $(ARGS)

bench-detection: $(INSTALLED) ## detection against what it promises (DATA=DIR with skab/, nab/, …)
	@$(BIN)/python -m bench.detection $(if $(DATA),--data $(DATA)) $(ARGS)

bench-training: $(INSTALLED) ## train many assets from weeks of windows, beside plain scikit-learn (10 minutes)
	@$(BIN)/python -m bench.training $(ARGS)

weeks: $(INSTALLED) ## four simulated weeks, alarm by alarm (20 minutes; ARGS="--days 2" for a look)
	@$(BIN)/python -m bench.weeks $(ARGS)

faults: $(INSTALLED) ## do to the gateway what plants do to it, and print the figures (25 to 30 minutes)
	$(BIN)/pytest -q -m faults --tb=line --show-capture=no tests/faults $(ARGS)

faults-uplink: $(INSTALLED) ## do to the way upstream what networks and stores do to it (12 to 25 minutes)
	$(BIN)/pytest -q -m uplinkfaults --tb=line --show-capture=no tests/faults/uplink $(ARGS)

faults-setpoints: $(INSTALLED) ## writes over cut links and hung controllers, and the guard before them (about 15 minutes)
	$(BIN)/pytest -q -m setpointfaults --tb=line --show-capture=no tests/faults/setpoints tests/gateway/guard $(ARGS)

clean: ## forget the installed environment
	rm -rf $(VENV)

# hatchling comes from the lock, so a plant's own mirror is enough: no build environment is fetched.
$(INSTALLED): requirements.lock pyproject.toml
	@set -e; \
	for name in python3 python3.13 python3.12 python3.11; do \
	    if $$name -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	        2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'Needs Python 3.11, 3.12 or 3.13 with its venv module, and found none.' >&2; \
	    echo 'On Debian or Ubuntu: apt install python3 python3-venv' >&2; \
	    exit 2; \
	fi; \
	$$python -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
