"""Log lines that a stranger, or a fault that lasts, could repeat without end: one a minute for each cause.

Each process counts for itself.
"""

import logging
from collections.abc import Hashable
from threading import Lock
from time import monotonic
from typing import Final

INTERVAL: Final = 60.0

#: Causes that are told apart; with more of them the oldest are forgotten.
_MAX_CAUSES: Final = 1_000

_lock: Final = Lock()
#: When each cause was last logged, and how often it was left out since.
_logged: Final[dict[Hashable, tuple[float, int]]] = {}


def once_a_minute(
    logger: logging.Logger,
    level: int,
    cause: Hashable,
    message: str,
    *arguments: object,
    error: BaseException | None = None,
) -> None:
    """Log a message unless one for the same cause was logged less than a minute ago.

    Args:
        logger: where to.
        level: ``logging.WARNING`` or ``logging.ERROR``.
        cause: what tells one cause from another; nothing that a stranger can choose.
        message: with the placeholders of ``logging``.
        arguments: for the placeholders.
        error: whose traceback is added.
    """
    left_out = _count(cause, monotonic())
    if left_out is None:
        return
    if left_out:
        message += " (%d more since the last such line)"
        arguments = (*arguments, left_out)
    logger.log(level, message, *arguments, exc_info=error)


def forget() -> None:
    """Forget what was logged, so that each cause is logged at once again; for tests."""
    with _lock:
        _logged.clear()


def _count(cause: Hashable, now: float) -> int | None:
    """Return how many lines were left out for a cause, or None where this one is left out too."""
    with _lock:
        earlier = _logged.get(cause)
        if earlier is not None and now - earlier[0] < INTERVAL:
            _logged[cause] = (earlier[0], earlier[1] + 1)
            return None
        _logged.pop(cause, None)
        _logged[cause] = (now, 0)
        while len(_logged) > _MAX_CAUSES:
            del _logged[next(iter(_logged))]
        return earlier[1] if earlier else 0
