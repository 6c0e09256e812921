"""What is due at a moment of the simulator's clock: orders that expire, operations that act late."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

from django_dana.simulator.engine.shared import Shared

Action = Callable[[], object]


class Schedule:
    """Actions by the moment at which they are due. They run under the lock, in the order of their moments."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        # the count decides between equal moments: actions themselves can't be compared
        self._count = count()
        self._actions: list[tuple[datetime, int, Action]] = []

    def add(self, moment: datetime, action: Action) -> None:
        """Run ``action`` once ``moment`` has come."""
        with self._shared.lock:
            heapq.heappush(self._actions, (moment, next(self._count), action))

    def run_due(self) -> None:
        """Run every action whose moment has come."""
        with self._shared.lock:
            while self._actions and self._actions[0][0] <= self._shared.clock.now():
                heapq.heappop(self._actions)[2]()

    def advance(self, seconds: float) -> None:
        """Let time pass at once; each action that becomes due sees the clock at its own moment.

        Raises:
            ValueError: the clock can't be moved that far.
        """
        clock = self._shared.clock
        clock.check(seconds)
        with self._shared.lock:
            self.run_due()
            while self._actions and (step := (self._actions[0][0] - clock.now()).total_seconds()) <= seconds:
                clock.advance(max(step, 0))
                seconds -= max(step, 0)
                self.run_due()
            clock.advance(seconds)

    def clear(self) -> None:
        """Drop all actions."""
        with self._shared.lock:
            self._actions.clear()
