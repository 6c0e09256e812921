"""Real worker processes for the tests, on the test database and a real broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).parents[2]


def database_url() -> str:
    """Return the address of the test database, for another process."""
    values = connection.settings_dict
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    password = f":{quote(values['PASSWORD'])}" if values["PASSWORD"] else ""
    return f"{scheme}://{values['USER']}{password}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


@contextmanager
def worker(
    broker: str, dana_url: str, log: Path, *, queue: str, concurrency: int = 2
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Celery worker; it is ready when the block begins and gone when it ends."""
    with log.open("wb") as output:
        process = start_worker(broker, dana_url, output.fileno(), queue=queue, concurrency=concurrency)
        try:
            _wait_until_ready(process, log)
            yield process
        finally:
            end(process)


def start_worker(
    broker: str, dana_url: str, output: int, *, queue: str, concurrency: int = 2
) -> subprocess.Popen[bytes]:
    """Start a worker that takes its messages from one queue."""
    options = ["--pool", "prefork", "--concurrency", str(concurrency), "--loglevel", "INFO", "--queues", queue]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tests.services.worker_app", "worker", *options, *quiet],
        cwd=ROOT,
        env=environment(broker, dana_url, queue),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def environment(broker: str, dana_url: str, queue: str) -> dict[str, str]:
    """Return what another process of the suite must be told."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": broker,
        "TEST_DANA_URL": dana_url,
        "TEST_QUEUE": queue,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while " ready." not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the worker did not start:\n{log.read_text()}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a worker with all its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
