# SPDX-License-Identifier: Apache-2.0
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo chain dashboard eval figures test test-fast bench lint format clean

TASK ?= ram_insertion
SEED ?= 0
INTERVENTIONS ?= true
DEMOS ?= true
IMAGES ?= true
ARGS ?=
RUN ?= runs/latest
TRIALS ?= 100
CHAIN ?= ram_pair
CHAINS ?= 10

ENV := source scripts/env.sh
NO := false no 0 off

help:  ## Show this list
	@echo "hilserl: HIL-SERL on ROS 2 Jazzy"
	@echo
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done
	@echo
	@echo "  make demo arguments: TASK=ram_insertion SEED=0 INTERVENTIONS=true|false DEMOS=true|false"
	@echo "                       IMAGES=true|false ARGS='--pacing lockstep --set learner.updates_per_step=2' (ARGS=--help lists all)"
	@echo "  make eval arguments: RUN=runs/latest TRIALS=100 ARGS='--checkpoint best --compare runs/other --videos all'"
	@echo "  make chain arguments: CHAIN=ram_pair CHAINS=10 SEED=0 ARGS='--run first=runs/one --run second=runs/other'"
	@echo "  make figures arguments: RUN=runs/latest ARGS='--name complete --compare \"no images=runs/other\"'"

setup:  ## Make the virtual environment .venv with ROS 2 Jazzy and all packages
	@scripts/setup.sh --if-needed

build: setup  ## Build the workspace with colcon (nothing to do: returns at once)
	@scripts/build.sh

demo: build  ## Learn the task in simulation from scratch and write a report to runs/latest
	@$(ENV) && exec install/hilserl_bringup/lib/hilserl_bringup/demo --task $(TASK) --seed $(SEED) \
		$(if $(filter $(NO),$(INTERVENTIONS)),--no-interventions) $(if $(filter $(NO),$(DEMOS)),--no-demos) \
		$(if $(filter $(NO),$(IMAGES)),--no-images) $(ARGS)

eval: build  ## Trials of RUN's newest policy without interventions: success and cycle time with intervals
	@$(ENV) && exec install/hilserl_bringup/lib/hilserl_bringup/eval --task $(TASK) --run-dir $(RUN) \
		--trials $(TRIALS) $(ARGS)

chain: build  ## Run trained skills in sequence, with scripted motions between them (train them first)
	@$(ENV) && exec install/hilserl_bringup/lib/hilserl_bringup/chain --chain $(CHAIN) --chains $(CHAINS) \
		--seed $(SEED) $(ARGS)

figures: build  ## The pictures of the documentation (docs/images), made from RUN
	@$(ENV) && install/hilserl_sim/lib/hilserl_sim/picture --task $(TASK) --out docs/images/scene.png
	@$(ENV) && install/hilserl_agent/lib/hilserl_agent/analyse --run-dir $(RUN) --out docs/images --formats png $(ARGS)
	@cp -f $(RUN)/figures/evaluation_0000.png docs/images/evaluation.png

dashboard: build  ## Open the window on the run in runs/latest, beside make demo (ARGS=--help lists options)
	@$(ENV) && exec install/hilserl_rqt/lib/hilserl_rqt/dashboard $(ARGS)

test: build lint  ## Static checks and all tests
	@scripts/test.sh

test-fast: build  ## Tests that take seconds (ARGS go to pytest)
	@scripts/test.sh -m 'not slow' $(ARGS)

bench: build  ## Measure speeds, print a table and write bench/results.json
	@$(ENV) && exec python tests/bench/run.py $(ARGS)

lint: build  ## ruff, mypy, clang-format and licence headers
	@scripts/lint.sh

format: setup  ## Rewrite Python and C++ in the house format
	@$(ENV) && ruff check --fix --quiet . ; ruff format --quiet . ; \
		git ls-files -- '*.cpp' '*.hpp' '*.h' | xargs -r clang-format -i

clean:  ## Remove what was built (keeps .venv and runs)
	rm -rf build install log
