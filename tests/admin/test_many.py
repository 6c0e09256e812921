"""Pages about many orders: what waits, how it goes, several cancelled at once, and what a spreadsheet gets."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from django_dana import services
from django_dana.admin import OrderAdmin, bulk
from django_dana.admin.giving_back import version_of
from django_dana.models import CancelRequest, Order, OutboxEvent, RefundRequest
from tests.admin.helpers import (
    ORDERS,
    aborted,
    call_of,
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
from tests.factories import fresh

pytestmark = pytest.mark.django_db

INBOX, OVERVIEW = f"{ORDERS}inbox/", f"{ORDERS}overview/"


def one_of_each() -> None:
    """Write one thing of each kind that waits."""
    aborted(paid())
    paid(needs_attention="paid_after_closed")
    OutboxEvent.objects.create(order=paid(), name="order_paid", attempts=4, error="ValueError")
    notification_of(None, outcome="unknown_order", error="no such order")
    notification_of(None, outcome="bad_signature", verified=False)


def test_what_waits_is_listed_with_its_cause_and_its_act(staff: Client) -> None:
    one_of_each()
    html = text(staff.get(INBOX))
    for sentence in (
        "It did not happen. The money is still with us.",
        "Send the refund again",
        "The buyer paid after the order was closed.",
        "failed 4 times: ValueError",
        "no such order",
        "The time zone is UTC.",
        "1 message was refused in 24 hours.",
    ):
        assert sentence in html


def test_where_nothing_waits_it_says_so(staff: Client) -> None:
    paid()
    notification_of(paid())
    assert "Nothing waits." in text(staff.get(INBOX))


def test_the_oldest_comes_first(staff: Client) -> None:
    young, old = aborted(paid()), aborted(paid())
    CancelRequest.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    html = text(staff.get(INBOX))
    assert html.index(str(old.order)) < html.index(str(young.order))


@pytest.mark.parametrize("url", [INBOX, OVERVIEW])
def test_many_ask_as_often_as_few(
    staff: Client, django_assert_num_queries: Any, django_assert_max_num_queries: Any, url: str
) -> None:
    one_of_each()
    call_of(Order.objects.earliest("id"))
    staff.get(url)
    with django_assert_max_num_queries(16) as few:
        staff.get(url)
    for _ in range(9):
        one_of_each()
    with django_assert_num_queries(len(few)):
        staff.get(url)


@pytest.mark.parametrize("url", [INBOX, OVERVIEW])
def test_who_may_not_see_orders_sees_no_page_about_them(url: str) -> None:
    assert client_of(user_with("view_notification")).get(url).status_code == 403


def test_messages_are_listed_for_those_who_may_see_them(refunds: Client) -> None:
    one_of_each()
    html = text(refunds.get(INBOX))
    assert "no such order" not in html
    assert "refund not done" in html


def test_the_list_leads_there_with_counts(staff: Client) -> None:
    one_of_each()
    links = {link["label"]: link["count"] for link in staff.get(ORDERS).context["links"]}
    assert links == {"Needs a person": 2, "Refunds under way": 0, "Messages not applied": 1, "Overview": None}
    for link in staff.get(ORDERS).context["links"]:
        assert staff.get(link["url"]).status_code == 200, link


# -- overview -------------------------------------------------------------------------------------------------------


def test_the_overview_counts(staff: Client) -> None:
    paid(amount=Decimal("40000.00"))
    paid(payment_status="cancelled")
    paid(refunded_amount=Decimal("6000.00"))
    payable()
    payable(created_at=timezone.now() - timedelta(days=40))
    order = payable(next_sync_at=timezone.now())
    call_of(order, rule_code="4035402", response_code="4035402")
    call_of(order, 1, rule_code="5005401", response_code="5005401")
    call_of(order, 2, rule_code="no_reply", response_code="")
    notification_of(order)
    response = staff.get(OVERVIEW, {"days": "30"})
    figures = {str(label): value for label, value in response.context["overview"].figures}
    assert figures == {
        "Orders": "5",
        "Paid": "3",
        "Conversion": "60.0 %",
        "Amount paid": "Rp70,000.00",
        "Given back": "2",
        "Amount given back": "Rp21,000.00",
    }
    assert [row[2] for row in response.context["overview"].refusals] == ["4035402"]
    html = text(response)
    assert html.count('<figure class="dana-chart">') == 3
    assert "The amount is over DANA's limit." in html
    assert page(order) in html


@pytest.mark.parametrize("days", ["1", "7", "30", "0", "-1", "x", "9999999999"])
def test_the_overview_of_nothing_stands_too(staff: Client, days: str) -> None:
    assert "-" in text(staff.get(OVERVIEW, {"days": days}))


# -- several at once ------------------------------------------------------------------------------------------------


def chosen(*orders: Order, action: str = "give_back_selected", **data: str) -> dict[str, Any]:
    """Return the form of the list with some rows ticked."""
    return {"action": action, "_selected_action": [order.pk for order in orders], **data}


def versions(response: Any) -> dict[str, str]:
    """Return what the intermediate page shows, as its form sends it."""
    found = response.context["candidates"]
    return {f"version-{one.summary.order.pk}": one.version for one in found}


def test_several_are_cancelled_after_a_page_that_says_what_would_happen(staff: Client) -> None:
    first, second, closed = paid(), payable(), paid(payment_status="cancelled")
    response = staff.post(ORDERS, chosen(first, second, closed))
    html = text(response)
    assert "2 orders are cancelled or refunded at DANA." in html
    assert "Rp15,000.00 goes back to the buyers." in html
    assert "Nothing. This order is cancelled already." in html
    assert not CancelRequest.objects.exists()
    data = chosen(first, second, confirmed="yes", reason="Stok habis", **versions(response))
    response = staff.post(ORDERS, data, follow=True)
    assert messages_on(response) == ["2 requests are on their way to DANA."]
    assert CancelRequest.objects.filter(reason="Stok habis").count() == 2
    assert LogEntry.objects.count() == 2


def test_several_go_back_each_by_its_own_way(staff: Client) -> None:
    young, old = paid(), paid(paid_at=timezone.now() - timedelta(days=2))
    partly = paid(refunded_amount=Decimal("6000.00"))
    response = staff.post(ORDERS, chosen(young, old, partly))
    assert "Rp39,000.00 goes back to the buyers." in text(response)
    staff.post(ORDERS, chosen(young, old, partly, confirmed="yes", reason="x", **versions(response)))
    assert CancelRequest.objects.get().order == young
    assert list(RefundRequest.objects.order_by("amount").values_list("order", "amount")) == [
        (partly.pk, Decimal("9000.00")),
        (old.pk, Decimal("15000.00")),
    ]


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> Order:
    """An order that a shop has narrowed away from its staff."""
    order = paid(title="Hidden")
    see = OrderAdmin.has_view_permission
    monkeypatch.setattr(
        OrderAdmin, "has_view_permission", lambda self, request, obj=None: see(self, request) and obj != order
    )
    return order


def test_an_order_that_one_may_not_see_is_neither_given_back_nor_exported(staff: Client, hidden: Order) -> None:
    order = paid()
    response = staff.post(ORDERS, chosen(order, hidden))
    assert str(hidden) not in text(response)
    data = {**versions(response), f"version-{hidden.pk}": version_of(hidden)}
    staff.post(ORDERS, chosen(order, hidden, confirmed="yes", reason="x", **data))
    assert CancelRequest.objects.get().order == order
    exported: Any = staff.post(ORDERS, chosen(order, hidden, action="export_selected"))
    body = b"".join(exported.streaming_content).decode()
    assert str(order) in body
    assert str(hidden) not in body
    assert staff.get(page(hidden)).status_code == 403
    assert staff.get(page(hidden, "give-back")).status_code == 403


def test_without_a_reason_none_is_cancelled(staff: Client) -> None:
    order = paid()
    response = staff.post(ORDERS, chosen(order, confirmed="yes", reason=" "))
    assert "This field is required" in text(response)
    assert not CancelRequest.objects.exists()


def test_one_that_changed_meanwhile_is_left_alone(staff: Client) -> None:
    first, second = payable(), paid()
    data = versions(staff.post(ORDERS, chosen(first, second)))
    Order.objects.filter(pk=first.pk).update(payment_status="paid", paid_at=timezone.now())
    response = staff.post(ORDERS, chosen(first, second, confirmed="yes", reason="x", **data), follow=True)
    assert messages_on(response)[0] == f"{first} has changed in the meantime; nothing was sent for it."
    assert CancelRequest.objects.get().order == second


def test_no_more_than_a_person_can_read_are_cancelled_at_once(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_GIVEN_BACK", 1)
    orders = paid(), paid()
    for data in ({}, {"confirmed": "yes", "reason": "x"}):
        assert "Choose fewer." in text(staff.post(ORDERS, chosen(*orders, **data)))
    assert not CancelRequest.objects.exists()


def test_who_may_not_cancel_is_not_offered_it(watcher: Client) -> None:
    order = paid()
    assert "give_back_selected" not in text(watcher.get(ORDERS))
    watcher.post(ORDERS, chosen(order, confirmed="yes", reason="x"))
    assert not CancelRequest.objects.exists()


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_takes_no_title_for_a_formula(watcher: Client, title: str) -> None:
    order = paid(title=title)
    response: Any = watcher.post(ORDERS, chosen(order, action="export_selected"))
    body = b"".join(response.streaming_content).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(body))
    assert row["title"] == f"'{title}"
    assert (row["reference"], row["state"], row["amount"]) == (order.partner_reference_no, "paid", "15000.00")


# -- settled outside ------------------------------------------------------------------------------------------------


def test_what_was_settled_outside_says_that_this_system_moved_no_money() -> None:
    order = paid(paid_at=timezone.now() - timedelta(days=3))
    aborted(order, needs_attention="refused", status="failed", rule_code="4035700")
    client = client_of(user_with("view_order", "settle_order_outside"))
    assert "Settled outside…" in labels(client.get(page(order)))
    response = client.post(page(order, "settle-outside"), {"note": "BCA transfer 4711"}, follow=True)
    html = text(response)
    assert "settled outside" in html
    assert "“BCA transfer 4711”. This system moved no money." in html
    assert not response.context["summary"].needs_attention
    assert services.why_not_cancel(fresh(order)) is not None
    assert CancelRequest.objects.get().needs_attention == ""
    assert "not through DANA" in html


def test_where_dana_gave_it_back_too_somebody_must_look(staff: Client) -> None:
    order = paid(payment_status="cancelled", settled_outside_at=timezone.now(), settled_outside_note="by bank")
    html = text(staff.get(page(order)))
    assert "given back twice?" in html
    assert "needs attention" in html


@pytest.mark.parametrize("permissions", [("view_order", "cancel_order", "change_order"), ("settle_order_outside",)])
def test_settling_outside_has_its_own_permission(permissions: tuple[str, ...]) -> None:
    order = paid()
    client = client_of(user_with(*permissions))
    assert client.post(page(order, "settle-outside"), {"note": "x"}).status_code == 403
    assert fresh(order).settled_outside_at is None


def test_nothing_is_settled_outside_while_money_is_on_its_way(staff: Client) -> None:
    order = paid()
    services.cancel_order(order)
    assert "Money is on its way back." in str(services.why_not_settle_outside(order))


# -- commands -------------------------------------------------------------------------------------------------------


def test_the_roles_are_ready_groups() -> None:
    call_command("dana_roles", stdout=io.StringIO())
    out = io.StringIO()
    Group.objects.get(name="DANA lead").permissions.clear()
    call_command("dana_roles", stdout=out)
    assert "DANA support: has all it needs" in out.getvalue()
    assert "DANA lead: completed" in out.getvalue()
    codenames = Group.objects.get(name="DANA lead").permissions.values_list("codename", flat=True)
    assert {"cancel_order", "settle_order_outside", "view_evidence"} <= set(codenames)
    support = Group.objects.get(name="DANA support").permissions.values_list("codename", flat=True)
    assert not {"cancel_order", "change_order", "view_evidence"} & set(support)


def test_what_waits_can_be_had_by_mail() -> None:
    call_command("dana_inbox", "--mail", "lead@shop.example", stdout=io.StringIO())
    assert not mail.outbox
    aborted(paid())
    call_command("dana_inbox", "--mail", "lead@shop.example", stdout=io.StringIO())
    (message,) = mail.outbox
    assert message.subject == "DANA: 1 thing waits for a person"
    assert "refund not done" in message.body
    out = io.StringIO()
    call_command("dana_inbox", stdout=out)
    assert "Send the refund again" in out.getvalue()
