"""Every delay and time limit of the package. Seconds are floats; what is added to a moment is a timedelta."""

import random
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate
from typing import Final, Protocol

# -- DANA's side --------------------------------------------------------------------------------------------------

#: After validUpTo DANA may still be settling a payment made in the last second.
GRACE: Final = timedelta(minutes=5)

#: A call whose end nobody saw may still act: what DANA says about the payment is not believed before it is so old.
MAY_STILL_ACT: Final = timedelta(minutes=5)

#: How long after the payment DANA still cancels an order (DANA, Guide).
CANCEL_WINDOW: Final = timedelta(hours=24)

#: How long DANA is asked about what is unsettled before only staff can help.
SYNC_FOR: Final = timedelta(days=7)

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

#: How long an order that stays open rests between two queries: the message that it was paid may have been
#: lost. So an order of half an hour is not asked about before its end, and one of a week at most 27 times.
OPEN_REST: Final = timedelta(hours=6)

#: Refunds made in DANA's portal are not notified, so a few paid orders up to this age are asked about.
SAMPLE_AGE: Final = timedelta(days=7)

#: How long each of them then rests.
SAMPLE_REST: Final = timedelta(days=1)

# -- outbox -----------------------------------------------------------------------------------------------------------

#: While a worker sends an event nobody else does; if that worker dies, somebody else does so after this time.
SENDING: Final = timedelta(minutes=5)

#: Before a signal whose receiver failed is sent again; the last one repeats.
RECEIVER_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 900, 3600))

# -- the buyer's pages ------------------------------------------------------------------------------------------------

#: The pages ask DANA about one order no more often than this, however often they are loaded.
PAGE_SYNCS_EVERY: Final = timedelta(seconds=10)

#: Seconds of such a query. A buyer looks at an empty page meanwhile, and a web thread waits.
PAGE_WAITS: Final = 2.5

# -- the setting ----------------------------------------------------------------------------------------------------

#: Seconds for which the text of a key from a file or a function is used again before it is asked for once more. A key
#: that was replaced is in use everywhere after this time.
KEYS_ARE_KEPT: Final = 60.0

#: Seconds for which the failure of a key's file or function is kept: short, since payments rest meanwhile, but not
#: nothing, or every forged message would make a vault that is down run into its time-out.
KEY_ERRORS_ARE_KEPT: Final = 5.0

# -- what the system checks take --------------------------------------------------------------------------------------

#: Seconds. DANA expects 8 for a call; a worker that waits a minute serves nobody.
LONGEST_TIMEOUT: Final = 60.0

#: Seconds. Questions about what is unsettled end after a week, so a longer delay never comes.
LONGEST_DELAY: Final = 7 * 86_400.0

#: What DANA takes as the lifetime of an order, by environment.
LONGEST_ORDER_LIFETIME: Final[Mapping[str, timedelta]] = {
    "sandbox": timedelta(minutes=30),
    "production": timedelta(days=7),
}

#: Seconds that a broker may leave a web request waiting: a buyer waits as long.
LONGEST_BROKER_SILENCE: Final = 2.0

# -- the beat schedule ------------------------------------------------------------------------------------------------

#: Seconds between two sweeps of what is due. An alarm clock that failed costs an order no more than this.
RETRY_DUE_EVERY: Final = 15.0

#: Seconds between two looks at orders whose time has passed without an answer.
SYNC_STALE_EVERY: Final = 300.0

# -- the account's delays -------------------------------------------------------------------------------------------

#: The part of a delay that is added at most, so that what failed together does not come back together.
_JITTER: Final = 0.1

#: Seconds. The longest Retry-After of DANA that is followed.
_LONGEST_RETRY_AFTER: Final = 86_400.0


class Schedules(Protocol):
    """What an account says about waiting, in seconds."""

    @property
    def attempt_delays(self) -> tuple[float, ...]: ...

    @property
    def pending_delays(self) -> tuple[float, ...]: ...


def attempt_delay(account: Schedules, attempts: int) -> timedelta:
    """Return how long to wait within a series after so many attempts."""
    delays = account.attempt_delays
    return timedelta(seconds=delays[min(attempts, len(delays)) - 1])


def pending_delay(
    account: Schedules, retries: int, *, patience: bool = False, retry_after: float | None = None
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
    return timedelta(seconds=max(seconds, min(retry_after or 0.0, _LONGEST_RETRY_AFTER)))


def sync_delay(account: Schedules, elapsed: timedelta) -> timedelta:
    """Return how long to wait before DANA is asked again about what has been unsettled for so long."""
    steps = sum(1 for end in accumulate(account.pending_delays) if end <= elapsed.total_seconds())
    return pending_delay(account, steps)


def _with_jitter(seconds: float) -> float:
    # not a secret, so a plain generator will do
    return seconds * (1 + random.uniform(0, _JITTER))  # noqa: S311
