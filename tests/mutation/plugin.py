"""What pytest does in a mutation run: it notes which test ran which line, or runs the tests of a list in its order."""

import importlib
import json
import os
import pkgutil
from pathlib import Path

import coverage
import pytest

import django_dana


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not (path := os.environ.get("MUTATION_TESTS")):
        return
    order = {name: place for place, name in enumerate(Path(path).read_text().splitlines())}
    items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])


def pytest_collection_finish() -> None:
    """Import every module before the first test: what runs at its import is no single test's."""
    if os.environ.get("MUTATION_DURATIONS"):
        for module in pkgutil.walk_packages(django_dana.__path__, "django_dana."):
            importlib.import_module(module.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> object:
    if (measured := coverage.Coverage.current()) is not None:
        measured.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if measured is not None:
            measured.switch_context("")


class _Durations:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._seconds))


def pytest_configure(config: pytest.Config) -> None:
    if path := os.environ.get("MUTATION_DURATIONS"):
        config.pluginmanager.register(_Durations(Path(path)))
