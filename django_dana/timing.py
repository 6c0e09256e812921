"""The waiting times, in one place. All in seconds."""

import random
from datetime import timedelta
from typing import Final

from django_dana.conf import Account

_JITTER: Final = 0.1
_LONGEST_WAIT: Final = 86_400.0


def attempt_delay(account: Account, attempts: int) -> timedelta:
    """Return how long to wait within a series after so many attempts."""
    delays = account.attempt_delays
    return timedelta(seconds=delays[min(attempts, len(delays)) - 1])


def pending_delay(
    account: Account, retries: int, *, patience: bool = False, retry_after: float | None = None
) -> timedelta:
    """Return how long to wait on the growing schedule after so many retries.

    Args:
        account: whose PENDING_DELAYS count; the last one repeats.
        retries: calls already made on this schedule.
        patience: DANA wants fewer calls (429): one step further.
        retry_after: seconds that DANA itself asked for.
    """
    delays = account.pending_delays
    delay = delays[min(retries + patience, len(delays) - 1)]
    # So that what failed together does not come back together. Not a secret, so a plain generator will do.
    delay *= 1 + random.uniform(0, _JITTER)  # noqa: S311
    return timedelta(seconds=max(delay, min(retry_after or 0.0, _LONGEST_WAIT)))
