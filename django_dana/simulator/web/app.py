"""The WSGI application: what each path leads to."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from django_dana.simulator.engine.addresses import CHECKOUT_PATH
from django_dana.simulator.engine.call_log import Call
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.operations import BY_PATH
from django_dana.simulator.web import access, api, checkout, control, overview, sandbox_tools
from django_dana.simulator.web.http import DELIVERY, ON_END, Reply, Request, from_environ

Page = Callable[[Engine, Request], Reply]

PAGES: Final[dict[str, Page]] = {
    overview.PATH: overview.page,
    CHECKOUT_PATH: checkout.page,
    checkout.CODE_PATH: checkout.code_page,
    sandbox_tools.PATH: sandbox_tools.execute,
}


class App:
    """The simulator as a WSGI application."""

    def __init__(self, engine: Engine, *, control_token: str = "") -> None:
        self._engine = engine
        self._control_token = control_token

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> "_Body":
        """Answer one request."""
        request = from_environ(environ)
        reply, call = self._reply(request)
        environ[DELIVERY] = reply.delivery
        start_response(reply.status_line, reply.all_headers)
        end = partial(self._engine.call_log.close, call) if call else _nothing
        # our own server calls it before the last byte leaves, so that calls of one client never seem to overlap
        environ[ON_END] = end
        return _Body(reply.body, end)

    def _reply(self, request: Request) -> tuple[Reply, Call | None]:
        endpoint = BY_PATH.get(request.path)
        if endpoint is None:
            return self._page(request), None
        if request.method != "POST":
            return Reply(405, b"", headers=[("Allow", "POST")]), None
        call = self._engine.call_log.open(endpoint, request)
        try:
            return api.answer(self._engine, endpoint, request, call), call
        except Exception:
            # a bug of the simulator must show as such, not as an answer of DANA's
            self._engine.call_log.close(call)
            raise

    def _page(self, request: Request) -> Reply:
        if not access.is_trusted_host(request.header("Host"), self._engine.base_url):
            return _refusal(421, error="The simulator does not answer to this name. Set it with --public-url.")
        is_control = request.path.startswith(control.PREFIX)
        if (is_control or request.path == overview.PATH) and not access.may_control(request, self._control_token):
            return _refusal(401, error="Send the control token that the simulator printed when it started.")
        if is_control:
            return control.answer(self._engine, request)
        page = PAGES.get(request.path)
        if page is None:
            paths = [*BY_PATH, *PAGES, control.PREFIX]
            return _refusal(404, error="The simulator has nothing here.", paths=paths)
        return page(self._engine, request)


def _refusal(status: int, **content: Any) -> Reply:
    return Reply(status, json.dumps(content).encode())


def _nothing() -> None:
    pass


class _Body:
    """The body of a reply, which reports when it has left."""

    def __init__(self, content: bytes, on_close: Callable[[], None]) -> None:
        self._content = content
        self.close = on_close

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
