"""An HTTP request as DANA's operations see it."""

from dataclasses import dataclass

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """Path, headers and raw body of one POST."""

    path: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, whatever the case of its name, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")
