"""A pytest run that has everything imported and a database, and runs the tests of a mutant in a fork of itself.

It reads a request a line from standard input and answers each with a line: a mutant costs only the time of its tests.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import pytest

import django_dana
from tests.mutation.live import Functions

# imported where they are used, so that no module of the package has imported them
_LATER = ("celery.app.task", "kombu.transport.memory", "requests", "rest_framework.views", "cryptography.x509")


class Server:
    """Takes the place of pytest's loop over the tests."""

    def __init__(self, requests: TextIO, replies: TextIO) -> None:
        self._requests = requests
        self._replies = replies
        self._failed = ""

    def pytest_collection_finish(self) -> None:
        for module in pkgutil.walk_packages(django_dana.__path__, "django_dana."):
            importlib.import_module(module.name)
        for name in _LATER:
            importlib.import_module(name)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        # the first test with a database creates it; with another test to come, pytest keeps it
        self._run([next(item for item in session.items if item.get_closest_marker("django_db"))], session.items[-1])
        self._functions = Functions()
        gc.freeze()
        self._reply(state="ready")
        for line in self._requests:
            request = json.loads(line)
            self._reply(**self._fork([items[name] for name in request["tests"]], request))
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed:
            self._failed = report.nodeid

    def _fork(self, items: list[pytest.Item], request: dict[str, Any]) -> dict[str, Any]:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            self._be_a_mutant(items, request, writer)
        _, status = os.waitpid(child, 0)
        _kill_group(child)  # what its tests have started
        os.close(writer)
        with os.fdopen(reader) as killer:
            return {"state": os.waitstatus_to_exitcode(status), "killer": killer.read()}

    def _be_a_mutant(self, items: list[pytest.Item], request: dict[str, Any], writer: int) -> None:
        os.setsid()
        status = 3
        try:
            self._functions.change(Path(django_dana.__path__[0], request["module"]), request["source"].encode())
            self._run(items, None, request["limits"])
            os.write(writer, self._failed.encode())
            status = 1 if self._failed else 0
        finally:
            os._exit(status)

    def _run(self, items: list[pytest.Item], last: pytest.Item | None, limits: Sequence[float] = ()) -> None:
        for number, item in enumerate(items):
            if limits:
                signal.setitimer(signal.ITIMER_REAL, limits[number])  # whoever hangs is ended by it
            following = items[number + 1] if number + 1 < len(items) else last
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return

    def _reply(self, **content: object) -> None:
        self._replies.write(json.dumps(content) + "\n")
        self._replies.flush()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> int:
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return pytest.main([*sys.argv[1:], "-s"], plugins=[Server(requests, replies)])


if __name__ == "__main__":
    sys.exit(main())
