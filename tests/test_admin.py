"""The windows of the staff: what they show, who may do what, and that looking changes nothing."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, connections
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from django_dana import gateway, services
from django_dana.admin import base
from django_dana.models import ApiCall, CancelRequest, Notification, Order
from tests import wire as w
from tests.factories import created_order, fresh, fresh_cancel, new_order, order_with, paid_order
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

ORDERS = "/admin/django_dana/order/"
CANCELS = "/admin/django_dana/cancelrequest/"
CALLS = "/admin/django_dana/apicall/"
NOTIFICATIONS = "/admin/django_dana/notification/"

VIEWS = ("view_order", "view_cancelrequest", "view_apicall", "view_notification")


def user_with(*permissions: str) -> User:
    """Return a member of staff who may do just this."""
    user = User.objects.create_user("clerk", is_staff=True)
    found = Permission.objects.filter(content_type__app_label="django_dana", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return user


def client_of(user: User) -> Client:
    """Return a browser in which somebody is logged in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk() -> User:
    return user_with(*VIEWS, "change_order", "cancel_order")


@pytest.fixture
def staff(clerk: User) -> Client:
    """The browser of somebody who may do everything here."""
    return client_of(clerk)


@pytest.fixture
def watcher() -> Client:
    """The browser of somebody who may only look."""
    return client_of(user_with(*VIEWS))


def page(order: Order, name: str = "change") -> str:
    return f"{ORDERS}{order.pk}/{name}/"


def cancel_page(cancel_request: CancelRequest, name: str = "change") -> str:
    return f"{CANCELS}{cancel_request.pk}/{name}/"


def text(response: Any) -> str:
    """Return the page as its reader gets it, with quotes as they are."""
    assert response.status_code == 200
    return str(response.content.decode()).replace("&#x27;", "'").replace("&quot;", '"')


def messages_on(response: Any) -> list[str]:
    """Return the messages on a page."""
    return [str(message) for message in response.context["messages"]]


def labels(response: Any) -> list[str]:
    """Return what stands on the handles."""
    context = response.context
    return [str(label) for label, _ in (*context["links"], *context["handles"])]


def paid(**fields: Any) -> Order:
    """Return a paid order."""
    done = {"create_status": "success", "payment_status": "paid", "paid_at": timezone.now(), "next_attempt_at": None}
    return order_with(**{**done, **fields})


def aborted(order: Order, **fields: Any) -> CancelRequest:
    """Return a cancel request that was given up."""
    cancel_request = services.cancel_order(order)
    end = {"status": "aborted", "needs_attention": "not_cancelled", "unfinished": None, "next_attempt_at": None}
    CancelRequest.objects.filter(pk=cancel_request.pk).update(**{**end, **fields})
    return fresh_cancel(cancel_request)


def call_of(order: Order, number: int = 0, **fields: Any) -> ApiCall:
    """Return a call that was answered."""
    answer: dict[str, Any] = {
        "duration_ms": 5,
        "http_status": 200,
        "response_code": "2005400",
        "rule_code": "2005400",
    }
    fields = {"operation": "create", **answer, **fields}
    external_id = f"{order.pk}-{number}"
    return ApiCall.objects.create(order=order, external_id=external_id, started_at=timezone.now(), **fields)


def notification_of(order: Order | None, body: str = "{}", **fields: Any) -> Notification:
    """Return a message of DANA."""
    return Notification.objects.create(order=order, body=body, outcome="applied", verified=True, **fields)


# -- looking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [ORDERS, CANCELS, CALLS, NOTIFICATIONS])
def test_nobody_adds_a_row(admin_client: Client, url: str) -> None:
    assert admin_client.get(f"{url}add/").status_code == 403
    assert admin_client.post(f"{url}add/", {}).status_code == 403


def test_nobody_edits_or_deletes_a_row(admin_client: Client) -> None:
    order = paid()
    rows = {
        ORDERS: order,
        CANCELS: aborted(order),
        CALLS: call_of(order),
        NOTIFICATIONS: notification_of(order),
    }
    for url, row in rows.items():
        html = text(admin_client.get(f"{url}{row.pk}/change/"))
        assert 'name="_save"' not in html
        assert admin_client.post(f"{url}{row.pk}/change/", {"title": "x"}).status_code == 403
        assert admin_client.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        action = {"action": "delete_selected", "_selected_action": [row.pk]}
        admin_client.post(url, action)
        assert type(row)._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("url", [ORDERS, CANCELS, CALLS, NOTIFICATIONS])
