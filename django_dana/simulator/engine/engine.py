"""All of DANA that is not HTTP, as one object."""

import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from django_dana.protocol import signing
from django_dana.protocol.notation import jakarta_time
from django_dana.simulator.engine import keys, snapshot
from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.call_log import Call, CallLog
from django_dana.simulator.engine.clock import Clock
from django_dana.simulator.engine.courier import Courier
from django_dana.simulator.engine.faults import Fault, Faults
from django_dana.simulator.engine.foreign_orders import foreign_order
from django_dana.simulator.engine.handling import CallHandler
from django_dana.simulator.engine.merchants import Merchant, Merchants
from django_dana.simulator.engine.notifications import Notification
from django_dana.simulator.engine.notifier import Notifier
from django_dana.simulator.engine.order_handle import OrderHandle
from django_dana.simulator.engine.orders import Order, Orders, WrongState
from django_dana.simulator.engine.schedule import Schedule
from django_dana.simulator.engine.shared import Shared

# seconds between two looks at what is due
_TICK: Final = 0.2


class Engine:
    """DANA without HTTP.

    Attributes:
        merchants: the accounts it knows.
        orders: what it knows about every order.
        call_log: the calls as they came.
        notifications: what it tells the shops.
        faults: what goes wrong.
        schedule: what is due later.
        handler: carries out the shops' calls.
        shared: clock, behaviour, seed and address.
        closing: set while it closes; whatever sleeps wakes up.
    """

    def __init__(
        self,
        merchants: Iterable[Merchant],
        *,
        private_key: RSAPrivateKey | str | None = None,
        seed: int | None = None,
        faults: Iterable[Fault | str] = (),
        behaviour: Behaviour | None = None,
        clock: Clock | None = None,
        base_url: str = "",
    ) -> None:
        """See :class:`django_dana.simulator.Simulator`."""
        self.merchants = Merchants(merchants)
        self.private_key = _private_key(private_key)
        self.shared = Shared(
            clock=clock or Clock(),
            behaviour=behaviour or Behaviour(),
            seed=secrets.randbits(32) if seed is None else seed,
            base_url=base_url,
        )
        self.closing = threading.Event()
        self.schedule = Schedule(self.shared)
        self.faults = Faults(self.shared)
        self.call_log = CallLog(self.shared)
        self.notifications = Notifier(self.shared, self.faults, Courier(self.shared, self.faults, self.private_key))
        self.orders = Orders(self.shared, self.schedule, on_final=self.notifications.notify)
        self.handler = CallHandler(self.shared, self.schedule, self.merchants, self.orders)
        self._ticker: threading.Thread | None = None
        for fault in faults:
            self.faults.add(fault)

    @property
    def lock(self) -> threading.RLock:
        """The one lock that guards all state."""
        return self.shared.lock

    @property
    def clock(self) -> Clock:
        """Its time."""
        return self.shared.clock

    @property
    def seed(self) -> int:
        """What makes a run repeatable: references, codes and the chance of faults depend on it."""
        return self.shared.seed

    @property
    def base_url(self) -> str:
        """Scheme, host and port at which it is reached, without a trailing slash."""
        return self.shared.base_url

    @property
    def public_key(self) -> str:
        """The text that a shop sets as DANA_PUBLIC_KEY: base64 on one line."""
        return keys.public_text(self.private_key)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves where DANA's pages leave it open."""
        return self.shared.behaviour

    def change_behaviour(self, **changes: Any) -> Behaviour:
        """Change its behaviour from now on; the values are those of :class:`Behaviour`."""
        with self.lock:
            self.shared.behaviour = replace(self.behaviour, **changes)
            return self.behaviour

    def start_threads(self) -> None:
        """Begin to send notifications and to look at what is due."""
        self.closing.clear()
        self.notifications.start()
        self._ticker = threading.Thread(target=self._tick, name="dana-clock", daemon=True)
        self._ticker.start()

    def stop_threads(self) -> None:
        """Send nothing more, and end what is under way."""
        self.closing.set()
        if self._ticker is not None:
            self._ticker.join()
        self.notifications.stop()

    def _tick(self) -> None:
        while not self.closing.wait(_TICK):
            self.schedule.run_due()

    def order(self, reference: str, merchant_id: str | None = None) -> OrderHandle:
        """Return the handle of an order. Raises LookupError: there is none, or several merchants have one."""
        return self._handle(self.orders.find(reference, merchant_id))

    def add_foreign_order(
        self, reference: str, amount: Decimal, *, merchant_id: str | None = None, notification_url: str = ""
    ) -> OrderHandle:
        """Add an order that another system of the merchant made under a reference which a shop may use, too.

        Args:
            reference: partnerReferenceNo.
            amount: rupiah.
            merchant_id: whose order it is; by default the first account's.
            notification_url: where that system is notified, if anywhere.

        Raises:
            LookupError: there is no such merchant.
            WrongState: the reference is taken.
        """
        merchant = self.merchants.by_id(merchant_id)
        with self.lock:
            if self.orders.get(merchant.merchant_id, reference) is not None:
                raise WrongState(f"There is an order with the reference {reference!r}.")
            order = foreign_order(self.shared, merchant, reference, amount, notification_url)
            self.orders.add(order)
        return self._handle(order)

    def _handle(self, order: Order) -> OrderHandle:
        return OrderHandle(order, self.orders, self.schedule, self.notifications)

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        return self.call_log.calls

    def sent(self, reference: str = "") -> list[Notification]:
        """Return all notifications so far, or those of one order."""
        return [item for item in self.notifications.all if reference in ("", item.reference)]

    def wait_for_notifications(self, timeout: float = 10.0) -> bool:
        """Wait until no notification is waiting or under way; return whether that was so in time."""
        return self.notifications.wait(timeout)

    def advance(self, seconds: float) -> None:
        """Let time pass at once: what is due meanwhile happens, each at its own moment."""
        self.schedule.advance(seconds)

    def reset(self) -> None:
        """Forget orders, calls, notifications, faults and all that is due."""
        with self.lock:
            for part in (self.orders, self.call_log, self.notifications, self.faults, self.schedule):
                part.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return its state as plain JSON values.

        Returns:
            ``orders``: each with merchant, reference, amount, state and status, times and refunds.
            ``requests``: for each merchant, operation and key (the order's reference; partnerRefundNo for a refund)
            the distinct bodies that were sent, in order; more than one where it should be one is a shop's mistake.
            ``calls``: each with start and end in seconds since the epoch, verdict, answer and faults.
            ``notifications``: each with all attempts to deliver it and what the shop answered.
        """
        with self.lock:
            self.schedule.run_due()
            calls = self.calls
            return {
                "seed": self.seed,
                "written_at": jakarta_time(self.clock.now()),
                "merchants": [
                    {"merchant_id": merchant.merchant_id, "partner_id": merchant.partner_id}
                    for merchant in self.merchants.all
                ],
                "orders": [snapshot.order_entry(order) for order in self.orders],
                "requests": snapshot.request_entries(calls),
                "calls": [asdict(call) for call in calls],
                "notifications": [asdict(item) for item in self.notifications.all],
            }

    def refunds(self) -> list[dict[str, Any]]:
        """Return all refunds as plain JSON values, in the order of their orders."""
        with self.lock:
            self.schedule.run_due()
            return [snapshot.refund_entry(order, refund) for order in self.orders for refund in order.refunds]


def _private_key(key: RSAPrivateKey | str | None) -> RSAPrivateKey:
    if key is None:
        return keys.of_this_process()
    return signing.load_private_key(key) if isinstance(key, str) else key
