"""A process that sweeps again and again: ``python -m tests.chaos.sweeper``."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from django import db

from tests.services.worker_app import app

logger = logging.getLogger(__name__)


def sweep_for_ever() -> None:
    """Do what beat would have a worker do, without its pauses."""
    from django_dana import tasks

    app.set_default()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for task in (tasks.retry_due, tasks.sync_stale):
            _run(task)
        time.sleep(0.5)


def _run(task: Callable[[], Any]) -> None:
    try:
        task()
    except db.Error:
        logger.exception("the database is gone")
    finally:
        db.close_old_connections()


if __name__ == "__main__":
    sweep_for_ever()
