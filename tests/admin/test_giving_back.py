"""Giving money back: what will happen, what was asked for before, and nothing by accident."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_dana import gateway, services
from django_dana.admin.base import ReadOnlyAdmin
from django_dana.models import CancelRequest, Order, RefundRequest
from tests import wire as w
from tests.admin.helpers import aborted, act_on, client_of, labels, messages_on, page, paid, payable, text, user_with
from tests.factories import fresh, fresh_refund, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db


def form_of(client: Client, order: Order, **data: str) -> dict[str, str]:
    """Return the form as somebody fills it in who has just opened the page."""
    form = client.get(page(order, "give-back")).context["form"]
    return {"choice": "all", "reason": "Stok habis", "version": form["version"].value(), **data}


def ask(client: Client, order: Order, **data: str) -> Any:
    """Open the page, fill it in and send it."""
    return client.post(page(order, "give-back"), form_of(client, order, **data), follow=True)


def test_the_page_says_what_will_happen(staff: Client) -> None:
    html = text(staff.get(page(paid(), "give-back")))
    assert "The whole order is cancelled at DANA, and Rp15,000.00 goes back to the buyer." in html
    assert "All of the payment goes back within 24 hours, so the order is cancelled at DANA." in html
    assert "A part of it" in html
    assert "Part of the payment goes back, which is a refund at DANA." in html
    assert "more than 24 hours" not in html
    assert "Can be cancelled until" in html


def test_after_24_hours_all_of_it_is_a_refund_and_the_page_says_why(staff: Client) -> None:
    order = paid(paid_at=timezone.now() - timedelta(hours=25))
    html = text(staff.get(page(order, "give-back")))
    assert "Rp15,000.00 is refunded at DANA." in html
    assert "It was paid more than 24 hours ago, when DANA no longer cancels, so it is refunded." in html
    ask(staff, order)
    assert RefundRequest.objects.get().amount == Decimal("15000.00")
    assert not CancelRequest.objects.exists()


def test_a_part_and_then_the_rest_are_refunds_and_then_nothing_is_left(staff: Client, clerk: User, dana: Wire) -> None:
    order = paid_order(dana)
    response = ask(staff, order, choice="part", amount="6,000", note="One cup of two.")
    part = RefundRequest.objects.get()
    assert (part.amount, part.reason, part.requested_by) == (Decimal("6000.00"), "Stok habis", clerk)
    assert LogEntry.objects.get().change_message == "Give Rp6,000.00 back: Stok habis\nOne cup of two."
    html = text(response)
    assert "Refund of Rp6,000.00 asked for by clerk" in html
    assert "Do not refund by other means." in html
    assert "Do not deliver" not in html
    assert "We have asked DANA to give Rp6,000.00 of it back; it is not confirmed yet." in html

    dana.play(w.code("2005800"))
    gateway.attempt(RefundRequest, part.pk)
    response = staff.get(page(order))
    assert response.context["summary"].badge == "partly given back"
    figures = {str(label): value for label, value in response.context["figures"]}
    assert (figures["Given back"], figures["Still with us"]) == ("Rp6,000.00", "Rp9,000.00")
    assert "Can be cancelled until" not in figures
    assert "We have given Rp6,000.00 of it back to you" in text(response)
    html = text(staff.get(page(order, "give-back")))
    assert "Part of this order was refunded already, so the rest is refunded." in html
    assert "All of it, Rp9,000.00" in html

    ask(staff, order)
    rest = RefundRequest.objects.latest("id")
    assert rest.amount == Decimal("9000.00")
    dana.play(w.code("2005800"))
    gateway.attempt(RefundRequest, rest.pk)
    assert staff.get(page(order)).context["summary"].badge == "given back"
    html = text(staff.get(page(order, "give-back")))
    assert "Nothing can be given back now." in html
    assert "Already refunded." in html


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Write how much of it goes back."),
        ("x", "Write an amount like Rp6,000.00."),
        ("6.000", "Write an amount like Rp6,000.00."),
        ("6,00", "Write an amount like Rp6,000.00."),
        ("-1", "Write an amount like Rp6,000.00."),
        ("1e3", "Write an amount like Rp6,000.00."),
        ("0", "amount"),
        ("15,000.01", "At most 15000.00 is left to refund."),
        ("15000", "This is all that is left. Choose “all of it”."),
        ("9" * 20, "amount"),
    ],
)
def test_an_amount_that_is_wrong_is_refused_at_its_field(staff: Client, amount: str, sentence: str) -> None:
    response = ask(staff, paid(), choice="part", amount=amount)
    (error,) = response.context["form"].errors["amount"]
    assert sentence in error.lower() or sentence in error
    assert f'value="{amount}"' in text(response) or not amount
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "Rp6,000.50"), ("en", "6000.5"), ("id", "6.000,50"), ("id", "6000,5"), ("id", " Rp 6.000,50 ")],
)
def test_an_amount_is_read_in_the_readers_notation(staff: Client, language: str, written: str) -> None:
    order = paid()
    data = form_of(staff, order, choice="part", amount=written)
    staff.post(page(order, "give-back"), data, headers={"Accept-Language": language})
    assert RefundRequest.objects.get().amount == Decimal("6000.50")


def test_nothing_is_chosen_for_the_person(staff: Client) -> None:
    order = paid()
    html = text(staff.get(page(order, "give-back")))
    assert "checked" not in html
    response = ask(staff, order, choice="")
    assert response.context["form"].errors["choice"]
    assert not CancelRequest.objects.exists()


def test_where_nothing_was_paid_nothing_is_given_back(staff: Client) -> None:
    html = text(staff.get(page(payable(), "give-back")))
    assert "so the buyer can't pay it any more" in html
    assert "Cancel (nothing was paid)" in html
    assert "Yes, give" not in html
    assert 'type="radio"' not in html


@pytest.mark.parametrize("reason", ["", "   ", "\t"])
def test_without_a_reason_nothing_is_sent(staff: Client, reason: str) -> None:
    response = ask(staff, paid(), reason=reason)
    assert "This field is required" in text(response)
    assert not CancelRequest.objects.exists()


def test_enter_presses_a_button_that_does_nothing(staff: Client) -> None:
    html = text(staff.get(page(paid(), "give-back")))
    form = html[html.index('<form method="post" class="dana-form">') :]
    # the first submit button of a form is the one that Enter presses; one that is disabled stops it
    assert form.index("<button") == form.index('<button type="submit" disabled hidden>')


@pytest.mark.parametrize("reason", ["x" * 257, "a\x00b", "a\tb"])
def test_a_reason_that_dana_can_not_take_is_refused_beside_its_field(staff: Client, reason: str) -> None:
    response = ask(staff, paid(), reason=reason)
    assert response.context["form"].errors["reason"]
    assert not CancelRequest.objects.exists()


def test_a_form_opened_while_it_was_unpaid_does_not_cancel_what_was_paid_since(staff: Client) -> None:
    order = payable()
    data = form_of(staff, order)
    Order.objects.filter(pk=order.pk).update(payment_status="paid", paid_at=timezone.now())
    response = staff.post(page(order, "give-back"), data)
    html = text(response)
    assert "it is now “paid”. Nothing was sent." in html
    assert "Rp15,000.00 goes back to the buyer" in html
    assert 'value="Stok habis"' in html
    assert "checked" not in html
    assert "errorlist" not in html
    assert not CancelRequest.objects.exists()
    # who reads it and still wants it sends the version that is shown now
    version = response.context["form"]["version"].value()
    assert staff.post(page(order, "give-back"), {**data, "version": version}).status_code == 302
    assert CancelRequest.objects.count() == 1


def test_a_form_opened_before_another_refund_asks_again(staff: Client, dana: Wire) -> None:
    order = paid_order(dana)
    data = form_of(staff, order)
    refund_request = services.refund_order(order, amount=6000)
    html = text(staff.post(page(order, "give-back"), data))
    assert "it is now “refund under way”. Nothing was sent." in html
    assert "All of it, Rp9,000.00" in html
    data = form_of(staff, order)
    dana.play(w.code("2005800"))
    gateway.attempt(RefundRequest, refund_request.pk)
    assert "it is now “partly given back”." in text(staff.post(page(order, "give-back"), data))
    assert RefundRequest.objects.count() == 1
    assert not CancelRequest.objects.exists()


def test_a_form_opened_before_danas_window_closed_asks_again(staff: Client) -> None:
    order = paid(paid_at=timezone.now() - timedelta(hours=23, minutes=59))
    data = form_of(staff, order)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert "Nothing was sent." in text(staff.post(page(order, "give-back"), data))
    assert not CancelRequest.objects.exists()
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "paid/-"])
def test_a_form_without_the_version_that_was_seen_sends_nothing(staff: Client, version: str) -> None:
    order = paid()
    staff.post(page(order, "give-back"), {"choice": "all", "reason": "Stok habis", "version": version})
    assert not CancelRequest.objects.exists()


def test_give_money_back(staff: Client, clerk: User, dana: Wire) -> None:
    order = paid_order(dana)
    response = ask(staff, order, note="Buyer phoned twice.")
    cancel_request = CancelRequest.objects.get()
    assert response.redirect_chain == [(page(order), 302)]
    assert messages_on(response) == ["It is on its way to DANA. This page will show the result."]
    assert (cancel_request.reason, cancel_request.requested_by) == ("Stok habis", clerk)
    assert "Buyer phoned" not in cancel_request.request_body
    html = text(response)
    assert "refund under way" in html
    assert "Buyer phoned twice." in html
    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_edited_object()) == (clerk, order)
    assert entry.change_message == "Give Rp15,000.00 back: Stok habis\nBuyer phoned twice."

    dana.play(w.code("2005700"))
    gateway.attempt(CancelRequest, cancel_request.pk)
    html = text(staff.get(page(order)))
    assert "Rp15,000.00 went back to the buyer." in html
    assert "data-refresh" not in html


def test_what_is_under_way_is_not_asked_for_twice(staff: Client) -> None:
    order = paid()
    data = form_of(staff, order)
    staff.post(page(order, "give-back"), data)
    html = text(staff.post(page(order, "give-back"), data))
    assert "A cancel of this order is under way. Wait until it ends." in html
    assert CancelRequest.objects.count() == 1
    assert LogEntry.objects.count() == 1


def test_an_earlier_request_is_sent_again_from_the_same_page(refunds: Client) -> None:
    cancel_request = aborted(paid())
    html = text(refunds.get(page(cancel_request.order, "give-back")))
    assert "Asked for before" in html
    assert "“Stok habis”" in html
    assert f'action="{act_on(cancel_request, "retry")}"' in html
    assert "safer than asking anew" in html


def test_an_earlier_refund_is_sent_again_stopped_and_closed_from_the_pages_of_its_order(
    refunds: Client, dana: Wire
) -> None:
    order = paid_order(dana)
    refund_request = services.refund_order(order, amount=6000, reason="one cup")
    dana.play(w.code("4035814"))
    gateway.attempt(RefundRequest, refund_request.pk)
    for url in (page(order), page(order, "give-back")):
        html = text(refunds.get(url))
        assert "Send the refund of Rp6,000.00 again" in html
        assert f'action="{act_on(refund_request, "retry")}"' in html
        assert f'action="{act_on(refund_request, "stop")}"' in html
    refunds.post(act_on(refund_request, "retry"))
    assert fresh_refund(refund_request).status == "new"
    dana.play(w.code("4035814"))
    gateway.attempt(RefundRequest, refund_request.pk)
    refunds.post(act_on(refund_request, "stop"))
    response = refunds.get(page(order))
    assert response.context["summary"].badge == "refund not done"
    assert response.context["summary"].needs_attention
    url = act_on(refund_request, "review")
    assert url in text(response)
    refunds.post(url, {"note": "The buyer keeps both."})
    response = refunds.get(page(order))
    assert (response.context["summary"].badge, response.context["summary"].needs_attention) == ("paid", False)
    assert "The buyer keeps both." in text(response)
    assert [entry.change_message.partition("\n")[0] for entry in LogEntry.objects.order_by("id")] == [
        f"Send again {refund_request}",
        f"Stop trying {refund_request}",
        f"Mark as reviewed {refund_request}",
    ]


def test_a_refund_without_a_clear_answer_says_so_and_may_be_settled_in_the_end(dana: Wire) -> None:
    order = paid_order(dana)
    refund_request = services.refund_order(order, amount=6000)
    RefundRequest.objects.filter(pk=refund_request.pk).update(
        status="pending", attempts=3, rule_code="no_reply", needs_attention="end_unknown", next_attempt_at=None
    )
    Order.objects.filter(pk=order.pk).update(next_sync_at=timezone.now())
    client = client_of(user_with("view_order", "refund_order", "change_order", "settle_order_outside"))
    response = client.get(page(order))
    standing = response.context["summary"]
    assert (standing.badge, standing.needs_attention, standing.is_under_way) == ("refund not confirmed", True, False)
    assert labels(response)[:2] == ["Ask DANA now", "Send the refund of Rp6,000.00 again"]
    assert "Settled outside…" not in labels(response)
    Order.objects.filter(pk=order.pk).update(next_sync_at=None)
    client.post(page(order, "settle-outside"), {"note": "by bank"})
    assert fresh(order).settled_outside_at


def test_one_that_succeeded_is_not_sent_again_where_the_buyer_paid_later(staff: Client) -> None:
    order = paid(needs_attention="paid_after_closed")
    cancel_request = aborted(order, status="success", needs_attention="")
    html = text(staff.get(page(order, "give-back")))
    assert "All of it, Rp15,000.00" in html
    assert act_on(cancel_request, "retry") not in html


def test_one_that_was_refused_for_good_is_not_sent_again(staff: Client) -> None:
    cancel_request = aborted(paid(), status="failed", needs_attention="refused", rule_code="4005701")
    assert act_on(cancel_request, "retry") not in text(staff.get(page(cancel_request.order, "give-back")))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"payment_status": "cancelled"}, "This order is cancelled already."),
        ({"payment_status": "expired"}, "The time to pay this order is over, so there is nothing to cancel or refund."),
        ({"payment_status": "refunded"}, "Already refunded."),
        ({"payment_status": "none", "create_status": "failed"}, "DANA never had this order"),
    ],
)
def test_a_refusal_is_a_plain_sentence(staff: Client, fields: dict[str, Any], sentence: str) -> None:
    order = paid(**fields)
    data = form_of(staff, order)
    for response in (staff.get(page(order, "give-back")), staff.post(page(order, "give-back"), data)):
        html = text(response)
        assert "Nothing can be given back now." in html
        assert sentence in html
        assert "Traceback" not in html
        assert 'name="reason"' not in html
    assert not CancelRequest.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_account_that_is_gone_is_a_sentence_too(staff: Client, settings: Any) -> None:
    order = paid()
    data = form_of(staff, order)
    settings.DANA = {}
    assert "The DANA setting has no account default." in text(staff.post(page(order, "give-back"), data))


def test_without_the_permission_there_is_no_page() -> None:
    order = paid()
    client = client_of(user_with("view_order", "change_order"))
    assert client.get(page(order, "give-back")).status_code == 403
    assert client.post(page(order, "give-back"), {"reason": "x", "version": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("permission", "offered", "sentence"),
    [("cancel_order", ["all"], "You may not refund orders."), ("refund_order", ["part"], "You may not cancel orders.")],
)
def test_each_way_has_its_own_permission(permission: str, offered: list[str], sentence: str) -> None:
    order = paid()
    client = client_of(user_with("view_order", permission))
    response = client.get(page(order, "give-back"))
    assert [name for name, _label in response.context["form"].fields["choice"].choices] == offered
    assert sentence in text(response)
    (other,) = {"all", "part"} - set(offered)
    assert ask(client, order, choice=other, amount="6000").context["form"].errors["choice"]
    assert not CancelRequest.objects.exists()
    assert not RefundRequest.objects.exists()
    late = paid(paid_at=timezone.now() - timedelta(hours=25))
    assert ("Give money back…" in labels(client.get(page(late)))) == (permission == "refund_order")


@pytest.mark.django_db(transaction=True)
def test_without_its_line_in_the_history_nothing_is_sent(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid()
    client = client_of(clerk)
    data = form_of(client, order)

    def log_change(*args: Any) -> None:
        raise RuntimeError("the history is broken")

    monkeypatch.setattr(ReadOnlyAdmin, "log_change", log_change)
    with pytest.raises(RuntimeError):
        client.post(page(order, "give-back"), data)
    assert not CancelRequest.objects.exists()


def test_the_services_decide(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid()
    monkeypatch.setattr(services, "why_not_give_back", lambda order, amount, now: "Not on a Sunday.")
    assert "Not on a Sunday." in text(staff.get(page(order, "give-back")))
    assert fresh(order).payment_status == "paid"
