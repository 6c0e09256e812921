"""Text that must not be shown: the text of a key, the password of a proxy."""

from typing import Any


class Secret:
    """Text that ``repr`` and ``str`` hide, so that neither a log nor an error report shows it.

    Error reporters print the local variables of every frame. So a secret is wrapped as soon as it is read, and what
    calls :meth:`reveal` must not raise while it holds the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: "str | Secret") -> None:
        self._text: str = text._text if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Return the text. Use it in an expression; a variable may end up in an error report."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Any:
        # a pickle is a row in a broker or a cache, in the open
        raise TypeError("a Secret can't be pickled")