def test_without_a_permission_there_is_nothing_to_see(url: str) -> None:
    assert client_of(user_with()).get(url).status_code == 403


def fill_lists(number: int) -> None:
    """Write orders with a cancel request, a call and a message each."""
    for index in range(number):
        order = paid()
        aborted(order)
        call_of(order, index)
        notification_of(order)


@pytest.mark.parametrize("url", [ORDERS, CANCELS, CALLS, NOTIFICATIONS])
def test_a_list_of_fifty_asks_as_often_as_a_list_of_one(
    watcher: Client, django_assert_num_queries: Any, url: str
) -> None:
    fill_lists(1)
    # session, user, two for the permissions, a bounded count, the rows
    with django_assert_num_queries(6) as queries:
        assert len(watcher.get(url).context["cl"].result_list) == 1
    rows = next(query["sql"] for query in queries if "body" not in query["sql"] and "LIMIT 50" in query["sql"])
    assert "metadata" not in rows
    fill_lists(49)
    with django_assert_num_queries(6):
        assert len(watcher.get(url).context["cl"].result_list) == 50


def test_a_page_with_much_behind_it_asks_as_often_as_one_with_little(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    order = paid()
    aborted(order)
    call_of(order)
    notification_of(order)
    with django_assert_max_num_queries(14) as few:
        staff.get(page(order))
    for number in range(1, 30):
        aborted(order)
        call_of(order, number)
        notification_of(order)
    with django_assert_max_num_queries(len(few)):
        response = staff.get(page(order))
    assert [len(table.rows) for table in response.context["tables"]] == [20, 20, 20]
    for table in response.context["tables"]:
        assert staff.get(table.more_url).context["cl"].result_count == 30


def test_a_list_counts_only_so_far(
    watcher: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(base, "MOST_LISTED", 3)
    for _ in range(5):
        new_order()
    with django_assert_num_queries(6) as queries:
        response = watcher.get(ORDERS)
    assert response.context["cl"].result_count == 3
    assert "Only the latest 3 are listed" in text(response)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 3" in counts[0]


@pytest.mark.parametrize("url", [ORDERS, CANCELS, CALLS, NOTIFICATIONS])
def test_a_search_finds_whole_references(watcher: Client, url: str) -> None:
    fill_lists(3)
    order = Order.objects.latest("id")
    Order.objects.filter(pk=order.pk).update(reference_no="2026ABC")
    for term in (order.partner_reference_no, f" {order.partner_reference_no.lower()} ", "2026ABC"):
        assert watcher.get(url, {"q": term}).context["cl"].result_count == 1
    for term in ("2026", "%", "Kopi"):
        assert watcher.get(url, {"q": term}).context["cl"].result_count == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
@pytest.mark.parametrize(
    "query", [{"q": "X"}, {"attention": "any"}, {"attention": "conflict"}, {"payment_status": "paid"}]
)
def test_an_index_serves_each_question(watcher: Client, query: dict[str, str]) -> None:
    new_order()
    rows = watcher.get(ORDERS, query).context["cl"].queryset
    plan = rows.order_by().explain()
    assert "SCAN" not in plan
    assert "USING INDEX" in plan


def test_filters(watcher: Client) -> None:
    new_order()
    order_with(needs_attention="conflict")
    order_with(needs_attention="account", payment_status="paid")
    for query, number in (
        ({}, 3),
        ({"attention": "any"}, 2),
        ({"attention": "none"}, 1),
        ({"attention": "conflict"}, 1),
        ({"attention": "nonsense"}, 3),
        ({"payment_status": "paid"}, 1),
        ({"create_status": "new"}, 3),
    ):
        assert watcher.get(ORDERS, query).context["cl"].result_count == number


def test_accounts_can_be_chosen_where_there_are_several(watcher: Client, settings: Any) -> None:
    new_order()
    assert "By account" not in text(watcher.get(ORDERS))
    settings.DANA = {**settings.DANA, "other": settings.DANA["default"]}
    assert "By account" in text(watcher.get(ORDERS))
    assert watcher.get(ORDERS, {"account": "default"}).context["cl"].result_count == 1
    assert watcher.get(ORDERS, {"account": "other"}).context["cl"].result_count == 0


def test_orders_are_shown_though_the_setting_is_broken(watcher: Client, settings: Any) -> None:
    order = new_order()
    settings.DANA = "no.such.callable"
    assert order.partner_reference_no in text(watcher.get(ORDERS))
    assert order.title in text(watcher.get(page(order)))


def test_what_comes_next_stands_first(staff: Client) -> None:
    order = paid(needs_attention="paid_after_closed")
    html = text(staff.get(page(order)))
    assert (
        html.index("Needs attention: paid after it was closed") < html.index(order.next_step) < html.index("fieldset")
    )


@pytest.mark.parametrize("attention", ["", "paid_after_closed"])
def test_nobody_is_told_to_deliver_while_a_cancel_is_under_way(watcher: Client, attention: str) -> None:
    order = paid(needs_attention=attention)
    assert "Deliver it" in fresh(order).next_step
    services.cancel_order(order)
    html = text(watcher.get(page(order)))
    assert "Do not deliver; wait until it ends." in html
    assert "Deliver it" not in html


@pytest.mark.parametrize("attention", ["", "paid_after_closed"])
def test_nobody_is_told_to_deliver_while_the_end_of_a_cancel_is_unknown(watcher: Client, attention: str) -> None:
    order = paid(needs_attention=attention)
    cancel_request = aborted(order, needs_attention="end_unknown")
    html = text(watcher.get(page(order)))
    assert "Do not deliver until DANA answers." in html
    assert "Deliver it" not in html
    CancelRequest.objects.filter(pk=cancel_request.pk).update(needs_attention="not_cancelled")
    assert "Deliver it" in text(watcher.get(page(order)))


def test_a_graver_reason_comes_before_the_cancel(watcher: Client) -> None:
    order = paid(needs_attention="amount_differs")
    services.cancel_order(order)
    assert "another amount" in fresh(order).next_step


def test_a_cancel_request_is_called_by_its_orders_reference(watcher: Client) -> None:
    cancel_request = aborted(paid())
    html = text(watcher.get(cancel_page(cancel_request)))
    assert f"<h2>{cancel_request.order}</h2>" in html
    assert f"&rsaquo; #{cancel_request.pk}\n" in html


def test_amounts_are_shown_in_the_readers_notation(watcher: Client) -> None:
    order = order_with(amount=Decimal("9999999999999.99"))
    assert "Rp9,999,999,999,999.99" in text(watcher.get(page(order)))
    assert "Rp9.999.999.999.999,99" in text(watcher.get(ORDERS, headers={"Accept-Language": "id"}))


def test_what_somebody_wrote_is_text(staff: Client) -> None:
    evil = "<script>alert(1)</script>"
    order = paid(title=evil, note=evil, response_message=evil, return_url="javascript:alert(1)")
    cancel_request = aborted(order, reason=evil, response_message=evil)
    call = call_of(order, response_body=evil, error=evil, response_message=evil)
    notification = notification_of(order, body=evil, error=evil, headers={evil: evil})
    staff.post(page(order, "cancel"), {"reason": evil})
    assert evil in LogEntry.objects.get().change_message
    urls = [ORDERS, page(order), page(order, "cancel"), cancel_page(cancel_request), CANCELS, CALLS, NOTIFICATIONS]
    urls += ["/admin/", page(order, "history")]
    for url in (*urls, f"{CALLS}{call.pk}/change/", f"{NOTIFICATIONS}{notification.pk}/change/"):
        html = text(staff.get(url))
        assert evil not in html
        assert 'href="javascript:' not in html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/"])
def test_only_a_safe_address_is_a_link(watcher: Client, url: str) -> None:
    html = text(watcher.get(page(paid(web_redirect_url=url))))
    assert f'href="{url}' not in html
    assert f'href="{w.PAGE.replace("&", "&amp;")}"' in text(watcher.get(page(paid(web_redirect_url=w.PAGE))))


def test_bodies_are_indented_unless_something_would_get_lost(watcher: Client) -> None:
    def shown(body: str) -> str:
        return text(watcher.get(f"{NOTIFICATIONS}{notification_of(None, body).pk}/change/"))

    assert '{\n  "a": {\n    "b": "ä"\n  }\n}' in shown(json.dumps({"a": {"b": "ä"}}))
    assert '{"a":1,"a":2}' in shown('{"a":1,"a":2}')
    assert "1.50" not in shown('{"a":1.5}')
    assert "[" * 500 in shown("[" * 500)


def test_what_one_could_pay_with_is_masked(watcher: Client) -> None:
    details = [{"payMethod": "CARD", "payOption": "", "cardToken": "geheim1", "merchantToken": "geheim2"}]
    order = order_with(pay_option_details=details, request_body=json.dumps({"payOptionDetails": details}))
    html = text(watcher.get(page(order)))
    assert "geheim" not in html
    assert html.count("•••") == 4


def test_no_key_stands_on_any_page(staff: Client, settings: Any, dana: Wire) -> None:
    order = paid_order(dana)
    cancel_request = aborted(order)
    notification = notification_of(order)
    pages = [f"{CALLS}{call.pk}/change/" for call in order.api_calls.all()]
    pages += [ORDERS, page(order), page(order, "cancel"), CANCELS, cancel_page(cancel_request), CALLS, NOTIFICATIONS]
    account = settings.DANA["default"]
    key = account["PRIVATE_KEY"]
    # in pieces, since a part of a key is too much as well
    secrets = [key[start : start + 40] for start in range(0, len(key) - 40, 40)]
    signatures = [request.headers["x-signature"] for request in dana.heard]
    assert len(secrets) > 10
    assert len(signatures) == 2
    for url in (*pages, f"{NOTIFICATIONS}{notification.pk}/change/"):
        html = text(staff.get(url))
        for secret in (*secrets, *signatures, "PRIVATE KEY"):
            assert secret not in html


def test_tables_are_only_for_those_who_may_see_the_rows() -> None:
    order = paid()
    aborted(order)
    response = client_of(user_with("view_order", "view_apicall")).get(page(order))
    assert [str(table.caption) for table in response.context["tables"]] == ["API calls"]
    assert response.context["notes"] == []


def test_an_order_tells_of_its_last_cancel(watcher: Client) -> None:
    order = paid()
    cancel_request = aborted(order)
    html = text(watcher.get(page(order)))
    assert cancel_page(cancel_request) in html
    assert cancel_request.next_step in html


def test_of_a_cancel_that_succeeded_only_its_own_row_says_more(watcher: Client) -> None:
    order = paid()
    cancel_request = aborted(order, status="success", needs_attention="")
    html = text(watcher.get(page(order)))
    assert "Cancel request</a>: <strong>success</strong>. <" in html
    assert html.count(cancel_request.next_step) == 1


def test_a_call_says_what_its_answer_means(watcher: Client) -> None:
    order = new_order()
    for fields, sentence in (
        ({"rule_code": "4035402"}, "The amount is over DANA's limit."),
        ({"rule_code": "", "duration_ms": None}, "No answer is recorded"),
        ({"rule_code": "lost"}, ">-<"),
    ):
        ApiCall.objects.all().delete()
        assert sentence in text(watcher.get(f"{CALLS}{call_of(order, **fields).pk}/change/"))


@pytest.mark.parametrize(("age", "reloads"), [(timedelta(0), True), (timedelta(minutes=3), False)])
def test_what_is_under_way_loads_itself_for_a_while(watcher: Client, age: timedelta, *, reloads: bool) -> None:
    order = order_with(create_status="success", next_attempt_at=None)
    cancel_request = services.cancel_order(order)
    CancelRequest.objects.update(updated_at=timezone.now() - age)
    html = text(watcher.get(cancel_page(cancel_request)))
    assert ('http-equiv="refresh"' in html) is reloads
    assert "It is under way." in html


# -- handles: who and when ------------------------------------------------------------------------------------------


def test_who_may_only_look_sees_no_handle(watcher: Client) -> None:
    order = order_with(create_status="failed", needs_attention="unsettled")
    assert labels(watcher.get(page(order))) == []
    assert labels(watcher.get(cancel_page(aborted(paid())))) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"create_status": "pending"}, ["Ask DANA now", "Send again", "Stop trying"]),
        ({"create_status": "failed"}, ["Ask DANA now", "Send again", "Stop trying"]),
        ({"create_status": "failed", "next_attempt_at": None}, ["Ask DANA now", "Send again"]),
        (
            {"create_status": "failed", "next_attempt_at": None, "valid_up_to": timezone.now() - timedelta(days=1)},
            ["Ask DANA now"],
        ),
        ({"create_status": "success", "next_attempt_at": None}, ["Cancel and refund", "Ask DANA now"]),
        ({"create_status": "success", "next_attempt_at": None, "payment_status": "expired"}, ["Ask DANA now"]),
        (
            {
                "create_status": "success",
                "next_attempt_at": None,
                "payment_status": "paid",
                "needs_attention": "unsettled",
            },
            ["Cancel and refund", "Ask DANA now", "Mark as looked at"],
        ),
        (
            {"create_status": "success", "next_attempt_at": None, "needs_attention": "conflict"},
            ["Cancel and refund", "Ask DANA now", "Mark as looked at"],
        ),
        (
            {
                "create_status": "success",
                "next_attempt_at": None,
                "needs_attention": "conflict",
                "next_sync_at": timezone.now(),
            },
            ["Cancel and refund", "Ask DANA now"],
        ),
    ],
)
def test_an_order_offers_what_makes_sense(staff: Client, fields: dict[str, Any], expected: list[str]) -> None:
    assert labels(staff.get(page(order_with(**fields)))) == expected


