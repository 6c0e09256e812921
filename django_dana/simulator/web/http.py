"""HTTP requests and replies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from django_dana.simulator.engine.incoming import IncomingRequest

# environ keys that our own server and our WSGI application share
RAW_HEADERS: Final = "django_dana.simulator.headers"
DELIVERY: Final = "django_dana.simulator.delivery"
IS_GONE: Final = "django_dana.simulator.is_gone"
ON_END: Final = "django_dana.simulator.on_end"

LONGEST_BODY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a reply leaves the socket when something goes wrong on the way.

    Attributes:
        kind: ``drop`` (the connection ends without a byte), ``reset`` (likewise, with a TCP reset),
            ``cut`` (half of the body, then the end), ``drip`` (a few bytes at a time).
        seconds: the pause between two pieces of a drip.
        size: the bytes of one piece.
    """

    kind: str
    seconds: float = 0.0
    size: int = 1


@dataclass(frozen=True, slots=True)
class Request(IncomingRequest):
    """One whole HTTP request; ``is_gone`` tells whether its sender has hung up, where the server can know."""

    method: str
    query: dict[str, str]
    is_gone: Callable[[], bool] = lambda: False

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON, which no HTML form can."""
        return self.header("Content-Type").partition(";")[0].strip().lower() == "application/json"

    def form(self) -> dict[str, str]:
        """Return the fields of a posted HTML form."""
        return _single(parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True))


def from_environ(environ: dict[str, Any]) -> Request:
    """Return the request of a WSGI environ."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = environ.get(RAW_HEADERS) or list(_headers(environ))
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/"),
        query=_single(parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=environ["wsgi.input"].read(length) if length else b"",
        is_gone=environ.get(IS_GONE, lambda: False),
    )


def _single(values: dict[str, list[str]]) -> dict[str, str]:
    return {name: items[-1] for name, items in values.items()}


def _headers(environ: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield headers under any WSGI server; their spelling is lost there."""
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").title(), value
        elif name in {"CONTENT_TYPE", "CONTENT_LENGTH"} and value:
            yield name.replace("_", "-").title(), value


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    delivery: Delivery | None = None

    @property
    def status_line(self) -> str:
        """The status with its phrase, as WSGI wants it."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """The headers, Content-Type and length included."""
        return [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            *self.headers,
        ]
