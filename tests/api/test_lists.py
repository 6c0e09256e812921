"""Lists: by position, narrowed by what has an index, and as cheap with many rows as with few."""

import base64
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from django_dana.api import serializers, views
from django_dana.models import CancelRequest, Order, RefundRequest
from tests.api.conftest import Api
from tests.factories import new_order, order_with, statements

pytestmark = pytest.mark.django_db


def make_orders(count: int, **fields: Any) -> list[Order]:
    """Make orders in one state."""
    return [order_with(**fields) for _number in range(count)]


def references(response: Any) -> list[str]:
    """Return the references on a page."""
    assert response.status_code == 200, response.content
    return [order["partner_reference_no"] for order in response.json()["results"]]


def test_a_list_is_read_page_by_page_the_latest_first(api: Api) -> None:
    made = [order.partner_reference_no for order in make_orders(5)]
    page = api.get("orders/", page_size=2)
    read = references(page)
    while url := page.json()["next"]:
        page = api.get(url)
        read += references(page)
    assert read == made[::-1]
    assert references(api.get(page.json()["previous"])) == made[2:0:-1]


def test_an_order_that_comes_meanwhile_moves_no_page(api: Api) -> None:
    made = [order.partner_reference_no for order in make_orders(3)]
    page = api.get("orders/", page_size=2).json()
    new_order()
    assert references(api.get(page["next"])) == made[:1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"page_size": "-1"}, "page_size"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": base64.b64encode(b"p=abc").decode()}, "cursor"),
        ({"cursor": base64.b64encode(b"p=%C2%B2").decode()}, "cursor"),
        ({"cursor": base64.b64encode(b"o=99999999999999999999&p=1").decode()}, None),
        ({"cursor": base64.b64encode(f"p={10**30}".encode()).decode()}, None),
        ({"cursor": "é"}, "cursor"),
        ({"payment_status": "rich"}, "payment_status"),
        ({"payment_status": ""}, "payment_status"),
        ({"needs_attention": "love"}, "needs_attention"),
        ({"partner_reference_no": "a\x00b"}, "partner_reference_no"),
        ({"shop_reference": "x" * 65}, "shop_reference"),
    ],
    ids=str,
)
def test_what_is_no_page_and_no_word_of_ours_is_refused(api: Api, query: dict[str, str], field: str | None) -> None:
    make_orders(1)
    response = api.get("orders/", **query)
    assert response.status_code == (400 if field else 200)
    if field:
        assert list(response.json()) == [field]


def test_orders_are_narrowed(api: Api) -> None:
    paid = order_with(payment_status="paid", reference_no="D1", order_arguments={"shop_reference": "cart-1"})
    late = order_with(payment_status="expired", needs_attention="conflict")
    for query, order in (
        ({"payment_status": "paid"}, paid),
        ({"needs_attention": "conflict"}, late),
        ({"shop_reference": "cart-1"}, paid),
        ({"reference_no": "D1"}, paid),
        ({"partner_reference_no": late.partner_reference_no}, late),
    ):
        assert references(api.get("orders/", **query)) == [order.partner_reference_no]
    assert references(api.get("orders/", payment_status="paid", needs_attention="conflict")) == []


def make_requests() -> tuple[CancelRequest, RefundRequest]:
    """Make one order with a cancel and a refund that failed."""
    order = order_with(payment_status="paid")
    common = {
        "order": order,
        "amount": 1,
        "give_up_at": timezone.now(),
        "status": "failed",
        "needs_attention": "refused",
    }
    return (
        CancelRequest.objects.create(**common, unfinished=None),
        RefundRequest.objects.create(**common, unfinished=False),
    )


@pytest.mark.parametrize("path", ["cancel-requests/", "refund-requests/"])
def test_requests_are_narrowed(api: Api, path: str) -> None:
    row = make_requests()["refund" in path]
    make_requests()
    found = api.get(path, partner_reference_no=row.order.partner_reference_no).json()["results"]
    assert [shown["id"] for shown in found] == [row.pk]
    assert len(api.get(path, needs_attention="refused").json()["results"]) == 2
    assert api.get(path, needs_attention="end_unknown").json()["results"] == []
    assert api.get(path, needs_attention="nonsense").status_code == 400


PATHS = ["orders/", "cancel-requests/", "refund-requests/"]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_takes_as_many_queries_for_many_rows_as_for_one(api: Api, path: str) -> None:
    make_requests()
    past: dict[str, Any] = {"valid_up_to": timezone.now(), "create_status": "pending"}
    order_with(**past)
    with statements() as for_one:
        api.get(path)
    for _number in range(4):
        make_requests()
        order_with(**past)
        order_with(payment_status="paid", create_status="success", next_attempt_at=None)
    with statements() as for_many:
        response = api.get(path)
    assert len(response.json()["results"]) >= 5
    assert len(for_many) == len(for_one)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_counted_and_no_long_text_is_read(api: Api, path: str) -> None:
    make_requests()
    with statements() as sent:
        api.get(path)
    ours = [sql for sql in sent if "django_dana" in sql]
    assert ours
    assert not any("COUNT(" in sql or "request_body" in sql or "OFFSET" in sql for sql in ours)


FILTERED = [
    ({}, None),
    ({"account": "default"}, "dana_order_by_account"),
    ({"partner_reference_no": "x"}, "dana_order_by_reference"),
    ({"shop_reference": "x"}, "dana_order_by_shop"),
    ({"reference_no": "x"}, "dana_order_by_dana"),
    ({"payment_status": "paid"}, "dana_order_by_payment"),
    ({"needs_attention": "conflict"}, "dana_order_attention"),
]


@pytest.mark.parametrize(("conditions", "index"), FILTERED, ids=str)
def test_a_page_is_found_by_its_index_without_sorting(conditions: dict[str, str], index: str | None) -> None:
    if connection.vendor == "postgresql":
        # its tables are empty here, and then it would not care for an index
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Order.objects.filter(**conditions).order_by("-id").values_list("pk", flat=True)[:51].explain()
    if index:
        # of two indexes that begin with the column, the planner takes either one for an empty table
        assert index in plan or (connection.vendor == "postgresql" and "Index Cond" in plan)
    elif connection.vendor == "sqlite":
        assert "TEMP B-TREE" not in plan


def test_every_filter_is_tested_for_its_index() -> None:
    fields = set(serializers.OrderFilter().fields)
    assert fields == {name for conditions, _index in FILTERED for name in conditions}
    assert views.OrderView.ordering_fields == ()
