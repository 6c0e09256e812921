"""What is built is what a shop needs."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in the wheel."""
    builder = WheelBuilder(str(ROOT))
    wheel = next(builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]))
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize(
    "name",
    [
        "django_dana/py.typed",
        "django_dana/migrations/0001_initial.py",
        "django_dana/templates/django_dana/pay.html",
        "django_dana/templates/django_dana/return.html",
        "django_dana/static/django_dana/pages.css",
        "django_dana/static/django_dana/pages.js",
        "django_dana/templates/admin/django_dana/order/give_back.html",
        "django_dana/static/django_dana/admin.css",
        "django_dana/locale/id/LC_MESSAGES/django.mo",
        "django_dana/management/commands/dana_simulator.py",
        "django_dana/testing/plugin.py",
    ],
)
def test_the_wheel_holds(wheel_names: set[str], name: str) -> None:
    assert name in wheel_names


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel_names: set[str]) -> None:
    package = ROOT / "django_dana"
    files = {str(path.relative_to(ROOT)) for path in package.rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    assert {name for name in wheel_names if ".dist-info/" not in name} == wanted


def test_the_readmes_commands_are_those_that_are_promised() -> None:
    readme = (ROOT / "README.md").read_text()
    for extra, then in (("demo", ".venv/bin/python example_project/manage.py demo"), ("test", ".venv/bin/pytest")):
        assert f"\npython3 -m venv .venv && .venv/bin/pip install -e '.[{extra}]' && {then}\n" in readme
