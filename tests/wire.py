"""A DANA that misbehaves on request: a real socket that plays a script, one act per HTTP request."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django_dana.protocol import operations

CREATE_PATH = operations.CREATE_ORDER.path
QUERY_PATH = operations.QUERY_PAYMENT.path
CANCEL_PATH = operations.CANCEL_ORDER.path
REFUND_PATH = operations.REFUND_ORDER.path

REFERENCE_NO = "20261121111212800100166000000000001"
REFUND_NO = "20261121111212800110166000000000002"
REFUND_TIME = "2026-11-21T16:40:00+07:00"
PAGE = "https://m.sandbox.dana.id/n/cashier/new/checkout?bizNo=1&sign=abc"


@dataclass
class Heard:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]


Act = Callable[[socket.socket, Heard], bool | None]
"""Plays one act; returns True if the connection may be used again."""


class Wire:
    """The server. ``script`` holds the acts still to come; the last one repeats."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self._script: list[Act] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._run(self._accept)

    def play(self, *acts: Act) -> None:
        """Set what happens next; the last act repeats."""
        with self._lock:
            self._script = list(acts)

    def bodies(self, path: str) -> list[bytes]:
        return [request.body for request in self.heard if request.path == path]

    def close(self) -> None:
        self.over.set()
        # shutdown, not close: only that wakes a thread that waits in accept or recv
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _run(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(30)
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            reusable: bool | None = True
            while reusable and not self.over.is_set():
                if self._peek() is reset_before_reading:
                    reset(connection, None)
                    self._next()
                    return
                request = _read_request(connection)
                if request is None:
                    return
                self.heard.append(request)
                reusable = self._next()(connection, request)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _peek(self) -> Act:
        return self._script[0]

    def _next(self) -> Act:
        with self._lock:
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def _read_request(connection: socket.socket) -> Heard | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Heard(first.split(" ")[1], headers, body, time.monotonic())


# -- acts ---------------------------------------------------------------------------------------------------------


def answer(content: Any, *, status: int | None = None, headers: dict[str, str] | None = None) -> Act:
    """Answer with JSON; the HTTP status is that of the responseCode unless it is given."""

    def act(connection: socket.socket, request: Heard) -> bool:
        value = content(request) if callable(content) else content
        number = status or int(value["responseCode"][:3])
        connection.sendall(http(number, json.dumps(value).encode(), headers))
        return True

    return act


def http(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return a whole HTTP response."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


def code(response_code: str, *, status: int | None = None, headers: dict[str, str] | None = None, **more: Any) -> Act:
    """Answer with one of DANA's codes, with what a success carries."""

    def content(request: Heard) -> dict[str, Any]:
        return {"responseCode": response_code, "responseMessage": "As told", **echo(request), **more}

    return answer(content, status=status, headers=headers)


def echo(request: Heard) -> dict[str, Any]:
    sent = request.json
    if request.path == CREATE_PATH:
        return {
            "partnerReferenceNo": sent["partnerReferenceNo"],
            "referenceNo": REFERENCE_NO,
            "webRedirectUrl": PAGE,
        }
    if request.path == REFUND_PATH:
        repeated = ("originalPartnerReferenceNo", "partnerRefundNo", "refundAmount")
        return {**{name: sent[name] for name in repeated}, "refundNo": REFUND_NO, "refundTime": REFUND_TIME}
    return {"originalPartnerReferenceNo": sent["originalPartnerReferenceNo"]}


def status(latest: str, *, amount: str | None = None, refunded: str | None = None, **more: Any) -> Act:
    """Answer a Query Payment with a transaction status; the amount is that of the order as far as it was heard."""
    fields: dict[str, Any] = {"latestTransactionStatus": latest, "originalReferenceNo": REFERENCE_NO, **more}
    if refunded is not None:
        fields["additionalInfo"] = {"amountDetail": {"refundAmount": {"value": refunded, "currency": "IDR"}}}
    if amount is not None:
        fields["amount"] = {"value": amount, "currency": "IDR"}
    return code("2005500", **fields)


def raw(data: bytes, *, reusable: bool = False) -> Act:
    """Send these bytes and nothing else."""

    def act(connection: socket.socket, request: Heard) -> bool:
        connection.sendall(data)
        return reusable

    return act


def body(data: bytes, http_status: int = 200) -> Act:
    """Answer with this body."""
    return raw(http(http_status, data), reusable=True)


def hang_up(connection: socket.socket, request: Heard) -> None:
    """Close without an answer, after the request was read (and maybe acted on)."""


def reset(connection: socket.socket, request: Heard | None) -> None:
    """Reset the connection after the request was read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_before_reading(connection: socket.socket, request: Heard) -> None:
    """Reset the connection before the request was read; the server knows this act by name."""
    raise NotImplementedError


def hang(wire: Wire) -> Act:
    """Read the request and never answer."""

    def act(connection: socket.socket, request: Heard) -> None:
        wire.over.wait(30)

    return act


def drip(wire: Wire, data: bytes, *, every: float) -> Act:
    """Send one byte after the other, slowly."""

    def act(connection: socket.socket, request: Heard) -> None:
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            if wire.over.wait(every):
                return

    return act


@contextmanager
def serving() -> Iterator[Wire]:
    """Run a server for the length of a block."""
    wire = Wire()
    try:
        yield wire
    finally:
        wire.close()
