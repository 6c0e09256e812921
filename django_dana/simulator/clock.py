"""The simulator's own time, which a test may push forward."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

# a hundred years, either way
_FARTHEST: Final = 100 * 366 * 24 * 3600


class Clock:
    """The machine's time plus what was added to it by hand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the present moment (aware, UTC)."""
        with self._lock:
            return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. Raises ValueError where that leads out of this century or so."""
        with self._lock:
            if not abs(self._ahead.total_seconds() + seconds) < _FARTHEST:
                raise ValueError(f"The clock can't be {seconds} seconds further ahead.")
            self._ahead += timedelta(seconds=seconds)
