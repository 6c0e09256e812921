"""One bounded HTTP exchange: a signed-for request out, a whole reply back, or :class:`NoReply`.

The time-out of urllib3 counts each read by itself, so a server that drips one byte a second outlives it. Here
one deadline covers everything on the connection's own socket, from connect to the last byte. Looking up the
host's name is the resolver's time and is not covered.
"""

import base64
import http.client
import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from django_dana.exceptions import NoReply, UnexpectedReply
from django_dana.protocol.secret import Secret

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_REPLY_BYTES: Final = 256 * 1024

# ValueError: what is no address or no header, and a label of the host's name that no name server can be asked for.
_NO_REPLY: Final = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)

# The reply is read here, under the deadline.
_ONCE: Final[Any] = {"retries": False, "redirect": False, "preload_content": False, "decode_content": False}

_deadline: ContextVar[float] = ContextVar("deadline")


@dataclass(frozen=True, slots=True)
class RawReply:
    """A whole HTTP reply."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Transport:
    """Keeps connections to one host alive. Safe in threads; not to be carried over a fork."""

    def __init__(self, *, proxy: Secret | str | None) -> None:
        self._proxy = Secret(proxy) if proxy else None

    @cached_property
    def _pools(self) -> urllib3.PoolManager:
        # made with the first call, where what is wrong with the proxy's address is an error like any other
        return _pools(self._proxy)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> RawReply:
        """Send exactly these bytes, once, and return the whole reply.

        Nothing is repeated and no redirect is followed, so one call here is at most one request on the wire.

        Raises:
            NoReply: no whole reply came within the time-out.
            UnexpectedReply: the reply is longer than MAX_REPLY_BYTES, or encoded.
        """
        if "://" not in url:
            # urllib3 would take it for http
            raise NoReply("the address has no scheme")
        try:
            with (
                _deadline_in(timeout),
                self._pools.urlopen("POST", url, body=body, headers=headers, timeout=timeout, **_ONCE) as response,
            ):
                if encoding := response.headers.get("Content-Encoding"):
                    # we ask for none, and a few bytes of one can become any number
                    raise UnexpectedReply(f"reply with Content-Encoding {encoding[:20]!r}", response.status)
                content = _read(response)
        except _NO_REPLY as error:
            # not from the error: the variables of its frames hold the headers for the proxy
            raise NoReply(_reason(error)) from None
        except BaseException as error:  # noqa: BLE001  it is raised again
            # a worker's time limit, for one, may end it anywhere, and its frames hold them as well
            raise error.with_traceback(None) if self._proxy else error from None
        if len(content) > MAX_REPLY_BYTES:
            text = content[:MAX_REPLY_BYTES].decode("utf-8", "replace")
            raise UnexpectedReply(f"reply longer than {MAX_REPLY_BYTES} bytes", response.status, text)
        return RawReply(response.status, content, response.headers)


def _read(raw: urllib3.BaseHTTPResponse) -> bytes:
    """Read up to one byte more than allowed; what is cut short raises IncompleteRead."""
    content = bytearray()
    while len(content) <= MAX_REPLY_BYTES:
        chunk = raw.read(MAX_REPLY_BYTES + 1 - len(content), decode_content=False)
        if not chunk:
            break
        content += chunk
    return bytes(content)


def _reason(error: BaseException) -> str:
    """Name the innermost cause: requests and urllib3 wrap it several times, with the URL in every text."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return f"{type(error).__name__}: {error}"[:300]


@contextmanager
def _deadline_in(seconds: float) -> Iterator[None]:
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining() -> float:
    remaining = _deadline.get() - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("the deadline for the whole call is over")
    return remaining


def _until_deadline(sock: socket.socket) -> socket.socket:
    try:
        sock.settimeout(_remaining())
    except TimeoutError:
        sock.close()
        raise
    return sock


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, each time only until the deadline."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._sock.settimeout(_remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _DeadlineMixin:
    """For urllib3's connections: connecting, TLS, sending and reading all draw on the one deadline."""

    response_class = _DeadlineResponse

    def _new_conn(self: Any) -> socket.socket:
        addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        for position, (*_, address) in enumerate(addresses):
            # a fair share each, so that one dead address of a name leaves time for the next
            share = _remaining() / (len(addresses) - position)
            try:
                host, port = str(address[0]), int(address[1])
                sock = create_connection((host, port), share, socket_options=self.socket_options)
            except OSError:
                if position == len(addresses) - 1:
                    raise
            else:
                return _until_deadline(sock)
        raise OSError("the host's name has no address")

    def getresponse(self: Any) -> Any:
        if self.sock is None:
            # urllib3 goes on after some errors while sending, also where they closed the connection
            raise ConnectionResetError("the connection was closed while the request was sent")
        return super().getresponse()  # type: ignore[misc]

    def send(self: Any, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(_remaining())
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_DeadlineMixin, HTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_DeadlineMixin, HTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def _pools(proxy: Secret | None) -> urllib3.PoolManager:
    # certificates that a slim image may lack; a connection for each of so many threads
    options: Any = {"ca_certs": certifi.where(), "cert_reqs": "CERT_REQUIRED", "maxsize": 10}
    pools = _proxied(*_without_password(proxy), options) if proxy else urllib3.PoolManager(**options)
    pools.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return pools


def _proxied(address: str, authorization: Secret | None, options: Any) -> urllib3.ProxyManager:
    if authorization is None:
        return urllib3.ProxyManager(address, **options)
    return urllib3.ProxyManager(address, proxy_headers={"Proxy-Authorization": authorization.reveal()}, **options)


def _without_password(proxy: Secret) -> tuple[str, Secret | None]:
    """Return the address of a proxy without user and password, and the header that has them.

    Left in the address, they would be in the text of errors about it. Nothing is parsed here that may be refused.
    """
    scheme, separator, rest = proxy.reveal().partition("://")
    user, _, host = (rest if separator else scheme).rpartition("@")
    address = f"{scheme if separator else 'http'}://{host}"
    if not user:
        return address, None
    return address, Secret("Basic " + base64.b64encode(unquote(user).encode("utf-8", "replace")).decode("ascii"))
