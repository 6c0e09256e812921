"""What is erased when RETENTION is over, and what never is."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_dana import services, tasks
from django_dana.models import ApiCall, CancelRequest, IdempotencyKey, Notification, Order, OutboxEvent
from django_dana.services import privacy
from tests import wire as w
from tests.conftest import Clock
from tests.factories import DEFAULT_ACCOUNT, account_with, created_order, fresh, new_order, statements
from tests.notices import assert_answer, compact, headers, notice, send
from tests.wire import Wire

pytestmark = pytest.mark.django_db


def prune(*args: str) -> list[str]:
    out = StringIO()
    call_command("dana_prune", *args, stdout=out)
    return out.getvalue().splitlines()


def settled_order(**values: Any) -> Order:
    """Return an order that was paid, with a call and a notification."""
    order = new_order()
    Order.objects.filter(pk=order.pk).update(
        **{"create_status": "success", "payment_status": "paid", "next_attempt_at": None, **values}
    )
    ApiCall.objects.create(
        order=order,
        operation="create",
        external_id=str(uuid.uuid4()),
        started_at=timezone.now(),
        duration_ms=12,
        http_status=200,
        response_code="2005400",
        response_body='{"responseCode":"2005400"}',
    )
    Notification.objects.create(
        order=order, body="{}", headers={"X-Signature": "abc"}, verified=True, outcome="applied"
    )
    return order


def is_kept(order: Order) -> bool:
    """Whether everything about an order is still there; half of it would be an error."""
    order, call, message = fresh(order), order.api_calls.get(), order.notifications.get()
    texts = [bool(order.request_body), bool(call.response_body), bool(message.body), bool(message.headers)]
    assert len(set(texts)) == 1
    return texts[0]


def said(**numbers: int) -> list[str]:
    """Return what the command says of so many rows."""
    pruned = privacy.Pruned(**numbers)
    return [
        f"{pruned.orders} orders emptied",
        f"{pruned.calls} replies emptied",
        f"{pruned.notifications} notifications emptied",
        f"{pruned.unmatched} notifications without an order deleted",
        f"{pruned.answers} answers of the REST API deleted",
    ]


def test_what_is_settled_is_emptied_after_90_days_and_not_before(clock: Clock) -> None:
    order = settled_order()
    clock.forward(days=90, seconds=-5)
    prune()
    assert is_kept(order)
    clock.forward(seconds=10)
    assert prune() == said(orders=1, calls=1, notifications=1)
    assert not is_kept(order)


def test_rows_amounts_references_states_and_times_stay(clock: Clock) -> None:
    order = settled_order(
        reference_no="D-1", web_redirect_url="https://m.dana.id/x", shop_reference="S-1", metadata={"cart": 7}
    )
    before = Order.objects.values().get()
    clock.forward(days=91)
    prune()
    emptied = dict.fromkeys(["request_body", "web_redirect_url"], "")
    assert Order.objects.values().get() == before | emptied
    call, message = order.api_calls.get(), order.notifications.get()
    assert (call.response_code, call.http_status, call.duration_ms) == ("2005400", 200, 12)
    assert (message.outcome, message.verified) == ("applied", True)


@pytest.mark.parametrize("status", ["paid", "cancelled", "expired", "refunded", "not_found"])
def test_every_final_state_is_settled(clock: Clock, status: str) -> None:
    order = settled_order(payment_status=status)
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def test_a_create_that_failed_for_good_is_settled(clock: Clock) -> None:
    order = settled_order(create_status="failed", payment_status="none")
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def add_cancel(order: Order, **values: Any) -> None:
    CancelRequest.objects.create(
        **{"order": order, "amount": order.amount, "request_body": "{}", "give_up_at": timezone.now(), **values}
    )


def later(**step: float) -> Any:
    return timezone.now() + timedelta(**step)


UNSETTLED: dict[str, Callable[[], Order]] = {
    "nothing known": lambda: settled_order(payment_status="none"),
    "waiting for the buyer": lambda: settled_order(payment_status="initiated"),
    "being paid": lambda: settled_order(payment_status="paying"),
    "create pending": lambda: settled_order(create_status="pending", payment_status="none"),
    "failed but tried again": lambda: settled_order(
        create_status="failed", payment_status="none", next_attempt_at=later(days=1)
    ),
    "needs attention": lambda: settled_order(needs_attention="paid_after_closed"),
    "a query is due": lambda: settled_order(next_sync_at=later(days=1)),
    "a call is under way": lambda: settled_order(lease_token=uuid.uuid4(), lease_until=later(days=100)),
}

UNSETTLED_BESIDE: dict[str, Callable[[Order], Any]] = {
    "a new cancel": add_cancel,
    "a pending cancel": lambda order: add_cancel(order, status="pending"),
    "a cancel with unknown end": lambda order: add_cancel(
        order, status="aborted", unfinished=None, needs_attention="end_unknown"
    ),
    "a refused cancel that nobody has looked at": lambda order: add_cancel(
        order, status="failed", unfinished=None, needs_attention="refused"
    ),
    "an event to be told": lambda order: OutboxEvent.objects.create(name="order_paid", order=order),
}


@pytest.mark.parametrize("make", UNSETTLED.values(), ids=UNSETTLED)
def test_what_is_unsettled_is_never_emptied(clock: Clock, make: Callable[[], Order]) -> None:
    order = make()
    clock.forward(days=91)
    prune()
    assert is_kept(order)


@pytest.mark.parametrize("add", UNSETTLED_BESIDE.values(), ids=UNSETTLED_BESIDE)
def test_what_is_unsettled_beside_it_keeps_it(clock: Clock, add: Callable[[Order], Any]) -> None:
    order = settled_order()
    add(order)
    clock.forward(days=91)
    prune()
    assert is_kept(order)


def test_a_finished_cancel_and_a_lease_that_ran_out_keep_nothing(clock: Clock) -> None:
    order = settled_order(payment_status="cancelled", lease_token=uuid.uuid4(), lease_until=later(minutes=1))
    add_cancel(order, status="success", unfinished=None)
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def test_an_order_touched_lately_is_kept_whole(clock: Clock) -> None:
    order = settled_order()
    clock.forward(days=91)
    order.save()
    prune()
    assert is_kept(order)


def test_an_order_that_is_unsettled_while_its_batch_waits_is_kept(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = settled_order()
    clock.forward(days=91)
    seen: list[str] = []

    def arrive(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and not seen:
            seen.append(sql)
            Order.objects.filter(pk=order.pk).update(needs_attention="conflict")
        return result

    with connection.execute_wrapper(arrive):
        output = prune()
    assert output == said()
    assert is_kept(order)


def test_what_somebody_else_has_deleted_while_its_batch_waits_is_not_counted(clock: Clock) -> None:
    Notification.objects.create(body="old", outcome="bad_signature")
    clock.forward(days=91)

    def arrive(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if re.match(r"SELECT .django_dana_notification.*LIMIT 1000", sql):
            Notification.objects.filter(body="old").update(received_at=timezone.now())
        return result

    with connection.execute_wrapper(arrive):
        assert prune() == said()
    assert Notification.objects.exists()


def test_notifications_without_an_order_are_deleted_when_old(clock: Clock) -> None:
    Notification.objects.create(body="old", outcome="bad_signature")
    told = Notification.objects.create(body="verified", verified=True, outcome="unknown_order")
    OutboxEvent.objects.create(name="notification_unmatched", notification=told)
    clock.forward(days=91)
    new = Notification.objects.create(body="new", outcome="unknown_order", verified=True)
    assert prune() == said(unmatched=2)
    assert Notification.objects.get() == new
    assert not OutboxEvent.objects.exists()


def test_each_account_has_its_own_retention(clock: Clock, settings: Any) -> None:
    settings.DANA = account_with(RETENTION=timedelta(days=30)) | {
        "long": {**DEFAULT_ACCOUNT, "RETENTION": timedelta(days=3_000)},
        "short": {**DEFAULT_ACCOUNT, "RETENTION": timedelta(days=7)},
        "broken": {**DEFAULT_ACCOUNT, "MCC": ""},
    }
    orders = {alias: settled_order(account=alias) for alias in ("default", "long", "short", "broken", "gone")}
    for alias in ("", "long", "short"):
        Notification.objects.create(account=alias, body="x", outcome="bad_signature")

    def left() -> tuple[list[str], int]:
        kept = [alias for alias, order in orders.items() if is_kept(order)]
        return kept, Notification.objects.filter(order=None).count()

    clock.forward(days=8)
    prune()
    assert left() == (["default", "long", "broken", "gone"], 2)
    clock.forward(days=23)
    prune()
    assert left() == (["long", "broken"], 1)


def test_without_a_default_account_that_can_be_used_the_usual_retention_holds_for_rows_of_none(
    clock: Clock, settings: Any
) -> None:
    settings.DANA = {
        "default": {**DEFAULT_ACCOUNT, "MCC": ""},
        "short": {**DEFAULT_ACCOUNT, "RETENTION": timedelta(days=7)},
    }
    Notification.objects.create(body="x", outcome="bad_signature")
    clock.forward(days=89)
    assert prune() == said()
    clock.forward(days=2)
    assert prune() == said(unmatched=1)


def test_accounts_of_one_retention_are_gone_through_once(clock: Clock, settings: Any) -> None:
    settings.DANA = account_with() | {"other": DEFAULT_ACCOUNT}
    with statements() as sql:
        prune()
    assert len([text for text in sql if re.match(r"SELECT .django_dana_order.", text)]) == 1


def test_without_a_setting_that_can_be_read_nothing_is_erased(clock: Clock, settings: Any) -> None:
    order = settled_order()
    clock.forward(days=91)
    settings.DANA = "nowhere.to.be_found"
    with pytest.raises(CommandError, match="Nothing was erased"):
        prune()
    assert is_kept(order)


def test_a_dry_run_counts_and_saves_nothing(clock: Clock) -> None:
    orders = [settled_order() for _ in range(3)]
    Notification.objects.create(body="x", outcome="bad_signature")
    IdempotencyKey.objects.create(digest="x", fingerprint="x", body="x")
    clock.forward(days=91)
    output = prune("--dry-run")
    assert output == [
        *said(orders=3, calls=3, notifications=3, unmatched=1, answers=1),
        "This was a dry run; nothing was saved.",
    ]
    assert all(is_kept(order) for order in orders)
    assert prune() == output[:-1]
    assert Notification.objects.count() == 3


def test_a_second_run_finds_nothing(clock: Clock) -> None:
    settled_order()
    clock.forward(days=91)
    prune()
    assert prune() == said()


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_batches_of_any_size_reach_every_row(clock: Clock, size: int) -> None:
    orders = [settled_order() for _ in range(5)]
    Notification.objects.bulk_create(Notification(body="x") for _ in range(5))
    clock.forward(days=91)
    with CaptureQueriesContext(connection) as queries:
        output = prune("--batch-size", str(size))
    assert output == said(orders=5, calls=5, notifications=5, unmatched=5)
    assert not any(is_kept(order) for order in orders)
    writes = [query for query in queries if query["sql"].startswith(("UPDATE", "DELETE"))]
    # the orders, the calls, the notifications, those without an order, and the events about these
    assert len(writes) == 5 * -(-5 // size)


def test_what_is_unsettled_is_kept_between_what_is_settled(clock: Clock) -> None:
    orders = [settled_order(**values) for values in ({}, {"needs_attention": "conflict"}, {})]
    strangers = [Notification.objects.create(body="x", verified=verified) for verified in (False, True, False)]
    clock.forward(days=91)
    prune()
    assert [is_kept(order) for order in orders] == [False, True, False]
    assert not Notification.objects.filter(pk__in=[stranger.pk for stranger in strangers]).exists()


@pytest.mark.parametrize("arguments", [["--batch-size", "0"], ["--batch-size", "-1"], ["--batch-size", "x"]])
def test_nonsense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        prune(*arguments)


# -- what is personal -------------------------------------------------------------------------------------------------

BUYER = {"externalUserType": "SITI-TYPE", "externalUserId": "SITI-ID", "nickname": "SITI-NAME"}
SHIPPING = [
    {
        "merchantShippingId": "SITI-SHIP",
        "address1": "SITI-STREET",
        "firstName": "SITI-FIRST",
        "mobileNo": "SITI-MOBILE",
        "email": "SITI@shop.example",
        "lastName": "SITI-LAST",
        "stateName": "x",
        "countryName": "x",
        "cityName": "SITI-CITY",
        "zipCode": "SITI-ZIP",
    }
]
DEVICE = {"clientIp": "203.0.113.7", "osType": "SITI-OS", "sessionId": "SITI-SESSION", "websiteLanguage": "SITI-LANG"}
CARD = {
    "payMethod": "CREDIT_CARD",
    "payOption": "CREDIT_CARD_VISA",
    "cardToken": "SITI-TOKEN",
    "additionalInfo": {"phoneNumber": "+628123456789"},
}


def order_of_siti(dana: Wire, **arguments: Any) -> Order:
    """Return an order that was paid, with all that we may learn about its buyer."""
    dana.play(
        w.code("2005400", webRedirectUrl="https://m.dana.id/SITI-PAGE"),
        w.code("2005500", latestTransactionStatus="00", buyer={"mobile": "SITI-QUERY"}),
    )
    order = new_order(
        **{"buyer": BUYER, "shipping": SHIPPING, "env_info": DEVICE, "return_url": "/SITI-RETURN", **arguments}
    )
    Order.objects.filter(pk=order.pk).update(pay_option_details=[CARD, {"payMethod": "BALANCE", "payOption": ""}])
    tasks.create_order(order.pk)
    order = services.sync_order(order)
    message = compact(notice(order, additionalInfo={"extendInfo": '{"name":"SITI-EXTEND"}'}))
    assert_answer(send(Client(), message, headers(message)), "2005600")
    # DANA's own, when our key was the wrong one
    refused = compact(notice(order, additionalInfo={"name": "SITI-REFUSED"}))
    assert_answer(send(Client(), refused, headers(b"x")), "4015600")
    Order.objects.update(payment_code="SITI-CODE")
    tasks.send_outbox(order.pk)
    return fresh(order)


def everything() -> str:
    """Return every column of every row of ours."""
    models = apps.get_app_config("django_dana").get_models()
    return "\n".join(repr(row) for model in models for row in model._default_manager.values())


def personal() -> list[str]:
    return re.findall(r"SITI[-@]\w+|203\.0\.113\.7|8123456789", everything())


def test_personal_data_is_in_no_column_any_more(dana: Wire, clock: Clock) -> None:
    order = order_of_siti(dana)
    assert {"SITI-STREET", "SITI-TOKEN", "SITI-PAGE", "SITI-QUERY", "SITI-EXTEND", "SITI-REFUSED"} <= set(personal())
    before: dict[str, Any] = dict(Order.objects.values().get())
    services.erase_personal_data(order)
    assert personal() == []
    after: dict[str, Any] = dict(Order.objects.values().get())
    assert {name for name in after if after[name] != before[name]} - {"updated_at"} == {
        *("request_body", "web_redirect_url", "payment_code", "return_url", "pay_option_details")
    }
    assert after["pay_option_details"] == [
        {"payMethod": "CREDIT_CARD", "payOption": "CREDIT_CARD_VISA"},
        {"payMethod": "BALANCE", "payOption": ""},
    ]


def test_personal_data_goes_when_retention_is_over(dana: Wire, clock: Clock) -> None:
    order_of_siti(dana)
    clock.forward(days=89)
    prune()
    assert personal()
    clock.forward(days=2)
    prune()
    assert personal() == []


def test_what_the_shop_holds_does_not_write_it_back(dana: Wire, clock: Clock) -> None:
    order = order_of_siti(dana)
    services.erase_personal_data(order)
    order.metadata = {"cart": 7}
    order.save()
    assert personal() == []
    assert fresh(order).metadata == {"cart": 7}


def test_the_order_is_locked_before_it_is_looked_at(clock: Clock) -> None:
    order = settled_order()
    with statements() as sql:
        services.erase_personal_data(order)
    first = next(text for text in sql if not text.startswith("SAVEPOINT"))
    # on SQLite only a write locks
    assert first.startswith("UPDATE") or "FOR UPDATE" in first


def test_erasing_twice_is_fine(dana: Wire, clock: Clock) -> None:
    order = order_of_siti(dana)
    for _ in range(2):
        services.erase_personal_data(order)


@pytest.mark.parametrize("make", UNSETTLED.values(), ids=UNSETTLED)
def test_nothing_is_erased_while_the_order_is_unsettled(clock: Clock, make: Callable[[], Order]) -> None:
    order = make()
    with pytest.raises(ValidationError) as caught:
        services.erase_personal_data(order)
    assert "not settled yet" in caught.value.message_dict["order"][0]
    assert is_kept(order)


@pytest.mark.parametrize("add", UNSETTLED_BESIDE.values(), ids=UNSETTLED_BESIDE)
def test_nothing_is_erased_while_something_beside_it_is(clock: Clock, add: Callable[[Order], Any]) -> None:
    order = settled_order()
    add(order)
    with pytest.raises(ValidationError):
        services.erase_personal_data(order)
    assert is_kept(order)


def test_a_refused_create_is_kept_while_it_can_be_sent_again(dana: Wire, clock: Clock) -> None:
    order = settled_order(create_status="failed", payment_status="none", attempts=1, rule_code="4015400")
    assert services.why_not_retry(fresh(order)) is None
    with pytest.raises(ValidationError):
        services.erase_personal_data(order)
    clock.to(order.valid_up_to)
    assert services.why_not_retry(fresh(order))
    services.erase_personal_data(order)


def test_what_was_erased_can_still_be_given_back(dana: Wire, clock: Clock) -> None:
    order = order_of_siti(dana)
    services.erase_personal_data(order)
    dana.play(w.code("2005700"))
    cancel_request = services.cancel_order(order, reason="stock ran out")
    tasks.cancel_order(cancel_request.pk)
    assert fresh(order).payment_status == "cancelled"
    tasks.send_outbox(order.pk)
    services.erase_personal_data(order)
    assert personal() == []


def test_a_repetition_of_an_erased_message_adds_nothing(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    body = compact(notice(order))
    sent = headers(body)
    assert_answer(send(Client(), body, sent), "2005600")
    tasks.send_outbox(order.pk)
    services.erase_personal_data(order)
    assert_answer(send(Client(), body, sent), "2005600")
    assert [message.body for message in Notification.objects.all()] == [""]


def test_the_pages_of_what_was_erased_are_there(dana: Wire, clock: Clock, admin_client: Client) -> None:
    order = order_of_siti(dana)
    services.erase_personal_data(order)
    for name in ("django_dana:pay", "django_dana:return"):
        assert Client().get(reverse(name, args=[order.public_id])).status_code == 200
    call, message = order.api_calls.order_by("pk")[0], order.notifications.get()
    for page in (f"order/{order.pk}", f"apicall/{call.pk}", f"notification/{message.pk}"):
        assert admin_client.get(f"/admin/django_dana/{page}/change/").status_code == 200
    out = StringIO()
    call_command("dana_explain", order.partner_reference_no, stdout=out)
    assert "paid, as DANA says" in out.getvalue()


def test_methods_of_many_orders_are_shortened_in_one_statement_for_each_fifty(clock: Clock) -> None:
    orders = [settled_order(pay_option_details=[{**CARD, "transAmount": {"value": f"{n}.00"}}]) for n in range(51)]
    clock.forward(days=91)
    with CaptureQueriesContext(connection) as queries:
        prune()
    assert [fresh(order).pay_option_details[0]["transAmount"]["value"] for order in orders] == [
        f"{n}.00" for n in range(51)
    ]
    assert len([query for query in queries if query["sql"].startswith("UPDATE")]) == 5
    assert personal() == []


def test_answers_of_the_rest_api_go_after_a_day(clock: Clock) -> None:
    IdempotencyKey.objects.create(digest="x", fingerprint="x", body="x")
    clock.forward(hours=23)
    assert prune() == said()
    clock.forward(hours=2)
    assert prune() == said(answers=1)
