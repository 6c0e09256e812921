"""What a shop connects to the signals in its workers: one receiver that takes notes, and one that may be a bad one."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.dispatch import Signal

from django_dana import signals
from django_dana.models import Order

_FOLDER = Path(os.environ["TEST_FOLDER"])


def note(signal: Signal, order: Order, **kwargs: Any) -> None:
    """Write down what was told; a short line that is appended is written whole or not at all."""
    name = next(name for name, known in signals.BY_NAME.items() if known is signal)
    with (_FOLDER / "told").open("a") as notes:
        notes.write(f"{order.title} {name}\n")


def misbehave(order: Order, **kwargs: Any) -> None:
    """Do what the order's metadata ask for, the first time; afterwards be well."""
    if act := _ACTS.get(order.metadata.get("receiver", "")):
        try:
            (_FOLDER / f"misbehaved-{order.pk}").touch(exist_ok=False)
        except FileExistsError:
            return
        act()


def _hang() -> None:
    time.sleep(3600)


def _exit() -> None:
    os._exit(1)


def _kill() -> None:
    os.kill(os.getpid(), 9)


def _fail() -> None:
    raise ZeroDivisionError


_ACTS: dict[str, Callable[[], None]] = {"hangs": _hang, "exits": _exit, "is killed": _kill, "raises": _fail}
