"""The lists: constant queries, served by indexes, at a million rows as at one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_dana import services
from django_dana.admin import base, search
from django_dana.models import Order
from tests.admin.helpers import (
    CALLS,
    CANCELS,
    NOTIFICATIONS,
    ORDERS,
    REFUNDS,
    aborted,
    asked,
    call_of,
    client_of,
    notification_of,
    paid,
    payable,
    refunded,
    text,
    user_with,
)
from tests.factories import new_order, order_with

pytestmark = pytest.mark.django_db

LISTS = [ORDERS, CANCELS, REFUNDS, CALLS, NOTIFICATIONS]


def fill_lists(number: int) -> None:
    """Write orders with a cancel request, a call and a message each."""
    for index in range(number):
        order = paid()
        aborted(order)
        refunded(order)
        call_of(order, index)
        notification_of(order)


@pytest.mark.parametrize("url", LISTS)
def test_without_a_permission_there_is_nothing_to_see(url: str) -> None:
    assert client_of(user_with()).get(url).status_code == 403


@pytest.mark.parametrize("url", LISTS)
def test_a_list_of_fifty_asks_as_often_as_a_list_of_one(
    watcher: Client, django_assert_num_queries: Any, django_assert_max_num_queries: Any, url: str
) -> None:
    fill_lists(1)
    with django_assert_max_num_queries(17) as queries:
        assert len(watcher.get(url).context["cl"].result_list) == 1
    rows = [query["sql"] for query in queries if "ORDER BY" in query["sql"]]
    assert rows
    for heavy in ("metadata", "request_body", "response_body", "headers"):
        assert not any(heavy in sql for sql in rows)
    number = len(queries)
    fill_lists(49)
    with django_assert_num_queries(number):
        assert len(watcher.get(url).context["cl"].result_list) == 50


def test_a_list_counts_only_so_far(
    watcher: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(base, "MOST_LISTED", 3)
    for _ in range(5):
        new_order()
    with django_assert_max_num_queries(17) as queries:
        response = watcher.get(CALLS.replace("apicall", "order"))
    assert response.context["cl"].result_count == 3
    assert "Only the latest 3 are listed" in text(response)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


@pytest.mark.parametrize("url", LISTS)
def test_a_search_finds_references_by_their_beginning(watcher: Client, url: str) -> None:
    fill_lists(3)
    order = Order.objects.latest("id")
    Order.objects.filter(pk=order.pk).update(reference_no="2026ABC")
    reference = order.partner_reference_no
    for term in (reference, f" {reference.lower()} ", reference[:20], "2026ABC", "2026a"):
        assert watcher.get(url, {"q": term}).context["cl"].result_count == 1, term
    for term in ("026ABC", "%", "_026", "Kopi", chr(0x10FFFF), "2026ABC\ud7ff"):
        assert watcher.get(url, {"q": term}).context["cl"].result_count == 0, term


@pytest.mark.parametrize("term", ["A", "Z9", "é", "\ud7ff", chr(0x10FFFF), f"a{chr(0x10FFFF)}"])
def test_a_range_holds_all_that_begin_with_a_term(term: str) -> None:
    end = search._next(term)
    assert term < end
    assert f"{term}zzz" < end
    assert not term.strip(chr(0x10FFFF)) or term + chr(0x10FFFF) * 3 < end
    end.encode()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
@pytest.mark.parametrize(
    "query",
    [
        {"q": "X"},
        {"attention": "any"},
        {"attention": "conflict"},
        {"state": "paid"},
        {"state": "expired"},
        {"state": "in_review"},
        {"state": "cancelling"},
        {"created": "7"},
        {"paid": "1"},
    ],
)
def test_an_index_serves_each_question(watcher: Client, query: dict[str, str]) -> None:
    new_order()
    rows = watcher.get(ORDERS, query).context["cl"].queryset
    plan = rows.order_by().explain()
    assert "SCAN" not in plan
    assert " INDEX" in plan


def test_filters(watcher: Client) -> None:
    new_order()
    order_with(needs_attention="conflict", created_at=timezone.now() - timedelta(days=3))
    order_with(needs_attention="account", payment_status="paid", paid_at=timezone.now() - timedelta(days=8))
    for query, number in (
        ({}, 3),
        ({"attention": "any"}, 2),
        ({"attention": "none"}, 1),
        ({"attention": "conflict"}, 1),
        ({"attention": "nonsense"}, 3),
        ({"state": "paid"}, 1),
        ({"state": "in_review"}, 1),
        ({"state": "preparing"}, 1),
        ({"state": "expired"}, 0),
        ({"state": "nonsense"}, 3),
        ({"created": "1"}, 2),
        ({"created": "7"}, 3),
        ({"created": "9999999999"}, 3),
        ({"paid": "7"}, 0),
        ({"paid": "30"}, 1),
    ):
        assert watcher.get(ORDERS, query).context["cl"].result_count == number, query


def test_orders_whose_money_is_on_its_way_back_are_found(watcher: Client) -> None:
    services.cancel_order(paid())
    services.refund_order(paid(), amount=6000)
    aborted(paid())
    refunded(paid())
    assert watcher.get(ORDERS, {"back": "yes"}).context["cl"].result_count == 2
    (link,) = (link for link in watcher.get(ORDERS).context["links"] if link["label"] == "Refunds under way")
    assert link["count"] == 2
    assert watcher.get(link["url"]).context["cl"].result_count == 2


def test_an_order_is_found_by_its_payment_code(watcher: Client) -> None:
    payable(payment_code="8528354983105293")
    payable(payment_code="00020101021226570011ID.DANA.WWW")
    for term, number in (("8528354983105293", 1), ("85283", 1), ("00020101021226570011id", 1), ("93", 0)):
        assert watcher.get(ORDERS, {"q": term}).context["cl"].result_count == number, term


def test_accounts_can_be_chosen_where_there_are_several(watcher: Client, settings: Any) -> None:
    new_order()
    assert "By account" not in text(watcher.get(ORDERS))
    settings.DANA = {**settings.DANA, "other": settings.DANA["default"]}
    assert "By account" in text(watcher.get(ORDERS))
    assert watcher.get(ORDERS, {"account": "default"}).context["cl"].result_count == 1
    assert watcher.get(ORDERS, {"account": "other"}).context["cl"].result_count == 0


def test_orders_are_listed_though_the_setting_is_broken(watcher: Client, settings: Any) -> None:
    order = new_order()
    settings.DANA = "no.such.callable"
    assert order.partner_reference_no in text(watcher.get(ORDERS))


@pytest.mark.parametrize(
    ("make", "badge"),
    [
        (payable, "waiting for the buyer"),
        (paid, "paid"),
        (lambda: aborted(paid()).order, "refund not done"),
        (lambda: aborted(paid(), needs_attention="end_unknown").order, "refund not confirmed"),
        (lambda: asked(paid(), status="pending").order, "refund under way"),
        (lambda: refunded(paid(), status="pending", unfinished=True).order, "refund under way"),
        (lambda: refunded(paid(), status="failed", needs_attention="refused").order, "refund not done"),
    ],
)
def test_the_list_shows_the_state_that_the_page_shows(watcher: Client, make: Any, badge: str) -> None:
    order = make()
    assert f">{badge}</span>" in text(watcher.get(ORDERS))
    assert f">{badge}</span>" in text(watcher.get(f"{ORDERS}{order.pk}/change/"))


def test_amounts_are_shown_in_the_readers_notation(watcher: Client) -> None:
    order = order_with(amount=Decimal("9999999999999.99"))
    assert "Rp9,999,999,999,999.99" in text(watcher.get(f"{ORDERS}{order.pk}/change/"))
    assert "Rp9.999.999.999.999,99" in text(watcher.get(ORDERS, headers={"Accept-Language": "id"}))


def test_a_cancel_request_that_needs_attention_says_so(watcher: Client) -> None:
    aborted(paid())
    asked(paid(), status="pending")
    html = text(watcher.get(CANCELS))
    assert 'dana-bad">not cancelled at DANA<' in html
    assert 'dana-wait">pending<' in html
