"""Orders are found by the state that each of them has."""

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from django_dana.models import ApiCall, CancelRequest, Order, OrderState
from django_dana.protocol.payment_methods import PayOption
from django_dana.services.states import in_state
from tests import wire as w
from tests.factories import new_order, order_with

pytestmark = pytest.mark.django_db

SHORTLY = timedelta(microseconds=1)
UNKNOWN_END: dict[str, Any] = {"status": "aborted", "unfinished": None, "needs_attention": "end_unknown"}
CANCELS: list[list[dict[str, Any]]] = [
    [],
    [{"status": "new"}],
    [{"status": "pending", "rule_code": "4045700"}],
    [UNKNOWN_END],
    [UNKNOWN_END, {"status": "new"}],
    [{"status": "failed", "unfinished": None, "needs_attention": "refused"}],
]
OPTIONS = [[], [PayOption.ewallet("OVO", phone_number="081234567890")]]


def orders_of_every_kind(attention: str) -> list[Order]:
    """Write an order for each combination of what its state is made of beside the attention."""
    now = timezone.now()
    like = new_order()
    values = {field.attname: getattr(like, field.attname) for field in Order._meta.concrete_fields}
    kinds = product(
        Order.CreateStatus.values,
        Order.PaymentStatus.values,
        [now - timedelta(hours=1), now + timedelta(hours=1)],
        [None, now],
        ["", w.PAGE],
    )
    rows = []
    for number, (create, payment, until, next_attempt, url) in enumerate(kinds):
        own = {
            "id": None,
            "public_id": uuid4(),
            "partner_reference_no": f"INV-{number}",
            "pay_option_details": OPTIONS[number // 2 % 2],
        }
        state = {
            "create_status": create,
            "payment_status": payment,
            "needs_attention": attention,
            "valid_up_to": until,
            "next_attempt_at": next_attempt,
            "web_redirect_url": url,
        }
        rows.append(Order(**{**values, **own, **state}))
    Order.objects.all().delete()
    Order.objects.bulk_create(rows)
    return list(Order.objects.order_by("id"))


@pytest.mark.parametrize("attention", ["", "conflict", "account"])
def test_every_order_is_found_by_its_state_and_by_no_other(attention: str) -> None:
    orders = orders_of_every_kind(attention)
    late = timezone.now() + timedelta(days=1)
    cancels, calls = [], []
    for number, order in enumerate(orders):
        # each kind of order meets each kind of cancel, since their numbers share no factor with the pattern above
        for fields in CANCELS[number % 7 % 6] if number % 5 else []:
            cancels.append(  # noqa: PERF401
                CancelRequest(order=order, amount=order.amount, give_up_at=late, request_body="{}", **fields)
            )
        if number % 3:
            rule = "5005401" if number % 3 == 1 else "4005400"
            calls.append(
                ApiCall(
                    order=order,
                    operation="create",
                    rule_code=rule,
                    external_id=f"x-{number}",
                    started_at=order.created_at,
                )
            )
    CancelRequest.objects.bulk_create(cancels)
    ApiCall.objects.bulk_create(calls)
    now = timezone.now()
    expected = {order.pk: order.state for order in Order.objects.with_state()}
    assert set(expected.values()) == ({OrderState.IN_REVIEW} if attention == "conflict" else set(OrderState))
    found = [(order.pk, state) for state in OrderState for order in in_state(Order.objects.all(), state, now)]
    assert sorted(found) == sorted(expected.items())


def test_orders_are_found_by_the_state_that_they_have_at_that_moment() -> None:
    order = order_with(create_status="success", payment_status="initiated", web_redirect_url=w.PAGE)
    late = order.valid_up_to
    for now, state in ((None, OrderState.PAYABLE), (late - SHORTLY, OrderState.PAYABLE), (late, OrderState.CONFIRMING)):
        found = {each for each in OrderState if in_state(Order.objects.all(), each, now).exists()}
        assert found == {state}, now
