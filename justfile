# the recipes, with what each does
default:
    @just --list

python := ".venv/bin/python"

# an environment with everything in it
install:
    python3 -m venv .venv
    .venv/bin/pip install -e '.[dev]'

# the suite on SQLite; `just test tests/test_services.py -n 0` runs a part of it
test *arguments:
    .venv/bin/pytest {{ arguments }}

# the suite with workers, brokers and a browser, on the database that DATABASE_URL names
test-services *arguments:
    .venv/bin/pytest --services -n 0 {{ arguments }}

# ruff, the layers, the types
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports
    .venv/bin/mypy
    cd example_project && ../.venv/bin/mypy .

# put the code into shape
format:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# write the migrations that the models need
migrations:
    DJANGO_SETTINGS_MODULE=tests.settings {{ python }} -m django makemigrations django_dana

# the documentation, where a warning is an error
docs:
    {{ python }} -m tests.rules_page > docs/rules.rst
    .venv/bin/sphinx-build -q -W --keep-going -b html docs docs/_build/html

# the pictures in docs/staff, from what the browser tests see
pictures:
    .venv/bin/pytest --services -n 0 tests/browser/test_staff.py
    {{ python }} -m tests.browser.pictures

# a shop, a worker and a whole DANA on this machine
demo *arguments:
    {{ python }} example_project/manage.py demo {{ arguments }}

# which mistakes in the code would no test notice?
mutation *arguments:
    {{ python }} -m tests.mutation {{ arguments }}

# what our paths cost, beside the least that any solution must do
benchmarks:
    {{ python }} -m tests.benchmarks

# dependencies with known holes
audit:
    .venv/bin/pip-audit --skip-editable

# everything that CI runs; it installs what it needs
ci:
    .ci/run