def test_a_pending_order_that_dana_may_have_offers_its_cancel(staff: Client) -> None:
    order = order_with(create_status="pending")
    order.api_calls.create(operation="create", external_id="1", started_at=timezone.now(), rule_code="5005401")
    assert labels(staff.get(page(order))) == ["Cancel and refund", "Ask DANA now", "Send again", "Stop trying"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["Send again", "Ask DANA now", "Mark as looked at"]),
        ({"needs_attention": "end_unknown"}, ["Send again", "Ask DANA now"]),
        ({"needs_attention": "", "status": "new", "unfinished": True, "next_attempt_at": timezone.now()}, []),
        (
            {"needs_attention": "", "status": "pending", "unfinished": True, "next_attempt_at": timezone.now()},
            ["Ask DANA now", "Stop trying"],
        ),
        ({"needs_attention": "", "status": "success"}, []),
    ],
)
def test_a_cancel_request_offers_what_makes_sense(staff: Client, fields: dict[str, Any], expected: list[str]) -> None:
    assert labels(staff.get(cancel_page(aborted(paid(), **fields)))) == expected


ORDER_HANDLES = ("cancel", "ask", "retry", "stop", "mark")
CANCEL_HANDLES = ("retry", "ask", "stop", "mark")


@pytest.mark.parametrize("permissions", [VIEWS, ("cancel_order", "change_cancelrequest"), ()])
def test_without_the_permission_a_handle_is_refused(
    permissions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cancel_order", "sync_order", "retry_order", "retry_cancel", "stop_retrying", "clear_attention"):
        if name != "cancel_order":
            monkeypatch.setattr(services, name, None)
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    monkeypatch.setattr(services, "cancel_order", None)
    client = client_of(user_with(*permissions))
    assert client.get(page(order, "cancel")).status_code == 403
    for name in ORDER_HANDLES:
        assert client.post(page(order, name)).status_code == 403
    if "cancel_order" not in permissions:
        for name in CANCEL_HANDLES:
            assert client.post(cancel_page(cancel_request, name)).status_code == 403
    assert not LogEntry.objects.exists()


def test_who_may_change_may_not_cancel() -> None:
    order = paid()
    client = client_of(user_with(*VIEWS, "change_order"))
    assert labels(client.get(page(order))) == ["Ask DANA now"]
    assert client.get(page(order, "cancel")).status_code == 403
    assert client.post(page(order, "cancel")).status_code == 403
    assert client.post(cancel_page(aborted(order), "retry")).status_code == 403
    assert CancelRequest.objects.filter(status="new").count() == 0


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [("change_order", {"ask", "retry", "stop", "mark"}), ("cancel_order", {"cancel", "ask", "mark"})],
)
def test_each_handle_asks_for_its_own_permission(
    permission: str, allowed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    order = paid(needs_attention="unsettled")
    client = client_of(user_with("view_order", permission))
    for name in ORDER_HANDLES:
        assert client.post(page(order, name)).status_code == (302 if name in allowed else 403), name


def test_strangers_are_sent_to_the_login(client: Client) -> None:
    order = paid()
    for name in ORDER_HANDLES:
        response = client.post(page(order, name))
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
    assert not CancelRequest.objects.exists()


def test_looking_changes_nothing(staff: Client, django_assert_max_num_queries: Any) -> None:
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    before = (fresh(order).updated_at, fresh_cancel(cancel_request).updated_at)
    for name in ORDER_HANDLES:
        assert staff.get(page(order, name)).status_code == (200 if name == "cancel" else 405)
    for name in CANCEL_HANDLES:
        assert staff.get(cancel_page(cancel_request, name)).status_code == 405
    assert (fresh(order).updated_at, fresh_cancel(cancel_request).updated_at) == before
    assert not LogEntry.objects.exists()


def test_a_post_from_elsewhere_is_refused(clerk: User) -> None:
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)
    for name in ORDER_HANDLES:
        assert client.post(page(order, name)).status_code == 403
    for name in CANCEL_HANDLES:
        assert client.post(cancel_page(cancel_request, name)).status_code == 403
    assert CancelRequest.objects.get().status == "aborted"
    assert fresh_cancel(cancel_request).needs_attention == "not_cancelled"
    assert fresh(order).needs_attention == "unsettled"


