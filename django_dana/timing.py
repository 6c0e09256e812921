"""Every delay and time limit, in one place."""

import random
from datetime import timedelta
from itertools import accumulate
from typing import Final

from django_dana.conf import Account

# -- DANA's side --------------------------------------------------------------------------------------------------

#: After validUpTo DANA may still be settling a payment made in the last second.
GRACE: Final = timedelta(minutes=5)

#: A call whose end nobody saw may still act: what DANA says about the payment is not believed before it is so old.
MAY_STILL_ACT: Final = timedelta(minutes=5)

#: How long after the payment DANA still cancels an order (DANA, Guide).
CANCEL_WINDOW: Final = timedelta(hours=24)

#: How long DANA is asked about what is unsettled before only staff can help.
ASK_FOR: Final = timedelta(days=7)

#: How often DANA is asked about a cancel that was given up, but may still happen.
WATCH_EVERY: Final = timedelta(days=1)

#: How long an order rests whose account can't be used; an order lives for half an hour.
ACCOUNT_REST: Final = timedelta(minutes=2)

# -- calls ----------------------------------------------------------------------------------------------------------

#: What a lease outlives the call's own time-out by: the resolver's time, a slow database, a paused machine.
LEASE_MARGIN: Final = timedelta(seconds=60)

# -- workers --------------------------------------------------------------------------------------------------------

#: Longer delays, in seconds, are left to the sweep: brokers handle them poorly and may lose them on restart.
LONGEST_COUNTDOWN: Final = 15.0

#: Seconds of the longest task when all goes well: four kinds of rows, and the last call of each.
LONGEST_TASK: Final = 300.0

#: Seconds after which a sweep leaves the rest to the next one.
SWEEP_SECONDS: Final = 60.0

#: Refunds made in DANA's portal are not notified, so a few paid orders of this age are asked about, each once a day.
SAMPLE_AGE: Final = timedelta(days=7)
SAMPLE_REST: Final = timedelta(days=1)

# -- outbox -----------------------------------------------------------------------------------------------------------

#: While a worker sends an event nobody else does; if that worker dies, somebody else does so after this time.
SENDING: Final = timedelta(minutes=5)

#: Before a signal whose receiver failed is sent again; the last one repeats.
RECEIVER_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 900, 3600))

# -- the account's delays -------------------------------------------------------------------------------------------

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
    seconds = _with_jitter(delays[min(retries + patience, len(delays) - 1)])
    return timedelta(seconds=max(seconds, min(retry_after or 0.0, _LONGEST_WAIT)))


def sync_delay(account: Account, elapsed: timedelta) -> timedelta:
    """Return how long to wait before DANA is asked again about what has been unsettled for so long."""
    steps = sum(1 for end in accumulate(account.pending_delays) if end <= elapsed.total_seconds())
    return pending_delay(account, steps)


def _with_jitter(seconds: float) -> float:
    # So that what failed together does not come back together. Not a secret, so a plain generator will do.
    return seconds * (1 + random.uniform(0, _JITTER))  # noqa: S311
