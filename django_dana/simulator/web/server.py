"""A threaded HTTP/1.1 server for one WSGI application, which can also fail on the wire as it is told."""

import io
import logging
import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django_dana.simulator.web.http import DELIVERY, IS_GONE, LONGEST_BODY, ON_END, RAW_HEADERS, Delivery

_log = logging.getLogger(__name__)

# an idle connection is closed after this many seconds
_IDLE: Final = 30.0
# how long close() waits for replies that are still being made
_PATIENCE: Final = 5.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens, and serves in threads of its own, from the moment it is made."""

    daemon_threads = True
    # a restarted simulator takes its port back at once
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, app: Application, host: str, port: int, *, closing: threading.Event) -> None:
        """Bind and begin to serve.

        Args:
            app: the WSGI application.
            host: the address.
            port: the port, 0 for any free one.
            closing: set when replies that sleep shall wake up.

        Raises:
            OSError: the address can't be bound.
        """
        self.app = app
        self.closing = closing
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="dana-server", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as bound."""
        return str(self.server_address[0]), int(self.server_address[1])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        with self._changed:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._connections.discard(request)
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong, unless the other side just went away."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("The simulator failed to serve a connection")

    def close(self) -> None:
        """Stop listening, end open connections and wait for the threads that serve them."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._changed:
            for connection in self._connections:
                _shut(connection)
            self._changed.wait_for(lambda: not self._connections, _PATIENCE)


def _shut(connection: socket.socket) -> None:
    # it may be gone already
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the overview page shows every call."""

    def __getattr__(self, name: str) -> Any:
        # the base class looks for do_GET, do_POST and so on: one method serves them all
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        environ = self._environ(body)
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            head[:] = [status, headers]
            return lambda data: None

        result = self.server.app(environ, start_response)
        try:
            content = b"".join(result)
            self._deliver(self._head(head[0], head[1], environ.get(DELIVERY)), content, environ)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _body(self) -> bytes | None:
        """Return the whole body; None after refusing one that is too large, of unknown length or cut short."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.send_error(411)
        elif int(length) > LONGEST_BODY:
            self.send_error(413)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                return body
        self.close_connection = True
        return None

    def _environ(self, body: bytes) -> dict[str, Any]:
        parts = urlsplit(self.path)
        host, port = self.server.address
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(parts.path, "latin-1"),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            RAW_HEADERS: list(self.headers.items()),
            IS_GONE: self._is_gone,
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ

    def _is_gone(self) -> bool:
        """Whether the other side has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        with suppress(OSError):
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        return True

    def _deliver(self, head: bytes, content: bytes, environ: dict[str, Any]) -> None:
        delivery: Delivery | None = environ.get(DELIVERY)
        if self.command == "HEAD":
            content = b""
        if delivery is not None and delivery.kind == "drip":
            self._drip(head, content, delivery)
        environ[ON_END]()
        if delivery is None:
            self.wfile.write(head + content)
        elif delivery.kind == "reset":
            self._reset()
        elif delivery.kind == "cut":
            self.wfile.write(head + content[: len(content) // 2])
        elif delivery.kind == "drip":
            self.wfile.write(content[-delivery.size :])

    def _head(self, status: str, headers: list[tuple[str, str]], delivery: Delivery | None) -> bytes:
        self.close_connection = self.close_connection or delivery is not None
        connection = [("Connection", "close")] if self.close_connection else []
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in [*headers, *connection])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _drip(self, head: bytes, content: bytes, delivery: Delivery) -> None:
        """Send all but the last piece, slowly."""
        self.wfile.write(head)
        for start in range(0, len(content) - delivery.size, delivery.size):
            if self.server.closing.wait(delivery.seconds):
                break
            self.wfile.write(content[start : start + delivery.size])

    def _reset(self) -> None:
        """Close so that the other side sees a reset: at once, and without waiting for what was not sent."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