@pytest.mark.parametrize("name", ORDER_HANDLES)
def test_an_unknown_row_is_not_found(staff: Client, name: str) -> None:
    assert staff.post(f"{ORDERS}123456/{name}/").status_code == 404
    assert staff.post(f"{ORDERS}{10**30}/{name}/").status_code == 404


@pytest.mark.parametrize("name", ORDER_HANDLES)
def test_handles_run_outside_atomic_requests(name: str) -> None:
    assert resolve(f"{ORDERS}1/{name}/").func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CANCEL_HANDLES)
def test_handles_of_a_cancel_run_outside_atomic_requests_too(name: str) -> None:
    assert resolve(f"{CANCELS}1/{name}/").func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


# -- cancel and refund ----------------------------------------------------------------------------------------------


def test_the_confirm_page_says_what_will_happen(staff: Client) -> None:
    html = text(staff.get(page(paid(), "cancel")))
    assert "The whole order is cancelled at DANA, and Rp15,000.00 goes back to the buyer." in html
    assert "Yes, cancel and refund" in html
    assert "24 hours" not in html


def test_it_warns_after_24_hours(staff: Client) -> None:
    html = text(staff.get(page(paid(paid_at=timezone.now() - timedelta(hours=25)), "cancel")))
    assert "more than 24 hours ago" in html
    assert "Yes, cancel and refund" in html


