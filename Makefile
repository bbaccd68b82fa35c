# Two commands from nothing: `make demo` and `make test`. The environment is .venv in this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
THREADS ?= 2
ROUNDS ?= 30
RESULTS := docs/results
DEMO_RUN := demo/output/lambda_resnet18-k1-task-12-demo-seed0

.DEFAULT_GOAL := help
.PHONY: help demo test fix slow gpu bench results docs constraints clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[export,mic,synth,dev]'
	@touch $@

demo: $(STAMP) ## speak a small command set, train on it, evaluate, draw, and print where the report is
	OMP_NUM_THREADS=$(THREADS) $(BIN)/watchword data synth demo/speech
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -u train.py --config_env configs/demo_env.yml --config_exp configs/demo.yml
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -u eval.py --config_env configs/demo_env.yml --config_exp configs/demo.yml --model $(DEMO_RUN)/best.pth.tar
	$(BIN)/watchword plot training $(DEMO_RUN) --output demo/output/training.png
	@echo "the report: $(DEMO_RUN)/eval-12-test/report.md"

test: $(STAMP) ## what CI runs: format, lint, import floors, strict types, tests with doctests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow and not gpu"

fix: $(STAMP) ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

slow: $(STAMP) ## the tests that take minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow

gpu: $(STAMP) ## the tests that need a GPU
	OMP_NUM_THREADS=1 $(BIN)/pytest -m gpu

bench: $(STAMP) ## measure and save training speed, times of the models and listening, on a quiet machine; print the rest
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/training_speed.py --threads 1 --json $(RESULTS)/training_speed.json
	OMP_NUM_THREADS=2 $(BIN)/python benchmarks/training_speed.py --threads 2 --json $(RESULTS)/training_speed.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/model_times.py --rounds $(ROUNDS) --compiled --json $(RESULTS)/times.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/listening.py --rounds $(ROUNDS) --hours 24 --save $(RESULTS)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/long_audio.py
	$(BIN)/python benchmarks/light_install.py --save $(RESULTS)/light_install.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/lambda_forms.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/augmentation_cost.py
	$(BIN)/python benchmarks/bench_prepare.py

results: $(STAMP) ## remake the page of results, its figure and the README's tables from what is saved
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/results.py

docs: $(STAMP) ## remake the pictures in docs/
	$(BIN)/python scripts/debug_augment.py

constraints: ## resolve the versions in constraints.txt anew
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'pip-tools>=7.4'
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade \
	  --extra export --extra mic --extra synth --extra dev --constraint constraints.in --output-file constraints.txt pyproject.toml
	sed -i -e 's/^\(torch==[0-9.]*\)+.*/\1/' -e '/^watchword @/d' constraints.txt

clean: ## remove the environment and what the demo made
	rm -rf $(VENV) demo
