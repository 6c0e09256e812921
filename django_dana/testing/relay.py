"""Brings notifications into the thread of the test.

The simulator sends from threads of its own, which see nothing of the transaction in which a test runs. So it sends to
this relay, and the test's thread takes each message from here to the shop's view.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

#: Seconds. A message that no test takes is answered with an error.
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop's view answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Message:
    """One notification on its way."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer = Answer(503, {}, b"")
    answered: threading.Event = field(default_factory=threading.Event)


class Relay:
    """An HTTP server that waits with each answer until somebody in another thread gives it."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Message] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._messages))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        while not self._messages.empty():
            self._messages.get().answered.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pass_on(self, deliver: Callable[[Message], Answer], *, timeout: float) -> bool:
        """Have the next message delivered in this thread; return whether one came in time."""
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return False
        try:
            message.answer = deliver(message)
        finally:
            message.answered.set()
        return True


def _handler(messages: "queue.Queue[Message]") -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            message = Message(self.path, dict(self.headers.items()), body)
            messages.put(message)
            message.answered.wait(_PATIENCE)
            self.send_response(message.answer.status)
            for name, value in message.answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(message.answer.body)))
            self.end_headers()
            self.wfile.write(message.answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing in a test."""

    return Handler