def test_an_unpaid_order_is_cancelled_too(staff: Client) -> None:
    order = order_with(create_status="success", next_attempt_at=None, payment_status="initiated")
    html = text(staff.get(page(order, "cancel")))
    assert "so the buyer can't pay it any more" in html
    assert "Yes, cancel and refund" not in html


def test_where_a_cancel_is_under_way_the_page_leads_to_it(staff: Client) -> None:
    order = paid()
    cancel_request = services.cancel_order(order)
    html = text(staff.get(page(order, "cancel")))
    assert "This order can't be cancelled now. A cancel is under way." in html
    assert f'href="{cancel_page(cancel_request)}"' in html
    assert '<form method="post">' not in html


def test_it_points_to_an_earlier_request(staff: Client) -> None:
    order = paid()
    cancel_request = aborted(order)
    html = text(staff.get(page(order, "cancel")))
    assert "Sending that one again is better" in html
    assert cancel_page(cancel_request) in html


def test_one_that_succeeded_is_not_sent_again_where_the_buyer_paid_later(staff: Client) -> None:
    order = paid(needs_attention="paid_after_closed")
    aborted(order, status="success", needs_attention="")
    html = text(staff.get(page(order, "cancel")))
    assert "Yes, cancel and refund" in html
    assert "Sending that one again is better" not in html


