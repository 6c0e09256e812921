"""The progress of a long command: a bar on a terminal, with the extra ``progress``; a line now and then in a log."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any, Final, Self

from django.core.management.base import CommandError

from django_dana.display import one_line
from django_dana.progress import Progress

#: Seconds between two lines in a log.
_EVERY: Final = 10.0

#: The number that rich gives to the only task of a bar.
_TASK: Final = 0

#: What a shell expects of a command that Ctrl-C ended.
_INTERRUPTED: Final = 130


class ShownProgress(Progress):
    """Shows how many rows are done, how fast, and the time left. Ctrl-C ends the work at a row's end."""

    def __init__(self, say: Callable[..., None], what: str) -> None:
        """Begin to count.

        Args:
            say: prints a line.
            what: the rows, in a word or two.
        """
        self._say = say
        self._what = what
        self._done, self._total = 0, 0
        self._started = self._said = time.monotonic()
        self._bar = _bar(what) if sys.stdout.isatty() and sys.stderr.isatty() else None
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._stop)
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def expect(self, count: Callable[[], int]) -> None:
        """Count the rows."""
        self._total += count()
        if not self._done:
            self._started = time.monotonic()

    def advance(self, rows: int = 1) -> None:
        """Show that more rows are done."""
        self._done += rows
        now = time.monotonic()
        rate = self._done / max(now - self._started, 0.001)
        if self._bar:
            self._bar.update(_TASK, total=self._total, completed=self._done, rate=f"{rate:,.1f} a second")
        elif now - self._said >= _EVERY:
            self._said = now
            left = timedelta(seconds=round(max(self._total - self._done, 0) / rate))
            self._say(f"{self._done:,} of {self._total:,} {self._what}, {rate:,.1f} a second, {left} left")

    def say(self, line: str, style: Callable[[str], str] | None = None) -> None:
        """Print a line; above the bar, if there is one."""
        if self._bar:
            self._bar.console.print(one_line(line), markup=False, highlight=False)
        else:
            self._say(line, style)

    def refuse_if_stopped(self) -> None:
        """Raise CommandError if Ctrl-C ended the work. Called when what was done has been told."""
        if self.is_stopped:
            raise CommandError("Ended by Ctrl-C before everything was done.", returncode=_INTERRUPTED)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopped = True
        # a second one ends it at once
        signal.signal(signal.SIGINT, self._before)


def _bar(what: str) -> Any:
    """Return a bar with one task, or None without the extra."""
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task(what, total=None, rate="")
    return bar
