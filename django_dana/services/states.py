"""Finding orders by the one word that says where they stand.

What :attr:`Order.state` says of one order is said here of many, as a condition for the database. A test compares the
two for everything that may stand in a row.
"""

from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from django_dana.models import ApiCall, CancelRequest, Order, OrderState
from django_dana.models.orders import IN_REVIEW
from django_dana.protocol import operations

Payment: Final = Order.PaymentStatus


def in_state(orders: QuerySet[Order], state: OrderState, now: datetime | None = None) -> QuerySet[Order]:
    """Return the orders whose ``state`` is this one. The payment comes first, since it has an index."""
    now = now or timezone.now()
    if state in _BY_PAYMENT:
        return orders.filter(~_ATTENTION, payment_status=_BY_PAYMENT[state])
    if state is OrderState.CANCELLING:
        cancelling = orders.filter(~_ATTENTION, pk__in=_UNFINISHED.values("order_id"))
        return cancelling.exclude(payment_status__in=_BY_PAYMENT.values())
    if state is OrderState.IN_REVIEW:
        # as a list, since no database takes an index for "one or in a subquery"; they are few
        doubtful = Q(pk__in=list(_OF_UNKNOWN_END.values_list("order_id", flat=True)))
        return orders.filter(_ATTENTION | Q(payment_status=Payment.PAID) & ~_CANCELLING & doubtful)
    if state is OrderState.PAID:
        return orders.filter(~_ATTENTION, ~_CANCELLING, ~_about(_OF_UNKNOWN_END), payment_status=Payment.PAID)
    return orders.filter(~_ATTENTION, ~_CANCELLING, _unpaid(orders, state, now))


def _unpaid(orders: QuerySet[Order], state: OrderState, now: datetime) -> Q:
    """Return the condition of a state in which nothing is paid and no cancel is under way."""
    fresh = Q(payment_status__in=(Payment.NONE, Payment.INITIATED))
    going_on = fresh & ~_GIVEN_UP
    over = Q(valid_up_to__lte=now)
    succeeded = Q(create_status=Order.CreateStatus.SUCCESS)
    match state:
        case OrderState.EXPIRED:
            return Q(payment_status=Payment.EXPIRED) | going_on & over & ~(succeeded | _may_be_at_dana())
        case OrderState.CONFIRMING:
            return Q(payment_status=Payment.PAYING) | going_on & over & (succeeded | _may_be_at_dana())
        case OrderState.REFUSED:
            return fresh & _GIVEN_UP
        case OrderState.PREPARING:
            return going_on & ~over & ~succeeded
    payable = going_on & ~over & succeeded
    lacking = _lack_address(orders.filter(payable))
    if state is OrderState.PAYABLE:
        return payable & ~lacking
    return Q(payment_status=Payment.NOT_FOUND) | payable & lacking


def _about(rows: QuerySet[Any]) -> Q:
    """Return the condition that one of these rows is about the order."""
    return Q(Exists(rows.filter(order=OuterRef("pk"))))


_BY_PAYMENT: Final = {OrderState.CANCELLED: Payment.CANCELLED, OrderState.REFUNDED: Payment.REFUNDED}
_ATTENTION: Final = Q(needs_attention__in=IN_REVIEW)
_GIVEN_UP: Final = Q(create_status=Order.CreateStatus.FAILED, next_attempt_at=None)
_UNFINISHED: Final = CancelRequest.objects.filter(unfinished__in=[True])
#: A pending one is unfinished, so of those that are not only these are left.
_OF_UNKNOWN_END: Final = CancelRequest.objects.filter(needs_attention=CancelRequest.Attention.END_UNKNOWN)
_CANCELLING: Final = _about(_UNFINISHED)


def _may_be_at_dana() -> Q:
    return _about(ApiCall.objects.of(operations.CREATE_ORDER).may_have_acted())


def _lack_address(payable: QuerySet[Order]) -> Q:
    """Return the condition that the address is missing which the payment method promises.

    What a method promises the database does not know; payable orders without any address are few, and soon over.
    """
    bare = payable.filter(payment_code="").exclude(web_redirect_url__startswith="https://")
    needed = ("web_redirect_url", "payment_code", "pay_option_details")
    rows = bare.order_by().prefetch_related(None).only(*needed)
    return Q(pk__in=[order.pk for order in rows if order.lacks_address])
