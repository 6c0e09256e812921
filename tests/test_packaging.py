"""What is built is what a shop needs."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.keys import SHOP_PRIVATE_KEY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = WheelBuilder(str(ROOT))
    return Path(next(builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])))


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    """The files in the wheel."""
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


def test_the_metadata_names_licence_and_addresses(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    assert "License-Expression: MIT\n" in metadata
    assert {line.split()[1] for line in metadata.splitlines() if line.startswith("Project-URL: ")} == {
        "Documentation,",
        "Source,",
        "Issues,",
        "Changelog,",
    }
    assert "Description-Content-Type: text/markdown\n" in metadata


# -- the README -----------------------------------------------------------------------------------------------------


def test_the_readmes_commands_are_those_that_are_promised() -> None:
    for extra, then in (("demo", ".venv/bin/python example_project/manage.py demo"), ("test", ".venv/bin/pytest")):
        assert f"\npython3 -m venv .venv && .venv/bin/pip install -e '.[{extra}]' && {then}\n" in README


def test_the_readmes_links_work_on_a_package_index() -> None:
    """Which shows the README without the files around it."""
    source = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 5
    for link in links:
        assert link.startswith("https://")
        if link.startswith(source):
            assert (ROOT / link.removeprefix(f"{source}/blob/main/")).is_file(), link


def steps() -> dict[int, str]:
    """Return the code of the README's five steps, by their numbers."""
    code = README.partition("## Put it into your shop")[2].partition("```python\n")[2].partition("```")[0]
    pieces = re.split(r"  # (\d)\.[^\n]*\n", code)
    # the number follows what it numbers
    return {int(number): piece for piece, number in zip(pieces[::2], pieces[1::2], strict=False)}


def python(folder: Path, installed: Path, *arguments: str) -> str:
    """Run Python in a folder, where the installed package is found before the checkout, and return what it prints."""
    left_out = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "CELERY_BROKER_URL", "PYTHONPATH", "COVERAGE_PROCESS_START")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_and_the_five_steps_make_a_shop_of_an_empty_project(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(installed), str(wheel)]
    python(tmp_path, installed, *pip)
    python(tmp_path, installed, "-m", "django", "startproject", "shop", str(tmp_path))

    (tmp_path / "dana.pem").write_text(SHOP_PRIVATE_KEY)
    code = steps()
    assert list(code) == [1, 2, 3, 4, 5]
    account = code[2].replace('"PRIVATE_KEY_PATH": "..."', f'"PRIVATE_KEY_PATH": "{tmp_path}/dana.pem"')
    account = account.replace('"..."', '"216620000000000000001"')
    with (tmp_path / "shop" / "settings.py").open("a") as settings:
        settings.write(f"{code[1]}\n{account}\nfrom django_dana.schedule import BEAT_SCHEDULE\n{code[3]}\n")
    with (tmp_path / "shop" / "urls.py").open("a") as urls:
        urls.write(f"from django.urls import include\nurlpatterns += [{code[4]}]\n")

    python(tmp_path, installed, "manage.py", "migrate", "--verbosity=0")
    python(tmp_path, installed, "manage.py", "check", "--fail-level=ERROR")
    view = (
        "from decimal import Decimal\nfrom django_dana import services\nimport django_dana\n"
        f"{code[5]}\nprint(django_dana.__file__, order.title, order.create_status)\n"
    )
    printed = python(tmp_path, installed, "manage.py", "shell", "-v0", "-c", view)
    assert printed.split("\n")[-2] == f"{installed}/django_dana/__init__.py Kopi Gayo new"


def test_the_page_on_security_names_the_floors_that_are_there_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = dict(re.findall(r"^([a-z0-9-]+)>=([0-9.]+)", "\n".join(project["dependencies"]), re.MULTILINE))
    page = " ".join((ROOT / "SECURITY.md").read_text().split())
    names = {"djangorestframework": "Django REST framework", "django": "Django"}
    for name in ("urllib3", "cryptography", "requests", "djangorestframework", "django"):
        assert f"{names.get(name, name)} {floors[name]}" in page
