"""What is left to the workers: the message that wakes one, once the transaction is committed."""

from datetime import datetime
from functools import partial
from typing import Literal

from django.db import transaction
from django.utils import timezone

from django_dana.models import Order, OrderRequest

TaskName = Literal["create_order", "sync_order", "send_outbox"]


def start(task: TaskName | type[OrderRequest], pk: int) -> None:
    """Send the message that runs a task of :mod:`django_dana.tasks`.

    Args:
        task: its name, or the kind of request whose call it makes.
        pk: the row it is about; the row itself says what is due.
    """
    # Celery comes with the first message, and not when Django starts: so starting stays quick
    from django_dana import tasks

    tasks.start(getattr(tasks, task) if isinstance(task, str) else tasks.OF_REQUEST[task], pk)


def start_on_commit(task: TaskName | type[OrderRequest], pk: int) -> None:
    """Send the message that runs a task once the transaction is committed."""
    transaction.on_commit(partial(start, task, pk), robust=True)


def start_follow_up(order: Order) -> None:
    """Once the transaction is committed, send the signals that are due, and ask DANA where that is due."""
    start_on_commit("sync_order" if _is_due(order.next_sync_at) else "send_outbox", order.pk)


def _is_due(moment: datetime | None) -> bool:
    return moment is not None and moment <= timezone.now()
