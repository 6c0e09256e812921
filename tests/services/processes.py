"""Real worker processes for the tests, on the test database and a real broker."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).parents[2]


def database_url() -> str:
    """Return the address of the test database, for another process."""
    values = connection.settings_dict
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    password = f":{quote(values['PASSWORD'])}" if values["PASSWORD"] else ""
    return f"{scheme}://{values['USER']}{password}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


@dataclass(frozen=True)
class Setup:
    """What the processes of one test have in common.

    Attributes:
        broker: its address.
        queue: where their messages go.
        dana: options of the default account.
        folder: where they write their logs, and their receivers what they were told.
    """

    broker: str
    queue: str
    dana: dict[str, Any]
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What another process must be told."""
        return {
            **os.environ,
            "DATABASE_URL": database_url(),
            "CELERY_BROKER_URL": self.broker,
            "TEST_DANA_OPTIONS": json.dumps(self.dana),
            "TEST_QUEUE": self.queue,
            "TEST_FOLDER": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        }

    def start_worker(
        self, name: str, *more: str, concurrency: int = 2, app: str = "tests.services.worker_app"
    ) -> subprocess.Popen[bytes]:
        """Start a worker, with more options, and wait until it is ready."""
        options = ["--pool", "prefork", "--concurrency", str(concurrency), "--hostname", f"{name}@%h"]
        quiet = [
            "--loglevel",
            "INFO",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--queues",
            self.queue,
        ]
        worker = ["celery", "-A", app, "worker"]
        process = self.start(name, *worker, *options, *quiet, *more)
        _wait_until_ready(process, self.log(name))
        return process

    def start(self, name: str, *module: str) -> subprocess.Popen[bytes]:
        """Start a Python module as a process."""
        with self.log(name).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """Return the file that a process writes to."""
        return self.folder / f"{name}.log"


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while " ready." not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the worker did not start:\n{log.read_text()}")
        time.sleep(0.1)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all its children, as a machine that loses power does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