def test_cancel_and_refund(staff: Client, clerk: User, dana: Wire) -> None:
    order = paid_order(dana)
    response = staff.post(page(order, "cancel"), {"reason": "Stok habis"}, follow=True)
    cancel_request = CancelRequest.objects.get()
    assert response.redirect_chain == [(cancel_page(cancel_request), 302)]
    assert messages_on(response) == ["The cancel is on its way to DANA. This page shows what becomes of it."]
    assert (cancel_request.reason, cancel_request.requested_by) == ("Stok habis", clerk)
    assert "The request is on its way to DANA" in text(response)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_edited_object()) == (clerk, order)
    assert entry.change_message == "Cancel and refund (Stok habis)"

    dana.play(w.code("2005700"))
    gateway.attempt_cancel(cancel_request.pk)
    html = text(staff.get(cancel_page(cancel_request)))
    assert "DANA has cancelled the order." in html
    assert "It is under way." not in html


def test_who_may_not_see_cancel_requests_stays_with_the_order() -> None:
    order = paid()
    response = client_of(user_with("view_order", "cancel_order")).post(page(order, "cancel"))
    assert response["Location"] == page(order)
    assert CancelRequest.objects.count() == 1


def test_a_double_click_cancels_once(staff: Client) -> None:
    order = paid()
    staff.post(page(order, "cancel"))
    html = text(staff.post(page(order, "cancel")))
    assert "A cancel of this order is under way. Wait until it ends." in html
    assert cancel_page(CancelRequest.objects.get()) in html
    assert LogEntry.objects.count() == 1


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
    assert "This order can't be cancelled now." in text(staff.get(page(order, "cancel")))
    html = text(staff.post(page(order, "cancel")))
    assert sentence in html
    assert "Traceback" not in html
    assert not CancelRequest.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 257, "a\x00b", "a\tb"])
