"""Ours and a floor, in turns: the work that no solution can avoid, written by hand and without the promises.

Both are measured in the same run and the medians compared, so that a busy machine slows down both.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

ROUNDS: Final = 200

#: So that what is imported, connected or kept at the first call is not counted.
WARMING_UP: Final = 20


class Figures(NamedTuple):
    """What was measured of ours and of the floor."""

    ours: float
    floor: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of the table.

    Attributes:
        name: what was measured.
        floor_name: what the floor is.
        figures: in ``unit``.
        goal: the ratio that we aim at, if there is one.
        unit: ``ms``, where less is better, or ``/s``, where more is.
    """

    name: str
    floor_name: str
    figures: Figures
    goal: float | None = None
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        """How many times the floor it is."""
        return self.figures.ours / self.figures.floor

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{'≤' if self.unit == 'ms' else '≥'} {self.goal}"
        measured = f"{self.figures.ours:>9.2f}{self.figures.floor:>9.2f} {self.unit:<3}{self.ratio:>6.2f}"
        return f"{self.name:<62}{measured}  {goal:<7}{self.floor_name}"


HEAD: Final = f"{'':<62}{'ours':>9}{'floor':>9} {'':<3}{'ratio':>6}  {'goal':<7}the floor"


def in_turns(
    ours: Callable[[], Any], floor: Callable[[], Any], *, rounds: int = ROUNDS, clock: Callable[[], float]
) -> Figures:
    """Measure ours and the floor one after the other, many times; return the medians in milliseconds."""
    for _ in range(min(WARMING_UP, rounds)):
        ours()
        floor()
    times = [(time_of(ours, clock), time_of(floor, clock)) for _ in range(rounds)]
    mine, least = (statistics.median(column) for column in zip(*times, strict=True))
    return Figures(mine, least)


def time_of(act: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how many milliseconds it took."""
    started = clock()
    act()
    return (clock() - started) * 1000
