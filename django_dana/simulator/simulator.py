"""The simulator as one object: shops, orders, faults, a server, and the hands that turn time and money."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from django_dana.protocol import signing
from django_dana.simulator import books, keys, methods
from django_dana.simulator.app import App
from django_dana.simulator.clock import Clock
from django_dana.simulator.faults import Fault, Faults
from django_dana.simulator.habits import Habits
from django_dana.simulator.journal import Call, Journal
from django_dana.simulator.merchants import Merchant, Merchants
from django_dana.simulator.notifications import Notification, Notifier
from django_dana.simulator.orders import Order, Orders
from django_dana.simulator.server import Server

# how often an order that nobody looks at is checked for its end
_TICK = 0.2


class Simulator:
    """A whole DANA in this process.

    Use it as a context manager, or call :meth:`start` and :meth:`close`::

        with Simulator([Merchant("M-1", "P-1", public_key)]) as dana:
            ...
            dana.order("INV-7").pay()

    Attributes:
        merchants: the shops it knows.
        orders: what it believes about every order.
        journal: the calls as they came.
        notifications: what it tells the shops.
        faults: what goes wrong.
        clock: its time.
        lock: the one lock that guards all of these.
        closing: set when it is closed; whatever sleeps wakes up.
        app: the whole as a WSGI application (faults of the connection need our own server).
    """

    def __init__(
        self,
        merchants: Iterable[Merchant],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        private_key: RSAPrivateKey | str | None = None,
        seed: int = 0,
        faults: Iterable[Fault | str] = (),
        habits: Habits | None = None,
        clock: Clock | None = None,
        public_url: str = "",
    ) -> None:
        """Prepare it; nothing listens yet.

        Args:
            merchants: the shops' accounts, all of sandbox.
            host: the address to listen on.
            port: the port, 0 for any free one.
            private_key: the key that signs notifications, or its text; by default one for all simulators of
                this process.
            seed: makes references, codes and the chance of faults the same in every run.
            faults: what goes wrong from the start.
            habits: how it behaves where DANA's pages leave it open.
            clock: its time.
            public_url: scheme and host under which buyers reach it, where that is not host and port.

        Raises:
            ValueError: there is no sandbox account, another kind of account, or a fault that is none.
            InvalidKey: a key can't be read.
        """
        self.merchants = Merchants(merchants)
        self.private_key = _private_key(private_key)
        self.seed = seed
        self.habits = habits or Habits()
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.faults = Faults(self.lock, self.clock, seed)
        self.journal = Journal(self.lock, self.clock)
        self.notifications = Notifier(self)
        self.orders = Orders(lock=self.lock, clock=self.clock, seed=seed, on_final=self.notifications.tell)
        self.app = App(self)
        self._address = (host, port)
        self._public_url = public_url.rstrip("/")
        self._server: Server | None = None
        self._ticker: threading.Thread | None = None
        for fault in faults:
            self.faults.add(fault)

    @property
    def base_url(self) -> str:
        """Scheme, host and port at which it is reached, without a slash at the end."""
        host, port = self._server.address if self._server else self._address
        # an address that means "all of this machine's" is none that a browser can open
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return self._public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def public_key(self) -> str:
        """The text that a shop sets as DANA_PUBLIC_KEY: base64 on one line."""
        return keys.public_text(self.private_key)

    def start(self) -> Self:
        """Listen, in threads of its own. Raises OSError where the port is taken."""
        self.closing.clear()
        self._server = Server(self.app, *self._address, closing=self.closing)
        self.notifications.start()
        self._ticker = threading.Thread(target=self._tick, name="dana-clock", daemon=True)
        self._ticker.start()
        return self

    def close(self) -> None:
        """Stop listening and sending; end what is under way."""
        self.closing.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._ticker is not None:
            self._ticker.join()
        self.notifications.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tick(self) -> None:
        while not self.closing.wait(_TICK):
            self.orders.expire_due()

    def order(self, reference: str, merchant_id: str | None = None) -> "OrderHandle":
        """Return the handle of an order. Raises LookupError: there is none, or several merchants have one."""
        return OrderHandle(self, self.orders.find(reference, merchant_id))

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        return self.journal.calls

    def sent(self, reference: str = "") -> list[Notification]:
        """Return all notifications so far, or those of one order."""
        return [item for item in self.notifications.all if reference in ("", item.reference)]

    def wait_for_notifications(self, timeout: float = 10.0) -> bool:
        """Wait until no notification is waiting or under way; return whether that came to pass in time."""
        return self.notifications.wait(timeout)

    def advance(self, seconds: float) -> None:
        """Let time pass at once; what expires by that is closed and notified."""
        self.clock.advance(seconds)
        self.orders.expire_due()

    def change_habits(self, **changes: Any) -> Habits:
        """Change how it behaves from now on; the values are those of :class:`Habits`."""
        with self.lock:
            self.habits = replace(self.habits, **changes)
            return self.habits

    def reset(self) -> None:
        """Forget orders, calls, notifications and faults."""
        with self.lock:
            self.orders.clear()
            self.journal.clear()
            self.notifications.clear()
            self.faults.clear()

    def books(self) -> dict[str, Any]:
        """Return what it believes and has seen, as plain JSON values; see :mod:`django_dana.simulator.books`."""
        return books.export(self)


def _private_key(key: RSAPrivateKey | str | None) -> RSAPrivateKey:
    if key is None:
        return keys.of_this_process()
    return signing.load_private_key(key) if isinstance(key, str) else key


class OrderHandle:
    """What a buyer, or DANA itself, does to one order."""

    def __init__(self, dana: Simulator, order: Order) -> None:
        self._dana = dana
        self.order = order

    @property
    def state(self) -> str:
        """INIT, PAYING, SUCCESS, CLOSED or CANCELLED."""
        self._dana.orders.expire_due()
        return str(self.order.state)

    def pay(self, method: str = "", *, copies: int = 1, even_if_closed: bool = False) -> Self:
        """Pay it.

        Args:
            method: a payOption, or BALANCE; by default as the order asks, else BALANCE.
            copies: how many notifications tell the shop.
            even_if_closed: take the money although the order was cancelled or has expired.

        Raises:
            WrongState: it is paid, or closed.
            ValueError: there is no such method.
        """
        found = methods.by_name(method) if method else None
        if method and found is None:
            raise ValueError(f"There is no way to pay {method!r}.")
        self._dana.orders.pay(self.order, found, copies=copies, even_if_closed=even_if_closed)
        return self

    def start_paying(self) -> Self:
        """Have the money in, not final yet: status 02. Raises WrongState."""
        self._dana.orders.start_paying(self.order)
        return self

    def expire(self) -> Self:
        """Close it unpaid, before its time. Raises WrongState."""
        self._dana.orders.expire(self.order)
        return self

    def notify(self, copies: int = 1) -> Self:
        """Tell the shop its state once more."""
        self._dana.notifications.tell(self.order, copies)
        return self
