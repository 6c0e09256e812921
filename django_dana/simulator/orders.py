"""What DANA believes about every order, and the changes it can go through."""

import hashlib
import heapq
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django_dana.simulator import methods
from django_dana.simulator.clock import Clock
from django_dana.simulator.methods import Method


class State(StrEnum):
    """Where an order stands, in the words of DANA's acquirementStatus."""

    INIT = "INIT"
    PAYING = "PAYING"
    SUCCESS = "SUCCESS"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


STATUS = {
    State.INIT: "01",
    State.PAYING: "02",
    State.SUCCESS: "00",
    State.CLOSED: "05",
    State.CANCELLED: "05",
}


class WrongState(Exception):
    """The order is not in a state in which this can happen."""


@dataclass(slots=True)
class Refund:
    """Money given back."""

    number: str
    refund_no: str
    amount: Decimal
    content: dict[str, Any]
    moment: datetime


@dataclass(slots=True)
class Order:
    """One order at DANA. ``content`` is the body of Create Order, read; ``answer`` what DANA told the shop."""

    merchant_id: str
    partner_id: str
    reference: str
    reference_no: str
    amount: Decimal
    currency: str
    content: dict[str, Any]
    external_id: str
    created_at: datetime
    valid_up_to: datetime
    method: Method | None = None
    payment_code: str = ""
    web_redirect_url: str = ""
    state: State = State.INIT
    paid_with: Method | None = None
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    payments: int = 0
    refunds: list[Refund] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The title that buyers read."""
        return str(self.content["additionalInfo"]["order"]["orderTitle"])

    @property
    def refunded(self) -> Decimal:
        """The sum of all refunds."""
        return sum((refund.amount for refund in self.refunds), Decimal(0))

    @property
    def is_refunded(self) -> bool:
        """Whether all of it was given back."""
        return bool(self.refunds) and self.refunded >= self.amount

    @property
    def is_open(self) -> bool:
        """Whether it can still be paid."""
        return self.state in (State.INIT, State.PAYING)

    def url(self, kind: str) -> str:
        """Return the shop's address of that kind (PAY_RETURN, NOTIFICATION), or an empty string."""
        return next((item["url"] for item in self.content["urlParams"] if item["type"] == kind), "")


class Orders:
    """All orders, and the only place where they change. Every method takes the one lock of the simulator."""

    def __init__(
        self,
        *,
        lock: threading.RLock,
        clock: Clock,
        seed: int,
        on_final: Callable[[Order, int], None],
    ) -> None:
        """``on_final`` is called with an order whose end DANA notifies, and with the number of copies to send."""
        self._lock = lock
        self._clock = clock
        self._seed = seed
        self._on_final = on_final
        self._orders: dict[tuple[str, str], Order] = {}
        self._by_number: dict[str, Order] = {}
        self._refunds: dict[tuple[str, str], tuple[Order, Refund]] = {}
        # (validUpTo, DANA's number), soonest first
        self._deadlines: list[tuple[datetime, str]] = []

    def __iter__(self) -> Iterator[Order]:
        with self._lock:
            return iter(list(self._orders.values()))

    def clear(self) -> None:
        """Forget all orders."""
        with self._lock:
            self._orders.clear()
            self._by_number.clear()
            self._refunds.clear()
            self._deadlines.clear()

    def add(self, order: Order) -> None:
        """Take in a new order."""
        with self._lock:
            self._orders[order.merchant_id, order.reference] = order
            self._by_number[order.reference_no] = order
            heapq.heappush(self._deadlines, (order.valid_up_to, order.reference_no))

    def get(self, merchant_id: str, reference: str) -> Order | None:
        """Return an order by its merchant and the shop's reference."""
        with self._lock:
            return self._orders.get((merchant_id, reference))

    def by_number(self, reference_no: str) -> Order | None:
        """Return an order by DANA's own number."""
        with self._lock:
            return self._by_number.get(reference_no)

    def by_payment_code(self, payment_code: str) -> Order | None:
        """Return an order by its virtual account number or QR content."""
        return next((order for order in self if payment_code and order.payment_code == payment_code), None)

    def find(self, reference: str, merchant_id: str | None = None) -> Order:
        """Return the order of a reference, whichever merchant's it is unless one is named.

        Raises:
            LookupError: there is none, or several merchants have one.
        """
        found = [order for order in self if order.reference == reference and merchant_id in (None, order.merchant_id)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} orders have the reference {reference!r}.")
        return found[0]

    def number(self, *parts: str, digits: int = 35) -> str:
        """Return a number that looks random but is the same in every run with the same seed."""
        text = "\x00".join((str(self._seed), *parts))
        return str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[-digits:]

    def pay(
        self,
        order: Order,
        method: Method | None = None,
        *,
        copies: int = 1,
        even_if_closed: bool = False,
    ) -> None:
        """Take the buyer's money.

        Args:
            order: the order.
            method: how it is paid; by default as the order asks, else from the DANA balance.
            copies: how many notifications tell the shop.
            even_if_closed: take it although the order was cancelled or has expired.

        Raises:
            WrongState: it is paid already, or closed.
        """
        with self._lock:
            self.expire_due()
            if not order.is_open and not (even_if_closed and order.state is not State.SUCCESS):
                raise WrongState(f"The order is {order.state}.")
            order.state = State.SUCCESS
            order.paid_with = method or order.method or methods.BALANCE
            order.paid_at = self._clock.now()
            order.payments += 1
            self._on_final(order, copies)

    def start_paying(self, order: Order) -> None:
        """Have the money in, not final yet: status 02. Raises WrongState."""
        with self._lock:
            if order.state is not State.INIT:
                raise WrongState(f"The order is {order.state}.")
            order.state = State.PAYING

    def expire(self, order: Order) -> None:
        """Close an unpaid order at once. Raises WrongState."""
        with self._lock:
            if not order.is_open:
                raise WrongState(f"The order is {order.state}.")
            self._close(order)

    def expire_due(self) -> None:
        """Close every unpaid order whose validUpTo has passed."""
        with self._lock:
            now = self._clock.now()
            while self._deadlines and self._deadlines[0][0] <= now:
                order = self._by_number[heapq.heappop(self._deadlines)[1]]
                if order.state is State.INIT:
                    self._close(order)

    def _close(self, order: Order) -> None:
        order.state = State.CLOSED
        order.closed_at = self._clock.now()
        self._on_final(order, 1)

    def cancel(self, order: Order, *, notify: bool) -> None:
        """Cancel for the merchant; what was paid goes back."""
        with self._lock:
            order.state = State.CANCELLED
            order.cancelled_at = self._clock.now()
            if notify:
                self._on_final(order, 1)

    def refund(self, order: Order, refund: Refund, *, notify: bool) -> None:
        """Give back a part or all of what was paid."""
        with self._lock:
            order.refunds.append(refund)
            self._refunds[order.merchant_id, refund.number] = (order, refund)
            if notify:
                self._on_final(order, 1)

    def refund_by_number(self, merchant_id: str, number: str) -> tuple[Order, Refund] | None:
        """Return the refund that a merchant made under that partnerRefundNo, with its order."""
        with self._lock:
            return self._refunds.get((merchant_id, number))
