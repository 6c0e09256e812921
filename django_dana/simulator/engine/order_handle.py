"""What a buyer, or DANA itself, does to one order."""

from decimal import Decimal
from typing import Self

from django_dana.simulator.engine import methods
from django_dana.simulator.engine.notifier import Notifier
from django_dana.simulator.engine.orders import Order, Orders
from django_dana.simulator.engine.schedule import Schedule


class OrderHandle:
    """One order, and what may happen to it besides the shop's own calls."""

    def __init__(self, order: Order, orders: Orders, schedule: Schedule, notifier: Notifier) -> None:
        self.order = order
        self._orders = orders
        self._schedule = schedule
        self._notifier = notifier

    @property
    def state(self) -> str:
        """INIT, PAYING, SUCCESS, CLOSED or CANCELLED."""
        self._schedule.run_due()
        return str(self.order.state)

    def pay(self, method: str = "", *, copies: int = 1, even_if_closed: bool = False) -> Self:
        """Pay it.

        Args:
            method: a payOption, or BALANCE; by default as the order asks, else BALANCE.
            copies: how many notifications are sent to the shop.
            even_if_closed: take the money although the order was cancelled or has expired.

        Raises:
            WrongState: it is already paid, or closed.
            ValueError: there is no such method.
        """
        found = methods.by_name(method) if method else None
        if method and found is None:
            raise ValueError(f"Unknown payment method {method!r}.")
        self._orders.pay(self.order, found, copies=copies, even_if_closed=even_if_closed)
        return self

    def start_paying(self) -> Self:
        """Set status 02: the money is in, but not final yet. Raises WrongState."""
        self._orders.start_paying(self.order)
        return self

    def expire(self) -> Self:
        """Close it unpaid, before its time. Raises WrongState."""
        self._orders.expire(self.order)
        return self

    def refund(self, amount: Decimal | None = None) -> Self:
        """Give back ``amount``, by default all that is left, as somebody does in DANA's portal. Raises WrongState."""
        self._orders.refund(self.order, self.order.refundable if amount is None else amount)
        return self

    def notify(self, copies: int = 1) -> Self:
        """Notify the shop of its state once more."""
        self._notifier.notify(self.order, copies)
        return self
