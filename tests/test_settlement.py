"""What staff settle by hand: an order outside DANA, a message that was not applied. And what they are refused."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from django_dana import background, services
from django_dana.models import ApiCall, CancelRequest, Notification, Order, RefundRequest
from django_dana.services import settlement, unapplied
from tests.factories import fresh, new_order, order_with

pytestmark = pytest.mark.django_db

NO_MONEY = "No money of this order is with us, so there is nothing to settle."
ON_ITS_WAY = "Money is on its way back. Wait for the end of it, or stop it, so that it does not go back twice."
ASKED = "DANA is being asked whether the money went back. Wait for its answer."


def paid(**fields: Any) -> Order:
    return order_with(create_status="success", payment_status="paid", paid_at=timezone.now(), **fields)


def refund(order: Order, **fields: Any) -> RefundRequest:
    defaults = {"status": "success", "unfinished": None, "give_up_at": timezone.now(), "amount": order.amount}
    return RefundRequest.objects.create(order=order, **{**defaults, **fields})


def cancel(order: Order, **fields: Any) -> CancelRequest:
    defaults = {"status": "failed", "unfinished": None, "give_up_at": timezone.now(), "amount": order.amount}
    return CancelRequest.objects.create(order=order, **{**defaults, **fields})


def why_not(order: Order) -> str | None:
    reason = services.why_not_settle_outside(order)
    return str(reason) if reason else None


# -- outside DANA -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payment_status", sorted(set(Order.PaymentStatus) - {"paid"}))
def test_without_money_of_ours_there_is_nothing_to_settle(payment_status: str) -> None:
    order = order_with(payment_status=payment_status)
    assert why_not(order) == NO_MONEY
    with pytest.raises(ValidationError, match="nothing to settle"):
        services.settle_outside(order, note="by bank transfer")
    assert fresh(order).settled_outside_at is None


def test_a_paid_order_can_be_settled_outside_once() -> None:
    order = paid()
    assert why_not(order) is None
    order = services.settle_outside(order, note="  by bank\n transfer ")
    assert order.settled_outside_note == "by bank transfer"
    assert why_not(order) == "It is noted already that this order was settled outside DANA."


def test_not_while_money_is_on_its_way_back() -> None:
    by_cancel, by_refund = paid(), paid()
    cancel(by_cancel, status="pending", unfinished=True)
    refund(by_refund, status="pending", unfinished=True, next_attempt_at=timezone.now())
    assert (why_not(by_cancel), why_not(by_refund)) == (ON_ITS_WAY, ON_ITS_WAY)


def test_a_refund_whose_end_a_person_has_to_find_out_is_in_the_way_of_nothing_else() -> None:
    order = paid()
    request = refund(order, status="pending", unfinished=True, needs_attention="unsettled")
    assert why_not(order) is None
    RefundRequest.objects.filter(pk=request.pk).update(next_attempt_at=timezone.now())
    assert why_not(fresh(order)) == ON_ITS_WAY


def test_a_cancel_in_need_of_attention_is_still_on_its_way() -> None:
    order = paid()
    cancel(order, status="pending", unfinished=True, needs_attention="refused")
    assert why_not(order) == ON_ITS_WAY


def test_not_while_dana_is_asked_whether_the_money_went_back() -> None:
    order = paid(next_sync_at=timezone.now())
    assert why_not(order) is None, "asked about something else"
    cancel(order, status="aborted", needs_attention=CancelRequest.Attention.END_UNKNOWN)
    assert why_not(fresh(order)) == ASKED
    Order.objects.update(next_sync_at=None)
    assert why_not(fresh(order)) is None


def test_a_note_says_how_in_at_most_500_characters() -> None:
    order = paid()
    for note in ("", "  ", "x" * 501):
        with pytest.raises(ValidationError) as caught:
            services.settle_outside(order, note=note)
        assert list(caught.value.message_dict) == ["note"]
    assert len(services.settle_outside(order, note="x" * settlement.LONGEST_NOTE).settled_outside_note) == 500


def test_who_may_not_settle_is_refused() -> None:
    order = paid()
    with pytest.raises(PermissionDenied):
        services.settle_outside(order, note="by bank transfer", settled_by=User.objects.create(username="ani"))
    assert fresh(order).settled_outside_at is None


# -- messages that were not applied -----------------------------------------------------------------------------------


def message(**fields: Any) -> Notification:
    return Notification(**{"outcome": "unknown_order", "verified": True, "body": "{}", **fields})


@pytest.mark.parametrize("outcome", sorted(Notification.Outcome))
def test_a_message_that_changed_nothing_can_be_applied_again(outcome: str) -> None:
    reason = unapplied.why_not_apply_again(message(outcome=outcome))
    if outcome in ("unknown_order", "failed", "bad_signature"):
        assert reason is None
    else:
        assert str(reason) == "Applying it again would change nothing."


def test_a_message_that_was_reviewed_is_done_with() -> None:
    reviewed = message(reviewed_at=timezone.now())
    assert str(unapplied.why_not_apply_again(reviewed)) == "It has already been reviewed."
    assert str(unapplied.why_not_match(reviewed)) == "It has already been reviewed."
    with pytest.raises(ValidationError, match="already been reviewed"):
        services.apply_again(reviewed)


def test_a_message_that_has_an_order_or_no_signature_is_not_matched() -> None:
    order = new_order()
    assert str(unapplied.why_not_match(message(order=order))) == "It belongs to an order already."
    forged = message(verified=False)
    assert str(unapplied.why_not_match(forged)) == "Nobody has proved that DANA sent this message."
    with pytest.raises(ValidationError, match="Nobody has proved"):
        services.match_to_order(forged, order)
    assert unapplied.why_not_match(message()) is None


def test_a_message_is_not_about_an_order_that_was_never_sent() -> None:
    kept, order = message(), new_order()
    kept.save()
    with pytest.raises(ValidationError, match="not sent to DANA yet"):
        services.match_to_order(kept, order)
    kept.refresh_from_db()
    assert (kept.order, kept.reviewed_at) == (None, None)


def test_a_message_that_is_matched_is_reviewed_and_dana_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, order = message(), order_with(create_status="success", payment_status="initiated")
    kept.save()
    followed_up: list[Order] = []
    monkeypatch.setattr(background, "start_follow_up", followed_up.append)
    services.match_to_order(kept, order)
    assert followed_up == [order]
    kept.refresh_from_db()
    assert kept.order == order
    assert kept.reviewed_at is not None
    asked_at = fresh(order).next_sync_at
    assert asked_at is not None
    assert asked_at <= timezone.now()
    assert fresh(order).payment_status == "initiated"


def test_a_message_whose_signature_does_not_fit_changes_nothing() -> None:
    kept = message(headers={"X-SIGNATURE": "AAAA", "X-TIMESTAMP": "2026-11-21T16:30:00+07:00"})
    kept.save()
    with pytest.raises(ValidationError, match="DANA's keys in the setting do not fit this message"):
        services.apply_again(kept)
    kept.refresh_from_db()
    assert kept.outcome == "unknown_order"


# -- a cancel ---------------------------------------------------------------------------------------------------------


def test_once_a_cancel_is_asked_for_the_create_is_not_sent_again() -> None:
    now = timezone.now()
    order = order_with(create_status="pending", attempts=1, next_attempt_at=now)
    ApiCall.objects.create(order=order, operation="create", external_id="1", started_at=now, rule_code="no_reply")
    services.cancel_order(order)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("pending", None)
    assert fresh(order).revision > order.revision


def test_a_cancel_names_no_create_call_where_none_is_kept() -> None:
    cancel_request = services.cancel_order(paid())
    assert cancel_request.reason == ""
    assert "originalExternalId" not in json.loads(cancel_request.request_body)
