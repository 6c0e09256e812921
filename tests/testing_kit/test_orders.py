"""Orders in any state, for tests of what a shop does with them."""

from decimal import Decimal

import pytest
from django.test import Client

from django_dana.models import ApiCall
from django_dana.testing import make_order

pytestmark = pytest.mark.django_db

STATES = (
    *("preparing", "payable", "confirming", "paid", "in_review", "cancelling", "cancelled", "refunded", "expired"),
    *("refused", "start_again"),
)


@pytest.mark.parametrize("state", STATES)
def test_it_is_in_the_state_that_was_asked_for(state: str, client: Client) -> None:
    order = make_order(state)
    assert order.state == state
    assert not ApiCall.objects.exists()
    expected = 302 if state == "payable" else 200
    assert client.get(f"/dana/pay/{order.public_id}/").status_code == expected


def test_what_matters_to_a_test_is_given() -> None:
    order = make_order("paid", amount=Decimal("1.00"), title="Tea", metadata={"cart": 7})
    order.refresh_from_db()
    assert (order.amount, order.title, order.metadata) == (Decimal("1.00"), "Tea", {"cart": 7})
    assert order.paid_at


def test_two_orders_have_two_references() -> None:
    assert make_order().partner_reference_no != make_order().partner_reference_no


def test_a_state_that_is_none() -> None:
    with pytest.raises(ValueError, match="There is no state 'paidd'; the states are cancelled, "):
        make_order("paidd")
