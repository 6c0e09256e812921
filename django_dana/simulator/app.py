"""The WSGI application: which path is what."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django_dana.simulator import api, checkout, control, overview, sandbox_tools
from django_dana.simulator.http import DELIVERY, ON_END, Reply, Request, read
from django_dana.simulator.journal import Call
from django_dana.simulator.operations import BY_PATH

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

Page = Callable[["Simulator", Request], Reply]

PAGES: Final[dict[str, Page]] = {
    "/": overview.page,
    checkout.PATH: checkout.page,
    checkout.CODE_PATH: checkout.code_page,
    sandbox_tools.PATH: sandbox_tools.execute,
}


class App:
    """The simulator as a WSGI application."""

    def __init__(self, dana: "Simulator") -> None:
        self._dana = dana

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> "_Body":
        """Answer one request."""
        request = read(environ)
        reply, call = self._reply(request)
        environ[DELIVERY] = reply.delivery
        start_response(reply.status_line, reply.all_headers)
        end = partial(self._dana.journal.close, call) if call else _nothing
        # our own server calls it before the last byte leaves, so that no call of the same client seems to overlap
        environ[ON_END] = end
        return _Body(reply.body, end)

    def _reply(self, request: Request) -> tuple[Reply, Call | None]:
        operation = BY_PATH.get(request.path)
        if operation is None:
            return self._page(request), None
        if request.method != "POST":
            return Reply(405, b"", headers=[("Allow", "POST")]), None
        call = self._dana.journal.open(operation, request)
        try:
            return api.answer(self._dana, operation, request, call), call
        except Exception:
            # a fault of the simulator itself must be seen as such, not as DANA's
            self._dana.journal.close(call)
            raise

    def _page(self, request: Request) -> Reply:
        if not _is_trusted(request.header("Host"), self._dana.base_url):
            return _refusal(
                421, error="The simulator is not known by this name. If it should be, name it --public-url."
            )
        if request.path.startswith(control.PREFIX):
            return control.answer(self._dana, request)
        page = PAGES.get(request.path)
        if page is None:
            paths = [*BY_PATH, *PAGES, control.PREFIX]
            return _refusal(404, error="The simulator has nothing here.", paths=paths)
        return page(self._dana, request)


def _refusal(status: int, **content: Any) -> Reply:
    return Reply(status, json.dumps(content).encode())


def _is_trusted(host: str, base_url: str) -> bool:
    """Whether no web page can have led a browser here under the name ``host``.

    A page on the web may let its own name point to this machine (DNS rebinding) and then read and press everything
    here. Numbers, names without a dot and localhost are nobody's to point anywhere. DANA's operations need no such
    care: they ask for a signature.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if "." not in name or name.endswith(".localhost") or name == urlsplit(base_url).hostname:
        return True
    return name.replace(".", "").isdecimal()


def _nothing() -> None:
    pass


class _Body:
    """The body of a reply, which tells when it has left."""

    def __init__(self, content: bytes, on_close: Callable[[], None]) -> None:
        self._content = content
        self.close = on_close

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
