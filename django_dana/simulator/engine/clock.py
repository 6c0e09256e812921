"""The simulator's own time, which a test may move forward."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

# a hundred years, either way
_FARTHEST: Final = 100 * 366 * 24 * 3600


class Clock:
    """The machine's time plus an offset that is set by hand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the present moment (aware, UTC)."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def check(self, seconds: float) -> None:
        """Raise ValueError where :meth:`advance` would refuse ``seconds``."""
        if not abs(self._offset.total_seconds() + seconds) < _FARTHEST:
            raise ValueError(f"The clock can't be {seconds} seconds further ahead.")

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. Raises ValueError where that leads out of this century or so."""
        with self._lock:
            self.check(seconds)
            self._offset += timedelta(seconds=seconds)
