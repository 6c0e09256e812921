"""What DANA knows about every order, and the only place where an order changes."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any

from django_dana.simulator.engine import methods
from django_dana.simulator.engine.methods import Method
from django_dana.simulator.engine.schedule import Schedule
from django_dana.simulator.engine.shared import Shared


class State(StrEnum):
    """DANA's acquirementStatus."""

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


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back.

    Attributes:
        partner_refund_no: the shop's number of it; empty where DANA's portal made it.
        content: the body of Refund Order, parsed.
    """

    partner_refund_no: str
    refund_no: str
    amount: Decimal
    content: dict[str, Any]
    refunded_at: datetime


@dataclass(slots=True)
class Order:
    """One order at DANA.

    Attributes:
        content: the body of Create Order, parsed.
        is_foreign: another system of the same merchant made it, under a reference that a shop may use, too.
    """

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
    is_foreign: bool = False

    @property
    def title(self) -> str:
        """What buyers read."""
        return str(self.content["additionalInfo"]["order"]["orderTitle"])

    @property
    def refunded(self) -> Decimal:
        """The sum of all refunds."""
        return sum((refund.amount for refund in self.refunds), Decimal(0))

    @property
    def refundable(self) -> Decimal:
        """What is left to give back of the payment."""
        return self.amount - self.refunded

    @property
    def is_refunded(self) -> bool:
        """Whether the whole payment was given back."""
        return bool(self.refunds) and not self.refundable

    @property
    def is_open(self) -> bool:
        """Whether it can still be paid."""
        return self.state in (State.INIT, State.PAYING)

    def url(self, kind: str) -> str:
        """Return the shop's URL of that type (PAY_RETURN, NOTIFICATION), or an empty string."""
        return next((item["url"] for item in self.content["urlParams"] if item["type"] == kind), "")


class Orders:
    """All orders. Every method takes the simulator's lock."""

    def __init__(self, shared: Shared, schedule: Schedule, *, on_final: Callable[[Order, int], None]) -> None:
        """``on_final`` takes an order whose end DANA notifies, and the number of copies to send."""
        self._shared = shared
        self._schedule = schedule
        self._on_final = on_final
        self._orders: dict[tuple[str, str], Order] = {}
        self._by_number: dict[str, Order] = {}
        self._refunds: dict[tuple[str, str], tuple[Order, Refund]] = {}
        # DANA's number -> (since when, the order as it was), oldest first
        self._history: dict[str, list[tuple[datetime, Order]]] = defaultdict(list)

    def __iter__(self) -> Iterator[Order]:
        with self._shared.lock:
            return iter(list(self._orders.values()))

    def clear(self) -> None:
        """Forget all orders."""
        with self._shared.lock:
            for everything in (self._orders, self._by_number, self._refunds, self._history):
                everything.clear()

    def add(self, order: Order) -> None:
        """Take in a new order, and close it at its validUpTo unless it is paid by then."""
        with self._shared.lock:
            self._orders[order.merchant_id, order.reference] = order
            self._by_number[order.reference_no] = order
            self._remember(order)
            self._schedule.add(order.valid_up_to, partial(self._close_unpaid, order))

    def get(self, merchant_id: str, reference: str) -> Order | None:
        """Return an order by its merchant and the shop's reference."""
        with self._shared.lock:
            return self._orders.get((merchant_id, reference))

    def by_number(self, reference_no: str) -> Order | None:
        """Return an order by DANA's own number."""
        with self._shared.lock:
            return self._by_number.get(reference_no)

    def by_payment_code(self, payment_code: str) -> Order | None:
        """Return an order by its virtual account number or QR content."""
        return next((order for order in self if payment_code and order.payment_code == payment_code), None)

    def find(self, reference: str, merchant_id: str | None = None) -> Order:
        """Return the order with that reference, whichever merchant's it is unless one is named.

        Raises:
            LookupError: there is none, or several merchants have one.
        """
        found = [order for order in self if order.reference == reference and merchant_id in (None, order.merchant_id)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} orders have the reference {reference!r}.")
        return found[0]

    def as_of(self, order: Order, moment: datetime) -> Order | None:
        """Return a copy of ``order`` as it was at ``moment``, or None where it did not exist yet."""
        with self._shared.lock:
            earlier = [past for since, past in self._history[order.reference_no] if since <= moment]
        return earlier[-1] if earlier else None

    def _remember(self, order: Order) -> None:
        past = replace(order, refunds=list(order.refunds))
        self._history[order.reference_no].append((self._shared.clock.now(), past))

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
            copies: how many notifications are sent to the shop.
            even_if_closed: take the money although the order was cancelled or has expired.

        Raises:
            WrongState: it is already paid, or closed.
        """
        with self._shared.lock:
            self._schedule.run_due()
            if not order.is_open and not (even_if_closed and order.state is not State.SUCCESS):
                raise WrongState(f"The order is {order.state}.")
            order.state = State.SUCCESS
            order.paid_with = method or order.method or methods.BALANCE
            order.paid_at = self._shared.clock.now()
            order.payments += 1
            self._remember(order)
            self._on_final(order, copies)

    def start_paying(self, order: Order) -> None:
        """Set status 02: the money is in, but not final yet. Raises WrongState."""
        with self._shared.lock:
            if order.state is not State.INIT:
                raise WrongState(f"The order is {order.state}.")
            order.state = State.PAYING
            self._remember(order)

    def expire(self, order: Order) -> None:
        """Close an unpaid order at once. Raises WrongState."""
        with self._shared.lock:
            if not order.is_open:
                raise WrongState(f"The order is {order.state}.")
            self._close(order)

    def _close_unpaid(self, order: Order) -> None:
        if order.state is State.INIT:
            self._close(order)

    def _close(self, order: Order) -> None:
        order.state = State.CLOSED
        order.closed_at = self._shared.clock.now()
        self._remember(order)
        self._on_final(order, 1)

    def cancel(self, order: Order) -> None:
        """Cancel for the merchant; what was paid goes back."""
        with self._shared.lock:
            order.state = State.CANCELLED
            order.cancelled_at = self._shared.clock.now()
            self._remember(order)
            if self._shared.behaviour.notify_on_cancel:
                self._on_final(order, 1)

    def refund(
        self, order: Order, amount: Decimal, *, partner_refund_no: str = "", content: dict[str, Any] | None = None
    ) -> Refund:
        """Give back part or all of the payment; without a ``partner_refund_no``, as DANA's portal does.

        Raises:
            WrongState: the order is not paid, or less than ``amount`` is left.
        """
        with self._shared.lock:
            if order.state is not State.SUCCESS or not 0 < amount <= order.refundable:
                raise WrongState(f"The order is {order.state}; {order.refundable:.2f} can be refunded.")
            now, key = self._shared.clock.now(), partner_refund_no or f"portal {order.reference} {len(order.refunds)}"
            number = self._shared.number("refund", order.merchant_id, key, digits=27)
            refund = Refund(partner_refund_no, f"{now:%Y%m%d}{number:0>27}", amount, content or {}, now)
            order.refunds.append(refund)
            self._remember(order)
            if partner_refund_no:
                self._refunds[order.merchant_id, partner_refund_no] = (order, refund)
            if self._shared.behaviour.notify_on_refund:
                self._on_final(order, 1)
            return refund

    def refund_by_number(self, merchant_id: str, partner_refund_no: str) -> tuple[Order, Refund] | None:
        """Return the refund that a merchant made under that partnerRefundNo, with its order."""
        with self._shared.lock:
            return self._refunds.get((merchant_id, partner_refund_no))
