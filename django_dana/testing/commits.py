"""What starts on commit, in a test that never commits.

A test runs in a transaction that is rolled back, so that Django keeps what waits for its commit for ever. Here a task
starts when the shop's own outermost ``atomic`` ends, as it does in production, and not at all when that is rolled back.
Other functions that wait for the commit are left to Django's ``captureOnCommitCallbacks``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_dana import background, tasks


@contextmanager
def tasks_run_at_once() -> Iterator[None]:
    """Run each task in the thread that starts it; none is sent to a broker."""
    on_commit, leave = BaseDatabaseWrapper.on_commit, transaction.Atomic.__exit__

    def note(connection: BaseDatabaseWrapper, func: Callable[[], Any], robust: bool = False) -> None:  # noqa: FBT001, FBT002  Django's
        on_commit(connection, func, robust)
        _run_what_waits(connection)

    def left(atomic: transaction.Atomic, *error: Any) -> None:
        leave(atomic, *error)
        _run_what_waits(transaction.get_connection(atomic.using))

    with (
        mock.patch.object(tasks, "start", _start),
        mock.patch.object(BaseDatabaseWrapper, "on_commit", note),
        mock.patch.object(transaction.Atomic, "__exit__", left),
    ):
        yield


def _start(task: Any, pk: int, *, countdown: float = 0.0) -> None:
    # what is to come later is left to Dana.run_due(), after Dana.advance()
    if not countdown:
        task.apply((pk,), throw=True)


def _run_what_waits(connection: BaseDatabaseWrapper) -> None:
    # Django marks the blocks that a test case opened, which end with the test
    blocks: list[Any] = connection.atomic_blocks
    if not blocks or not all(block._from_testcase for block in blocks) or connection.needs_rollback:
        return
    ours = [entry for entry in connection.run_on_commit if _is_ours(entry[1])]
    for entry in ours:
        # by identity: a task may add, and another may have run, what waits
        if entry in connection.run_on_commit:
            connection.run_on_commit.remove(entry)
            entry[1]()


def _is_ours(func: object) -> bool:
    return isinstance(func, partial) and func.func is background.start
