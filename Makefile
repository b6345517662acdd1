# Two commands matter: `make fiches` and `make test`. Both install what is missing first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help setup fiches test check dev bench audit sbom lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) found. Give another one with make PYTHON=python3.12"; exit 1; }
	@echo "Installing the environment into .venv (about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pipeline.supervisor pipeline.charts.installation:main
	@touch $@

setup: $(INSTALLED) ## Install alone: environment in .venv, and a browser if none is found

fiches: $(INSTALLED) ## The 100 fiches, régions and France; a few with DEPARTEMENTS="94 33"
	@$(BIN)/comex build $(if $(DEPARTEMENTS),--departement "$(DEPARTEMENTS)")

test: $(INSTALLED) ## The whole suite
	@$(BIN)/python -m pytest

check: $(INSTALLED) ## Format, lint, types; workflows and container too
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/jactionlint --strict-exit --no-hints
	@$(BIN)/zizmor --offline --quiet --persona=pedantic .github
	@$(BIN)/hadolint deploy/Containerfile

dev: $(INSTALLED) ## The Dagster UI on http://127.0.0.1:3000
	@$(BIN)/comex dev

bench: $(INSTALLED) ## Speed and memory, each figure beside its peer
	@$(BIN)/python tools/bench.py

audit: $(INSTALLED) ## Packages of requirements.lock with a known vulnerability, where an advisory database answers
	@$(BIN)/python tools/audit.py

sbom: $(INSTALLED) ## assets_out/sbom.cdx.json: what is installed, as CycloneDX
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o assets_out/sbom.cdx.json $(BIN)/python
	@echo "assets_out/sbom.cdx.json"

lock: $(INSTALLED) ## Write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-annotate --no-strip-extras --group dev --extra postgres pyproject.toml -o requirements.lock

clean: ## Remove what was made and installed here; kept archives too
	@rm -rf .venv .browser .pytest_cache .ruff_cache dbt_project/target dbt_project/logs
	@find assets_out -mindepth 1 ! -name README.md -delete