def test_a_reason_that_dana_can_not_take_is_refused(staff: Client, reason: str) -> None:
    html = text(staff.post(page(paid(), "cancel"), {"reason": reason}))
    assert "errorlist" in html or "errornote" in html
    assert not CancelRequest.objects.exists()


def test_an_account_that_is_gone_is_a_sentence_too(staff: Client, settings: Any) -> None:
    order = paid()
    settings.DANA = {}
    assert "The DANA setting has no account default." in text(staff.post(page(order, "cancel")))


@pytest.mark.django_db(transaction=True)
def test_without_its_line_in_the_history_nothing_is_cancelled(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid()

    def log_change(*args: Any) -> None:
        raise RuntimeError("the history is broken")

    monkeypatch.setattr(base.Window, "log_change", log_change)
    with pytest.raises(RuntimeError):
        client_of(clerk).post(page(order, "cancel"))
    assert not CancelRequest.objects.exists()


# -- the other handles ----------------------------------------------------------------------------------------------


def test_ask_dana_now(staff: Client, clerk: User, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    response = staff.post(page(order, "ask"), follow=True)
    assert messages_on(response) == ["DANA has answered: paid."]
    assert fresh(order).payment_status == "paid"
    assert (LogEntry.objects.get().user, LogEntry.objects.get().change_message) == (clerk, "Ask DANA now")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (w.hang_up, "DANA did not answer"),
        (w.code("4015500"), "DANA refused to answer"),
        (w.body(b"<html>"), "DANA did not answer"),
    ],
)
def test_a_question_without_an_answer_is_a_warning(staff: Client, dana: Wire, act: Any, sentence: str) -> None:
    order = created_order(dana)
    dana.play(act)
    response = staff.post(page(order, "ask"), follow=True)
    assert messages_on(response)[0].startswith(sentence)
    assert [message.level_tag for message in response.context["messages"]] == ["warning"]


def test_nobody_is_asked_while_a_call_is_under_way(staff: Client, dana: Wire) -> None:
    order = created_order(dana)
    Order.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert messages_on(staff.post(page(order, "ask"), follow=True))[0].startswith("DANA could not be asked now")
    assert dana.bodies(QUERY_PATH) == []
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_dana_is_asked_outside_any_transaction(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid()
    inside: list[bool] = []

    def ask(order_id: int, **options: Any) -> bool:
        inside.append(connection.in_atomic_block)
        return False

    monkeypatch.setattr(gateway, "sync", ask)
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)  # noqa: FBT003
    client_of(clerk).post(page(order, "ask"))
    assert inside == [False]


def test_send_an_order_again(staff: Client, dana: Wire) -> None:
    dana.play(w.code("4015400"))
    order = new_order()
    gateway.attempt_create(order.pk)
    response = staff.post(page(order, "retry"), follow=True)
    assert messages_on(response) == ["The order is sent to DANA again."]
    assert fresh(order).create_status == "new"
    gateway.attempt_create(order.pk)
    first, second = dana.bodies(CREATE_PATH)
    assert first == second
    assert LogEntry.objects.get().change_message == "Send again"


