"""The WSGI application: which path is what."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

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
        if request.path.startswith(control.PREFIX):
            return control.answer(self._dana, request)
        page = PAGES.get(request.path)
        if page is None:
            body = {"error": "The simulator has nothing here.", "paths": [*BY_PATH, *PAGES, control.PREFIX]}
            return Reply(404, json.dumps(body).encode())
        return page(self._dana, request)


def _nothing() -> None:
    pass


class _Body:
    """The body of a reply, which tells when it has left."""

    def __init__(self, content: bytes, on_close: Callable[[], None]) -> None:
        self._content = content
        self.close = on_close

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
