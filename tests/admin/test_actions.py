"""Row actions: who may do what, when, and what comes of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from django_dana import gateway, services
from django_dana.models import CancelRequest, Order
from django_dana.protocol import operations
from tests import wire as w
from tests.admin.helpers import (
    CALLS,
    CANCELS,
    NOTIFICATIONS,
    ORDERS,
    VIEWS,
    aborted,
    call_of,
    cancel_page,
    client_of,
    labels,
    messages_on,
    notification_of,
    page,
    paid,
    text,
    user_with,
)
from tests.factories import created_order, fresh, fresh_cancel, new_order, order_with, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db

NOTE = {"note": "Looked into it."}


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


# -- actions: who and when ------------------------------------------------------------------------------------------


def test_who_may_only_look_sees_no_action(watcher: Client) -> None:
    order = order_with(create_status="failed", needs_attention="unsettled")
    assert labels(watcher.get(page(order))) == []
    assert labels(watcher.get(cancel_page(aborted(paid())))) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["Stop sending the order"]),
        (
            {"create_status": "pending", "attempts": 3},
            ["Send the order again", "Ask DANA now", "Stop sending the order"],
        ),
        (
            {"create_status": "failed", "attempts": 1},
            ["Send the order again", "Ask DANA now", "Stop sending the order"],
        ),
        ({"create_status": "failed", "attempts": 1, "next_attempt_at": None}, ["Send the order again", "Ask DANA now"]),
        ({"create_status": "failed", "attempts": 1, "next_attempt_at": None, "rule_code": "4035402"}, ["Ask DANA now"]),
        (
            {"create_status": "failed", "next_attempt_at": None, "valid_up_to": timezone.now() - timedelta(days=1)},
            ["Ask DANA now"],
        ),
        ({"create_status": "success", "next_attempt_at": None}, ["Cancel (nothing was paid)…", "Ask DANA now"]),
        ({"create_status": "success", "next_attempt_at": None, "payment_status": "expired"}, ["Ask DANA now"]),
        (
            {
                "create_status": "success",
                "next_attempt_at": None,
                "payment_status": "paid",
                "paid_at": timezone.now(),
                "needs_attention": "unsettled",
            },
            ["Ask DANA now", "Mark as reviewed…", "Give money back…"],
        ),
        (
            {"create_status": "success", "next_attempt_at": None, "needs_attention": "conflict"},
            ["Ask DANA now", "Cancel (nothing was paid)…", "Mark as reviewed…"],
        ),
        (
            {
                "create_status": "success",
                "next_attempt_at": None,
                "needs_attention": "conflict",
                "next_sync_at": timezone.now(),
            },
            ["Ask DANA now", "Cancel (nothing was paid)…"],
        ),
    ],
)
def test_an_order_offers_what_makes_sense(staff: Client, fields: dict[str, Any], expected: list[str]) -> None:
    assert labels(staff.get(page(order_with(**fields)))) == expected


def test_a_pending_order_that_dana_may_have_offers_its_cancel(staff: Client) -> None:
    order = order_with(create_status="pending", attempts=3)
    order.api_calls.create(operation="create", external_id="1", started_at=timezone.now(), rule_code="5005401")
    assert labels(staff.get(page(order))) == [
        "Send the order again",
        "Cancel (nothing was paid)…",
        "Ask DANA now",
        "Stop sending the order",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["Send again", "Ask DANA now", "Mark as reviewed"]),
        ({"needs_attention": "end_unknown"}, ["Send again", "Ask DANA now", "Mark as reviewed"]),
        (
            {"needs_attention": "", "status": "new", "unfinished": True, "next_attempt_at": timezone.now()},
            ["Stop trying"],
        ),
        (
            {"needs_attention": "", "status": "pending", "unfinished": True, "next_attempt_at": timezone.now()},
            ["Send again", "Ask DANA now", "Stop trying"],
        ),
        ({"needs_attention": "", "status": "success"}, []),
    ],
)
def test_a_cancel_request_offers_what_makes_sense(staff: Client, fields: dict[str, Any], expected: list[str]) -> None:
    assert labels(staff.get(cancel_page(aborted(paid(), **fields)))) == expected


ORDER_ACTIONS = ("give-back", "sync", "retry", "stop", "review")
CANCEL_ACTIONS = ("retry", "sync", "stop", "review")


@pytest.mark.parametrize("permissions", [VIEWS, ("cancel_order", "change_cancelrequest"), ()])
def test_without_the_permission_a_action_is_refused(
    permissions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cancel_order", "sync_order", "retry_order", "retry_cancel", "stop_retrying", "clear_attention"):
        if name != "cancel_order":
            monkeypatch.setattr(services, name, None)
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    monkeypatch.setattr(services, "cancel_order", None)
    client = client_of(user_with(*permissions))
    assert client.get(page(order, "give-back")).status_code == 403
    for name in ORDER_ACTIONS:
        assert client.post(page(order, name)).status_code == 403
    if "cancel_order" not in permissions:
        for name in CANCEL_ACTIONS:
            assert client.post(cancel_page(cancel_request, name)).status_code == 403
    assert not LogEntry.objects.exists()


def test_who_may_change_may_not_cancel() -> None:
    order = paid()
    client = client_of(user_with(*VIEWS, "change_order"))
    assert labels(client.get(page(order))) == ["Ask DANA now"]
    assert client.get(page(order, "give-back")).status_code == 403
    assert client.post(page(order, "give-back")).status_code == 403
    assert client.post(cancel_page(aborted(order), "retry")).status_code == 403
    assert CancelRequest.objects.filter(status="new").count() == 0


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [("change_order", {"sync", "retry", "stop", "review"}), ("cancel_order", {"give-back", "sync", "review"})],
)
def test_each_action_asks_for_its_own_permission(
    permission: str, allowed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    order = paid(needs_attention="unsettled")
    client = client_of(user_with("view_order", permission))
    for name in ORDER_ACTIONS:
        status = client.post(page(order, name), NOTE).status_code
        assert status == (403 if name not in allowed else 200 if name == "give-back" else 302), name


def test_strangers_are_sent_to_the_login(client: Client) -> None:
    order = paid()
    for name in ORDER_ACTIONS:
        response = client.post(page(order, name))
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
    assert not CancelRequest.objects.exists()


def test_a_post_from_elsewhere_is_refused(clerk: User) -> None:
    order = paid(needs_attention="unsettled")
    cancel_request = aborted(order)
    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)
    for name in ORDER_ACTIONS:
        assert client.post(page(order, name)).status_code == 403
    for name in CANCEL_ACTIONS:
        assert client.post(cancel_page(cancel_request, name)).status_code == 403
    assert CancelRequest.objects.get().status == "aborted"
    assert fresh_cancel(cancel_request).needs_attention == "not_cancelled"
    assert fresh(order).needs_attention == "unsettled"


@pytest.mark.parametrize("name", ORDER_ACTIONS)
def test_an_unknown_row_is_not_found(staff: Client, name: str) -> None:
    assert staff.post(f"{ORDERS}123456/{name}/").status_code == 404
    assert staff.post(f"{ORDERS}{10**30}/{name}/").status_code == 404


@pytest.mark.parametrize("name", ORDER_ACTIONS)
def test_actions_run_outside_atomic_requests(name: str) -> None:
    assert resolve(f"{ORDERS}1/{name}/").func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CANCEL_ACTIONS)
def test_actions_of_a_cancel_run_outside_atomic_requests_too(name: str) -> None:
    assert resolve(f"{CANCELS}1/{name}/").func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


# -- the other actions ----------------------------------------------------------------------------------------------


def test_ask_dana_now(staff: Client, clerk: User, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    response = staff.post(page(order, "sync"), follow=True)
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
    response = staff.post(page(order, "sync"), follow=True)
    assert messages_on(response)[0].startswith(sentence)
    assert [message.level_tag for message in response.context["messages"]] == ["warning"]


def test_nobody_is_asked_while_a_call_is_under_way(staff: Client, dana: Wire) -> None:
    order = created_order(dana)
    Order.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert messages_on(staff.post(page(order, "sync"), follow=True))[0].startswith("DANA could not be asked now")
    assert dana.bodies(operations.QUERY_PAYMENT.path) == []
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
    client_of(clerk).post(page(order, "sync"))
    assert inside == [False]


def test_send_an_order_again(staff: Client, dana: Wire) -> None:
    dana.play(w.code("4015400"))
    order = new_order()
    gateway.attempt_create(order.pk)
    response = staff.post(page(order, "retry"), follow=True)
    assert messages_on(response) == ["The order is sent to DANA again."]
    assert fresh(order).create_status == "new"
    gateway.attempt_create(order.pk)
    first, second = dana.bodies(operations.CREATE_ORDER.path)
    assert first == second
    assert LogEntry.objects.get().change_message == "Send again"


def test_what_can_not_be_sent_again_says_why(staff: Client) -> None:
    response = staff.post(page(paid(), "retry"), follow=True)
    assert messages_on(response) == ["DANA has this order already."]
    assert not LogEntry.objects.exists()


def test_stop_trying_an_order(staff: Client) -> None:
    order = order_with(create_status="pending", attempts=3)
    response = staff.post(page(order, "stop"), follow=True)
    assert messages_on(response) == ["The order is not sent again by itself any more."]
    assert fresh(order).next_attempt_at is None
    assert messages_on(staff.post(page(order, "stop"), follow=True)) == ["Nothing is being tried again here."]


def test_mark_as_looked_at(staff: Client, clerk: User) -> None:
    order = paid(needs_attention="paid_after_closed")
    response = staff.post(page(order, "review"), NOTE, follow=True)
    assert fresh(order).needs_attention == ""
    assert "needs attention" not in text(response).replace("no longer needs attention", "")
    assert (LogEntry.objects.get().user, LogEntry.objects.get().change_message) == (
        clerk,
        "Mark as reviewed\nLooked into it.",
    )


def test_what_dana_still_has_to_say_can_not_be_marked(staff: Client) -> None:
    order = paid(needs_attention="conflict", next_sync_at=timezone.now())
    response = staff.post(page(order, "review"), NOTE, follow=True)
    assert messages_on(response) == ["DANA is being asked about this order. Wait for its answer."]
    assert fresh(order).needs_attention == "conflict"


def test_mark_a_cancel_as_looked_at(staff: Client, clerk: User) -> None:
    cancel_request = aborted(paid(), status="failed", needs_attention="refused")
    response = staff.post(cancel_page(cancel_request, "review"), NOTE, follow=True)
    assert messages_on(response) == ["Noted: the request no longer needs attention."]
    assert fresh_cancel(cancel_request).needs_attention == ""
    assert (LogEntry.objects.get().user, LogEntry.objects.get().change_message) == (
        clerk,
        "Mark as reviewed\nLooked into it.",
    )


def test_a_cancel_whose_end_nobody_knows_can_not_be_marked(staff: Client) -> None:
    cancel_request = aborted(paid(next_sync_at=timezone.now()), needs_attention="end_unknown")
    response = staff.post(cancel_page(cancel_request, "review"), NOTE, follow=True)
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
    gateway.attempt(CancelRequest, cancel_request.pk)
    assert "Send again" in labels(staff.get(cancel_page(cancel_request)))
    staff.post(cancel_page(cancel_request, "retry"))
    gateway.attempt(CancelRequest, cancel_request.pk)
    first, second = dana.bodies(operations.CANCEL_ORDER.path)
    assert first == second
    assert LogEntry.objects.get().change_message == "Send again"


def test_stop_trying_a_cancel(staff: Client) -> None:
    cancel_request = aborted(paid(), status="pending", unfinished=True, next_attempt_at=timezone.now())
    response = staff.post(cancel_page(cancel_request, "stop"), follow=True)
    assert messages_on(response) == ["It is not sent again by itself any more."]
    assert fresh_cancel(cancel_request).next_attempt_at is None


def test_ask_about_a_cancel(staff: Client, dana: Wire) -> None:
    order = paid_order(dana)
    cancel_request = aborted(order, needs_attention="end_unknown", attempts=1)
    call_of(order, operation="cancel", rule_code="no_reply", cancel_request=cancel_request)
    dana.play(w.status("05", amount="15000.00"))
    response = staff.post(cancel_page(cancel_request, "sync"), follow=True)
    assert messages_on(response) == ["DANA has answered: cancelled."]
    assert fresh_cancel(cancel_request).status == "success"
