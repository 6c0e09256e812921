"""Giving money back: what will happen, what was asked for before, and nothing by accident."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_dana import gateway, services
from django_dana.admin.base import ReadOnlyAdmin
from django_dana.models import CancelRequest, Order
from tests import wire as w
from tests.admin.helpers import aborted, act_on, client_of, messages_on, page, paid, payable, text, user_with
from tests.factories import fresh, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db


def form_of(client: Client, order: Order, **data: str) -> dict[str, str]:
    """Return the form as somebody fills it in who has just opened the page."""
    form = client.get(page(order, "give-back")).context["form"]
    return {"reason": "Stok habis", "version": form["version"].value(), **data}


def ask(client: Client, order: Order, **data: str) -> Any:
    """Open the page, fill it in and send it."""
    return client.post(page(order, "give-back"), form_of(client, order, **data), follow=True)


def test_the_page_says_what_will_happen(staff: Client) -> None:
    html = text(staff.get(page(paid(), "give-back")))
    assert "The whole order is cancelled at DANA, and Rp15,000.00 goes back to the buyer." in html
    assert "Yes, give Rp15,000.00 back" in html
    assert "more than 24 hours" not in html
    assert "Can be cancelled until" in html


def test_it_warns_after_24_hours(staff: Client) -> None:
    html = text(staff.get(page(paid(paid_at=timezone.now() - timedelta(hours=25)), "give-back")))
    assert "more than 24 hours ago" in html
    assert "Yes, give Rp15,000.00 back" in html


def test_where_nothing_was_paid_nothing_is_given_back(staff: Client) -> None:
    html = text(staff.get(page(payable(), "give-back")))
    assert "so the buyer can't pay it any more" in html
    assert "Cancel (nothing was paid)" in html
    assert "Yes, give" not in html


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
    assert not CancelRequest.objects.exists()
    # who reads it and still wants it sends the version that is shown now
    version = response.context["form"]["version"].value()
    assert staff.post(page(order, "give-back"), {**data, "version": version}).status_code == 302
    assert CancelRequest.objects.count() == 1


@pytest.mark.parametrize("version", ["", "x", "paid/-"])
def test_a_form_without_the_version_that_was_seen_sends_nothing(staff: Client, version: str) -> None:
    order = paid()
    staff.post(page(order, "give-back"), {"reason": "Stok habis", "version": version})
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
    assert entry.change_message == "Give money back: Stok habis\nBuyer phoned twice."

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


def test_one_that_succeeded_is_not_sent_again_where_the_buyer_paid_later(staff: Client) -> None:
    order = paid(needs_attention="paid_after_closed")
    cancel_request = aborted(order, status="success", needs_attention="")
    html = text(staff.get(page(order, "give-back")))
    assert "Yes, give Rp15,000.00 back" in html
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
        assert "This order can't be cancelled now." in html
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
    monkeypatch.setattr(services, "why_not_cancel", lambda order: "Not on a Sunday.")
    assert "Not on a Sunday." in text(staff.get(page(order, "give-back")))
    assert fresh(order).payment_status == "paid"
