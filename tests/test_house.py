"""How the modules of the package depend on each other."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import django_dana

PACKAGE = Path(django_dana.__file__).parent


def names(package: Path) -> dict[str, Path]:
    """Return every module of a package with its file."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }


def dependencies(package: Path) -> dict[str, set[str]]:
    """Return, for every module, what it imports of its package anywhere: also in functions and for type checkers.

    ``from package import module`` depends on the module alone: that the package is initialised first is no circle.
    """
    modules = names(package)
    return {name: set(imported(path, modules.keys())) & modules.keys() for name, path in modules.items()}


def imported(path: Path, modules: Collection[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else node.module


def test_no_module_is_in_an_import_circle() -> None:
    try:
        TopologicalSorter(dependencies(PACKAGE)).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_circle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("from house import cellar\n")
    (package / "attic.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.cellar\n")
    (package / "cellar.py").write_text("def stairs():\n    from house.attic import floor\n")

    with pytest.raises(CycleError, match=r"house\.attic.*house\.cellar|house\.cellar.*house\.attic"):
        TopologicalSorter(dependencies(package)).prepare()


IMPORTED_WHERE_THEY_ARE_USED = ("celery", "requests", "urllib3", "cryptography", "rest_framework")

START_DJANGO = """
import sys
import django
from django.conf import settings

contrib = ["admin", "auth", "contenttypes", "messages", "sessions"]
settings.configure(INSTALLED_APPS=[*(f"django.contrib.{name}" for name in contrib), "django_dana"])
django.setup()
assert "django_dana.admin" in sys.modules
print(*sys.modules)
"""


def test_starting_django_imports_nothing_that_is_used_later() -> None:
    started = subprocess.run(
        [sys.executable, "-c", START_DJANGO], cwd=PACKAGE.parent, check=True, capture_output=True, text=True
    )

    assert not set(IMPORTED_WHERE_THEY_ARE_USED) & set(started.stdout.split())
