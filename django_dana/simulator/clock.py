"""The simulator's own time, which a test may push forward."""

import threading
from datetime import UTC, datetime, timedelta


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
        """Let ``seconds`` pass at once."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
