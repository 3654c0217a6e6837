# Slotcast. Needs Python 3.11 or newer and make; everything else is fetched into .venv.
PYTHON ?= python3
BIN := .venv/bin
TEST ?= tests

.PHONY: setup run test bench lint dev clean

setup: .venv/.installed
	@$(BIN)/python manage.py migrate --verbosity 0

run: .venv/.installed
	@$(BIN)/python -m config.launch

test: dev
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TEST)

bench: dev
	@$(BIN)/python -m bench

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@# Without a cache: the Django plugin misjudges managers in a second, incremental run.
	@$(BIN)/mypy --cache-dir=/dev/null .
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --fail-level WARNING
	@HTTPS_ONLY=1 DEBUG=0 DEMO=0 ALLOWED_HOSTS=slotcast.example.com SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

dev: .venv/.dev-installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Slotcast needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	@echo "Making a virtual environment in .venv …"
	@$(PYTHON) -m venv .venv

.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing the packages of requirements.txt …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev-installed: requirements-dev.txt .venv/.installed
	@echo "Installing the packages of requirements-dev.txt …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache
