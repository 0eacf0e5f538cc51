# `make demo` and `make test` do all their own set-up on a machine with Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help demo test lint format bundle docs pictures bench package sbom audit clean

BIN := .venv/bin
SETUP := pyproject.toml constraints.txt tools/setup.sh

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/.demo: $(SETUP)
	@tools/setup.sh demo
	@touch $@

.venv/.dev: $(SETUP)
	@tools/setup.sh dev
	@touch $@ .venv/.demo

demo: .venv/.demo  ## see the product: embedded Redis, a workload, the exporter; e.g. make demo ARGS='--scenario backlog'
	@$(BIN)/asynq-exporter demo $(ARGS)

test: .venv/.dev  ## run all tests; e.g. make test ARGS='tests/scan -k latency'
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/.dev  ## check style, types, floors and the bundle
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/lint_bundle.py
	$(BIN)/python -m pytest -q tests/bundle/test_rules.py tests/bundle/test_dashboards_linter.py

format: .venv/.dev  ## rewrite sources into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	jsonnetfmt -i -n 2 --max-blank-lines 2 --string-style s --comment-style s *.libsonnet alerts/*.libsonnet $$(find dashboards -name '*.libsonnet')

bundle: .venv/.dev  ## generate dashboards, alerts and rules
	$(BIN)/python tools/generate_bundle.py

docs: .venv/.dev  ## generate the reference pages
	$(BIN)/python -m tools.generate_docs

pictures: .venv/.dev  ## take the pictures of the pages from the running demo
	$(BIN)/python -m tools.pictures

bench: .venv/.dev  ## measure against Go's exporter, client and server; writes bench/README.md
	$(BIN)/python -m bench $(ARGS)

package: .venv/.dev  ## build sdist and wheel into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

sbom: .venv/.dev  ## list what an installation consists of, as CycloneDX, in dist/sbom.cdx.json
	tools/materials.sh sbom dist/sbom.cdx.json

audit: .venv/.dev  ## ask for known weaknesses of the dependencies; needs the registry's service
	tools/materials.sh audit

clean:  ## remove what was built
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/interop/bin bench/bin
