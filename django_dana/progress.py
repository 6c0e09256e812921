"""How far a long piece of work is, and whether somebody wants it to end."""

from collections.abc import Callable


class Progress:
    """Told by the work what is done; this one shows it to nobody.

    Attributes:
        is_stopped: whether the work should end at the next row's end.
    """

    is_stopped = False

    def expect(self, count: Callable[[], int]) -> None:
        """Take how many rows there are; they are counted only if somebody looks."""

    def advance(self, rows: int = 1) -> None:
        """Take how many more rows are done."""