def test_what_can_not_be_sent_again_says_why(staff: Client) -> None:
    response = staff.post(page(paid(), "retry"), follow=True)
    assert messages_on(response) == ["DANA has this order already."]
    assert not LogEntry.objects.exists()


def test_stop_trying_an_order(staff: Client) -> None:
    order = order_with(create_status="pending")
    response = staff.post(page(order, "stop"), follow=True)
    assert messages_on(response) == ["The order is not sent again by itself any more."]
    assert fresh(order).next_attempt_at is None
    assert messages_on(staff.post(page(order, "stop"), follow=True)) == ["Nothing is being tried again here."]


def test_mark_as_looked_at(staff: Client, clerk: User) -> None:
    order = paid(needs_attention="paid_after_closed")
    response = staff.post(page(order, "mark"), follow=True)
    assert fresh(order).needs_attention == ""
    assert "Needs attention" not in text(response)
    assert (LogEntry.objects.get().user, LogEntry.objects.get().change_message) == (clerk, "Mark as looked at")


def test_what_dana_still_has_to_say_can_not_be_marked(staff: Client) -> None:
    order = paid(needs_attention="conflict", next_sync_at=timezone.now())
    response = staff.post(page(order, "mark"), follow=True)
    assert messages_on(response) == ["DANA is being asked about this order. Wait for its answer."]
    assert fresh(order).needs_attention == "conflict"


def test_mark_a_cancel_as_looked_at(staff: Client, clerk: User) -> None:
    cancel_request = aborted(paid(), status="failed", needs_attention="refused")
    response = staff.post(cancel_page(cancel_request, "mark"), follow=True)
    assert messages_on(response) == ["Noted: the cancel request needs no attention any more."]
    assert fresh_cancel(cancel_request).needs_attention == ""
    assert (LogEntry.objects.get().user, LogEntry.objects.get().change_message) == (clerk, "Mark as looked at")


def test_a_cancel_whose_end_nobody_knows_can_not_be_marked(staff: Client) -> None:
    cancel_request = aborted(paid(next_sync_at=timezone.now()), needs_attention="end_unknown")
    response = staff.post(cancel_page(cancel_request, "mark"), follow=True)
    assert messages_on(response) == ["DANA is being asked about this order. Wait for its answer."]
    assert fresh_cancel(cancel_request).needs_attention == "end_unknown"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        ("retry", {"status": "success"}, "This cancel has succeeded already."),
        ("stop", {"status": "failed"}, "Nothing is being tried again here."),
    ],
)
def test_what_makes_no_sense_for_a_cancel_says_why(
    staff: Client, name: str, fields: dict[str, Any], sentence: str
) -> None:
    cancel_request = aborted(paid(), **fields)
    response = staff.post(cancel_page(cancel_request, name), follow=True)
    assert messages_on(response) == [sentence]
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert not LogEntry.objects.exists()


def test_send_a_cancel_again(staff: Client, dana: Wire) -> None:
    order = paid_order(dana)
    cancel_request = services.cancel_order(order)
    dana.play(w.code("4035705"))
    gateway.attempt_cancel(cancel_request.pk)
    assert "Send again" in labels(staff.get(cancel_page(cancel_request)))
    staff.post(cancel_page(cancel_request, "retry"))
    gateway.attempt_cancel(cancel_request.pk)
    first, second = dana.bodies(CANCEL_PATH)
    assert first == second
    assert LogEntry.objects.get().change_message == "Send again"


def test_stop_trying_a_cancel(staff: Client) -> None:
    cancel_request = aborted(paid(), status="pending", unfinished=True, next_attempt_at=timezone.now())
    response = staff.post(cancel_page(cancel_request, "stop"), follow=True)
    assert messages_on(response) == ["The cancel is not sent again by itself any more."]
    assert fresh_cancel(cancel_request).next_attempt_at is None


def test_ask_about_a_cancel(staff: Client, dana: Wire) -> None:
    order = paid_order(dana)
    cancel_request = aborted(order, needs_attention="end_unknown", attempts=1)
    call_of(order, operation="cancel", rule_code="no_reply", cancel_request=cancel_request)
    dana.play(w.status("05", amount="15000.00"))
    response = staff.post(cancel_page(cancel_request, "ask"), follow=True)
    assert messages_on(response) == ["DANA has answered: cancelled."]
    assert fresh_cancel(cancel_request).status == "success"
