"""The simulator: the engine, served over HTTP."""

import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.clock import Clock
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.faults import Fault
from django_dana.simulator.engine.merchants import Merchant
from django_dana.simulator.web import access
from django_dana.simulator.web.app import App
from django_dana.simulator.web.server import Server


class Simulator(Engine):
    """A DANA in this process: merchants, orders, faults, a server, and controls for time and payments.

    Use it as a context manager, or call :meth:`start` and :meth:`close`::

        with Simulator([Merchant("M-1", "P-1", public_key)]) as dana:
            ...
            dana.order("INV-1").pay()

    Attributes:
        app: the WSGI application (faults of the connection need our own server).
        control_token: what the control API and the overview ask for; empty where only this machine can reach them.
    """

    def __init__(
        self,
        merchants: Iterable[Merchant],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        private_key: RSAPrivateKey | str | None = None,
        seed: int | None = None,
        faults: Iterable[Fault | str] = (),
        behaviour: Behaviour | None = None,
        clock: Clock | None = None,
        public_url: str = "",
        control_token: str = "",
    ) -> None:
        """Prepare it; nothing listens yet.

        Args:
            merchants: the shops' accounts, all of sandbox.
            host: the address to listen on.
            port: the port, 0 for any free one.
            private_key: the key that signs notifications, or its text; by default one for all simulators of
                this process.
            seed: makes references, codes and the chance of faults the same in every run; by default a random one.
            faults: what goes wrong from the start.
            behaviour: how it behaves where DANA's pages leave it open.
            clock: its time.
            public_url: scheme and host under which buyers reach it, where that is not host and port.
            control_token: what the control API and the overview ask for; by default nothing, or a random one where
                ``host`` or ``public_url`` can be reached from beyond this machine.

        Raises:
            ValueError: there is no sandbox account, another kind of account, or a fault that can't be parsed.
            InvalidKey: a key can't be read.
        """
        self._host, self._port, self._public_url = host, port, public_url.rstrip("/")
        super().__init__(
            merchants,
            private_key=private_key,
            seed=seed,
            faults=faults,
            behaviour=behaviour,
            clock=clock,
            base_url=self._base_url(host, port),
        )
        self.control_token = control_token or ("" if self.is_local else secrets.token_urlsafe(24))
        self.app = App(self, control_token=self.control_token)
        self._server: Server | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        public_host = urlsplit(self._public_url).hostname or ""
        return access.is_local(self._host) and (not self._public_url or access.is_local(public_host))

    def _base_url(self, host: str, port: int) -> str:
        # an address that means "all of this machine's" is not one that a browser can open
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return self._public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self) -> Self:
        """Listen, in threads of its own. Raises OSError where the port is taken."""
        self._server = Server(self.app, self._host, self._port, closing=self.closing)
        self.shared.base_url = self._base_url(*self._server.address)
        self.start_threads()
        return self

    def close(self) -> None:
        """Stop listening and sending; end what is under way."""
        self.closing.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        self.stop_threads()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
