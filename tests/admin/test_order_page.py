"""The page of an order: one sentence, one act, everything that happened."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_dana import services
from django_dana.models import CancelRequest, Order, OutboxEvent
from tests.admin.helpers import (
    END,
    aborted,
    act_on,
    asked,
    call_of,
    cancel_page,
    client_of,
    labels,
    messages_on,
    notification_of,
    page,
    paid,
    payable,
    text,
    user_with,
)
from tests.factories import fresh, fresh_cancel, order_with

pytestmark = pytest.mark.django_db


def lines(response: Any) -> list[str]:
    """Return the titles of the timeline."""
    return [entry.title for entry in response.context["timeline"].entries]


def test_a_page_with_much_behind_it_asks_as_often_as_one_with_little(
    staff: Client, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    def add(first: int, last: int) -> None:
        for number in range(first, last):
            aborted(order)
            call_of(order, number)
            notification_of(order)
            OutboxEvent.objects.create(order=order, name="order_paid", attempts=2, error="ValueError")

    order = paid()
    # two requests, since each that could be sent again is looked at
    add(0, 2)
    staff.get(page(order))
    with django_assert_max_num_queries(32) as few:
        staff.get(page(order))
    add(2, 50)
    CancelRequest.objects.filter(pk__in=list(CancelRequest.objects.values_list("pk", flat=True)[2:])).update(
        status="success", needs_attention=""
    )
    # one more each, to count the calls and the messages that are not shown
    with django_assert_num_queries(len(few) + 2):
        response = staff.get(page(order))
    assert response.context["timeline"].calls == 50
    assert response.context["timeline"].messages == 50
    for name in ("calls_url", "messages_url"):
        assert staff.get(response.context[name]).context["cl"].result_count == 50


def test_the_sentence_stands_before_the_details(staff: Client) -> None:
    order = paid(needs_attention="paid_after_closed")
    html = text(staff.get(page(order)))
    sentence = "The buyer paid after the order was closed."
    assert html.index("needs attention") < html.index(sentence) < html.index("Technical details")


def test_a_cancel_that_did_not_happen_does_not_look_healthy(refunds: Client) -> None:
    order = paid()
    cancel_request = aborted(order)
    response = refunds.get(page(order))
    html = text(response)
    assert "refund not done" in html
    assert "It did not happen. The money is still with us." in html
    assert "“Stok habis”" in html
    assert "Deliver it" not in html
    assert labels(response)[0] == "Send the refund again"
    assert f'action="{act_on(cancel_request, "retry")}"' in html


def test_who_sees_only_the_order_can_do_all_about_its_refund(refunds: Client) -> None:
    cancel_request = aborted(paid())
    assert refunds.get(cancel_page(cancel_request)).status_code == 403
    response = refunds.post(act_on(cancel_request, "retry"), follow=True)
    assert response.redirect_chain == [(page(cancel_request.order), 302)]
    assert messages_on(response) == ["It is on its way to DANA. This page will show the result."]
    assert fresh_cancel(cancel_request).status == "new"
    assert LogEntry.objects.get().change_message == f"Send again {cancel_request}"


def test_a_request_of_another_order_is_not_found(refunds: Client) -> None:
    other = paid()
    cancel_request = aborted(paid())
    url = act_on(cancel_request, "retry").replace(f"/{cancel_request.order_id}/", f"/{other.pk}/", 1)
    assert refunds.post(url).status_code == 404


def test_closing_a_refund_takes_a_note_and_shows_it(refunds: Client) -> None:
    cancel_request = aborted(paid())
    url = act_on(cancel_request, "review")
    assert "No money is moved." in text(refunds.get(url))
    assert "This field is required" in text(refunds.post(url, {"note": " "}))
    assert fresh_cancel(cancel_request).needs_attention == "not_cancelled"
    response = refunds.post(url, {"note": "Buyer keeps the coffee."}, follow=True)
    assert fresh_cancel(cancel_request).needs_attention == ""
    assert "Buyer keeps the coffee." in text(response)
    assert response.context["summary"].badge == "paid"


@pytest.mark.parametrize(
    ("rule_code", "expected"),
    [
        ("4035700", "Close: no refund needed…"),
        ("4005701", "Close: no refund needed…"),
        ("4035705", "Send the refund again"),
    ],
)
def test_after_a_final_refusal_the_same_is_not_sent_again(refunds: Client, rule_code: str, expected: str) -> None:
    cancel_request = aborted(paid(), status="failed", needs_attention="refused", rule_code=rule_code)
    response = refunds.get(page(cancel_request.order))
    assert labels(response)[0] == expected
    assert ("Send the refund again" in labels(response)) == (expected == "Send the refund again")


def test_a_balance_that_is_too_low_needs_attention_at_once(refunds: Client) -> None:
    cancel_request = asked(paid(), status="failed", rule_code="4035714", needs_attention="balance")
    html = text(refunds.get(page(cancel_request.order)))
    assert "refund refused for now" in html
    assert "needs attention" in html
    assert "Top it up" in html


@pytest.mark.parametrize("attention", ["", "paid_after_closed"])
def test_nobody_is_told_to_deliver_while_a_cancel_is_under_way(watcher: Client, attention: str) -> None:
    order = paid(needs_attention=attention)
    assert "Deliver it" in text(watcher.get(page(order)))
    services.cancel_order(order)
    html = text(watcher.get(page(order)))
    assert "Do not deliver, and do not refund by other means." in html
    assert "Deliver it" not in html


@pytest.mark.parametrize("attention", ["", "paid_after_closed"])
def test_nobody_is_told_to_deliver_while_the_end_of_a_cancel_is_unknown(watcher: Client, attention: str) -> None:
    order = paid(needs_attention=attention)
    aborted(order, needs_attention="end_unknown")
    html = text(watcher.get(page(order)))
    assert "before DANA has answered." in html
    assert "Deliver it" not in html


def test_a_graver_reason_comes_before_the_cancel(watcher: Client) -> None:
    order = paid(needs_attention="amount_differs")
    services.cancel_order(order)
    assert "reports a different amount" in text(watcher.get(page(order)))


def test_after_a_day_nobody_is_told_to_cancel_within_24_hours(watcher: Client) -> None:
    html = text(watcher.get(page(paid(paid_at=timezone.now() - timedelta(hours=30)))))
    assert "DANA's 24 hours to cancel it are over." in html
    assert "(over)" in html
    assert "can be given back until" not in html


def test_an_order_that_was_never_paid_is_not_refunded(refunds: Client) -> None:
    assert labels(refunds.get(page(payable())))[0] == "Cancel (nothing was paid)…"
    assert "Give money back…" in labels(refunds.get(page(paid())))


@pytest.mark.parametrize("is_young", [True, False])
def test_what_is_under_way_looks_again_for_everybody(is_young: Any) -> None:
    order = paid()
    cancel_request = services.cancel_order(order)
    client = client_of(user_with("view_order"))
    html = text(client.get(page(order)))
    assert 'data-refresh="3"' in html
    assert '<noscript><meta http-equiv="refresh"' in html
    CancelRequest.objects.filter(pk=cancel_request.pk).update(status="success", **END)
    assert "refresh" not in text(client.get(page(order))).partition("</head>")[2]


def test_the_money_is_shown(watcher: Client) -> None:
    def figures(order: Order) -> dict[str, str]:
        return {str(label): value for label, value in watcher.get(page(order)).context["figures"]}

    assert figures(payable())["Paid"] == "Rp0.00"
    shown = figures(paid())
    assert (shown["Paid"], shown["Given back"], shown["Still with us"]) == ("Rp15,000.00", "Rp0.00", "Rp15,000.00")
    assert "UTC (23\xa0hours)" in shown["Can be cancelled until"]
    shown = figures(paid(payment_status="cancelled"))
    assert (shown["Given back"], shown["Still with us"]) == ("Rp15,000.00", "Rp0.00")
    assert "Can be cancelled until" not in shown


def test_the_buyer_is_told_the_same_in_both_languages(watcher: Client) -> None:
    order = paid()
    response = watcher.get(page(order))
    texts = {text.code: text.text for text in response.context["texts"]}
    assert list(texts) == ["en", "id"]
    assert "Your payment of Rp15,000.00 for Kopi Gayo arrived" in texts["en"]
    address = f"https://shop.example/dana/return/{order.public_id}/"
    assert all(address in text for text in texts.values())
    assert "Rp15.000,00" in texts["id"]
    assert list({t.code: t for t in watcher.get(page(order), headers={"Accept-Language": "id"}).context["texts"]}) == [
        "id",
        "en",
    ]


STATES: list[tuple[str, str]] = [("success", status) for status in Order.PaymentStatus]
STATES += [(status, "none") for status in Order.CreateStatus if status != "success"]


@pytest.mark.parametrize("attention", ["", *Order.Attention])
def test_every_state_has_a_page(admin_client: Client, attention: str) -> None:
    for create_status, payment_status in STATES:
        order = order_with(payment_status=payment_status, create_status=create_status, needs_attention=attention)
        response = admin_client.get(page(order))
        standing = response.context["summary"]
        assert standing.badge, payment_status
        assert standing.sentence, payment_status
        assert standing.needs_attention == bool(attention)
        # nobody is thanked for what nobody has decided yet
        assert "thank you" not in text(response).lower() or standing.code == "paid"


def test_everything_that_happened_stands_in_order(staff: Client, clerk: User) -> None:
    now = timezone.now()
    order = paid(created_at=now - timedelta(hours=2), paid_at=now - timedelta(hours=1, minutes=59))
    call_of(order, started_at=now - timedelta(hours=2))
    message = notification_of(order, '{"latestTransactionStatus":"00"}')
    type(message).objects.update(received_at=now - timedelta(hours=1, minutes=58))
    version = staff.get(page(order, "give-back")).context["form"]["version"].value()
    staff.post(
        page(order, "give-back"), {"choice": "all", "reason": "Stok habis", "note": "Buyer phoned", "version": version}
    )
    cancel_request = CancelRequest.objects.get()
    for number in (1, 2, 3):
        call_of(
            order,
            number,
            operation="cancel",
            cancel_request=cancel_request,
            rule_code="no_reply",
            response_code="",
            error="ReadTimeout",
        )
    OutboxEvent.objects.create(order=order, name="order_paid", attempts=2, error="ValueError")
    response = staff.get(page(order))
    assert lines(response) == [
        "Order created",
        "DANA accepted the order",
        "Paid: Rp15,000.00",
        "DANA reports: paid",
        "clerk asked for a refund of Rp15,000.00",
        "Cancel Order: DANA did not answer, 3 times",
        "The shop's own code for “order_paid” fails",
    ]
    html = text(response)
    assert "Buyer phoned" in html
    assert "Stok habis" in html
    assert "<small>(UTC)</small>" in html


def test_sandbox_orders_say_so(watcher: Client) -> None:
    assert ">SANDBOX<" in text(watcher.get(page(paid())))
    assert ">SANDBOX<" not in text(watcher.get(page(paid(environment="production"))))


def test_tables_are_only_for_those_who_may_see_the_rows() -> None:
    order = paid()
    html = text(client_of(user_with("view_order", "view_apicall")).get(page(order)))
    assert "All calls" in html
    assert "All messages" not in html


def test_the_page_stands_though_the_setting_is_broken(watcher: Client, settings: Any) -> None:
    order = paid()
    settings.DANA = "no.such.callable"
    assert order.title in text(watcher.get(page(order)))


def test_the_page_stands_where_the_buyers_pages_are_not_included(watcher: Client, settings: Any) -> None:
    order = paid()
    settings.ROOT_URLCONF = "tests.admin.urls_without_pages"
    assert "open the buyer's page" not in text(watcher.get(page(order)))


def test_a_cancel_request_is_called_by_its_orders_reference(watcher: Client) -> None:
    cancel_request = aborted(paid())
    html = text(watcher.get(cancel_page(cancel_request)))
    assert f"Cancel request {cancel_request} of {cancel_request.order}</h1>" in html


@pytest.mark.skipif(connection.vendor != "sqlite", reason="one engine is enough for what a page changes")
def test_looking_changes_nothing(staff: Client) -> None:
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    before = (fresh(order).updated_at, fresh_cancel(cancel_request).updated_at)
    for name in ("change", "give-back", "review"):
        assert staff.get(page(order, name)).status_code == 200
    for name in ("sync", "retry", "stop"):
        assert staff.get(page(order, name)).status_code == 405
        assert staff.get(cancel_page(cancel_request, name)).status_code == 405
        assert staff.get(act_on(cancel_request, name)).status_code == 405
    assert (fresh(order).updated_at, fresh_cancel(cancel_request).updated_at) == before
    assert not LogEntry.objects.exists()
