"""Finish Notify: what is believed, what is refused, what is answered, and what is kept."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, NoReturn, cast

import pytest
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIRequest
from django.db import IntegrityError, OperationalError, connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone
from django.utils.datastructures import CaseInsensitiveMapping
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from django_dana import services, signals, tasks, transitions
from django_dana.exceptions import InvalidSignature
from django_dana.models import ApiCall, Notification, Order, OutboxEvent
from django_dana.protocol import notation
from django_dana.protocol.finish_notify import BadMessage, FinishNotify
from django_dana.services import notifications, verification
from django_dana.transitions import payments
from django_dana.uat import runner
from django_dana.webhook import answers
from django_dana.webhook.views import MAX_BODY_BYTES, NotificationView, _read
from tests import keys
from tests import wire as w
from tests.conftest import Clock
from tests.factories import NOW, PAID_AT, account_with, change, created_order, fresh, new_order, statements
from tests.notices import PATH, assert_answer, compact, facts, headers, notice, notify, send, state
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(clock: Clock) -> Order:
    """An order that DANA has."""
    order = new_order()
    return change(order, create_status="success", payment_status="initiated", next_attempt_at=None)


def stored() -> Notification:
    """Return the one message that was kept."""
    return Notification.objects.get()


# -- what is believed -------------------------------------------------------------------------------------------------


def test_paid(client: Client, order: Order) -> None:
    assert_answer(notify(client, order), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.paid_at, order.needs_attention) == ("paid", PAID_AT, "")
    assert order.reference_no == "20261121111212800100166000000000001"
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_paid"]


def test_the_message_is_kept_as_it_came(client: Client, order: Order) -> None:
    body = compact(notice(order, note="café ☕"))
    sent = headers(body)
    send(client, body, sent)
    message = stored()
    assert (message.body, message.error) == (body.decode(), "")
    assert {name.lower(): value for name, value in message.headers.items()}.items() >= {
        "x-signature": sent["X-Signature"],
        "x-timestamp": sent["X-Timestamp"],
        "channel-id": "DANA",
        "content-type": "application/json",
    }.items()
    assert (message.account, message.verified, message.order, message.outcome) == ("default", True, order, "applied")


def test_a_create_that_is_still_open_is_proved_and_told_first(client: Client, clock: Clock) -> None:
    order = new_order()
    notify(client, order)
    order = fresh(order)
    assert (order.create_status, order.payment_status, order.next_attempt_at) == ("success", "paid", None)
    assert [event.name for event in OutboxEvent.objects.order_by("id")] == ["order_created", "order_paid"]


def test_05_before_payment_is_expiry(client: Client, order: Order) -> None:
    assert_answer(notify(client, order, "05"), "2005600")
    assert fresh(order).payment_status == "expired"


def test_05_after_payment_overwrites_nothing_and_dana_is_asked(client: Client, order: Order) -> None:
    notify(client, order)
    assert_answer(notify(client, order, "05"), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("paid", "conflict")
    assert order.next_sync_at is not None


def test_00_after_expiry_is_not_believed_until_dana_is_asked(client: Client, order: Order) -> None:
    notify(client, order, "05")
    assert_answer(notify(client, order), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("expired", "conflict")
    assert order.next_sync_at is not None


@pytest.mark.parametrize("status", ["01", "02", "07", "PAID"])
def test_an_undocumented_status_is_acknowledged_and_dana_is_asked(client: Client, order: Order, status: str) -> None:
    assert_answer(notify(client, order, status), "2005600")
    order = fresh(order)
    assert order.payment_status == "initiated"
    assert order.next_sync_at is not None


@pytest.mark.parametrize(
    "amount",
    [
        {"value": "14999.99", "currency": "IDR"},
        {"value": "15000.01", "currency": "IDR"},
        {"value": "1500000", "currency": "IDR"},
        {"value": "15000.00", "currency": "USD"},
        {"value": "15000.00", "currency": "idr"},
        {"value": "9999999999999999.99", "currency": "IDR"},
    ],
    ids=lambda amount: f"{amount['value']} {amount['currency']}",
)
def test_another_amount_is_acknowledged_but_not_paid(client: Client, order: Order, amount: dict[str, str]) -> None:
    assert_answer(notify(client, order, amount=amount), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.needs_attention, order.paid_at) == ("initiated", "amount_differs", None)
    assert order.next_sync_at is not None
    assert stored().outcome == "attention"
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_needs_attention"]


@pytest.mark.parametrize("value", ["15000", "15000.0", "15000.00"])
def test_the_amount_is_compared_as_money_not_as_text(client: Client, order: Order, value: str) -> None:
    notify(client, order, amount={"value": value, "currency": "IDR"})
    assert fresh(order).payment_status == "paid"


# -- repetitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["00", "05"])
def test_a_repetition_changes_nothing(client: Client, order: Order, status: str) -> None:
    body = compact(notice(order, status))
    sent = headers(body)
    send(client, body, sent)
    before, events = facts(order), OutboxEvent.objects.count()
    for _ in range(3):
        assert_answer(send(client, body, sent), "2005600")
    assert (facts(order), OutboxEvent.objects.count()) == (before, events)
    assert stored().outcome == "applied"


def test_the_same_again_hours_later_with_a_fresh_signature_changes_nothing(
    client: Client, order: Order, clock: Clock
) -> None:
    notify(client, order)
    before = facts(order)
    for _ in range(3):
        clock.forward(hours=30)
        assert_answer(notify(client, order), "2005600")
    assert facts(order) == before
    assert OutboxEvent.objects.count() == 1


def test_a_message_days_after_the_payment_is_believed(client: Client, order: Order, clock: Clock) -> None:
    clock.forward(hours=99)
    assert_answer(notify(client, order), "2005600")
    assert fresh(order).paid_at == PAID_AT


# -- being liberal ----------------------------------------------------------------------------------------------------

DETAILS: dict[str, dict[str, Any]] = {
    "unknown keys": {"brandNew": {"deep": [1, 2.5, None, True]}, "X": "y"},
    "an unknown pay method": {"additionalInfo": {"paymentInfo": {"payOptionInfos": [{"payMethod": "TELEPATHY"}]}}},
    "no additionalInfo": {"additionalInfo": None},
    "additionalInfo of another type": {"additionalInfo": "none"},
    "paymentInfo of another type": {"additionalInfo": {"paymentInfo": [1]}},
    "no finishedTime": {"finishedTime": None},
    "times that are none": {"finishedTime": "soon", "createdTime": {}, "additionalInfo": {"paidTime": 17}},
    "an impossible time": {"finishedTime": "0001-01-01T00:00:00+14:00", "additionalInfo": {}},
    "no originalReferenceNo": {"originalReferenceNo": None},
    "a number as originalReferenceNo": {"originalReferenceNo": 20261121},
    "a long originalReferenceNo": {"originalReferenceNo": "9" * 500},
    "tipsAmount": {"tipsAmount": {"amount": "0", "cent": 0, "centFactor": 100, "currency": "IDR"}},
    "letters beyond ASCII": {"title": "Kopi Gayo ☕ 日本 🎉"},
}


@pytest.mark.parametrize("changes", DETAILS.values(), ids=DETAILS)
def test_a_detail_never_keeps_a_payment_from_being_booked(
    client: Client, order: Order, changes: dict[str, Any]
) -> None:
    assert_answer(notify(client, order, **changes), "2005600")
    order = fresh(order)
    assert order.payment_status == "paid"
    assert order.paid_at is not None


def test_only_what_is_needed_to_book_is_mandatory(client: Client, order: Order) -> None:
    content = notice(order)
    needed = ("originalPartnerReferenceNo", "merchantId", "latestTransactionStatus")
    assert_answer(send(client, compact({name: content[name] for name in needed})), "2005600")
    assert fresh(order).paid_at is not None


TIMES = {
    "ISO beside paymentInfo": {"additionalInfo": {"paidTime": "2026-11-21T16:31:00+07:00"}},
    "epoch beside paymentInfo": {"additionalInfo": {"paidTime": "1795253460000"}},
    "ISO inside paymentInfo": {"additionalInfo": {"paymentInfo": {"paidTime": "2026-11-21T16:31:00+07:00"}}},
    "epoch inside paymentInfo": {"additionalInfo": {"paymentInfo": {"paidTime": "1795253460000"}}},
    "only finishedTime": {"additionalInfo": {}, "finishedTime": "2026-11-21T16:31:00+07:00"},
}


@pytest.mark.parametrize("changes", TIMES.values(), ids=TIMES)
def test_the_time_of_payment_in_each_of_its_places(client: Client, order: Order, changes: dict[str, Any]) -> None:
    notify(client, order, **changes)
    assert fresh(order).paid_at == PAID_AT


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_wrong_signature_is_stored_and_touches_nothing(client: Client, order: Order) -> None:
    before = state()
    assert_answer(send(client, compact(notice(order)), key=keys.STRANGER_PRIVATE_KEY), "4015600")
    assert state() == before
    message = stored()
    assert (message.verified, message.verified_by, message.order, message.outcome) == (
        False,
        "",
        None,
        "bad_signature",
    )
    assert message.error


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"12", b"{}x", b"\xff", b"{'a': 1}"])
def test_a_signed_body_that_is_no_object(client: Client, order: Order, body: bytes) -> None:
    before = state()
    assert_answer(send(client, body), "4005601")
    assert state() == before
    assert (stored().verified, stored().outcome) == (True, "bad_shape")


@pytest.mark.parametrize("name", ["originalPartnerReferenceNo", "merchantId", "latestTransactionStatus"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_a_missing_mandatory_field(client: Client, order: Order, name: str, how: str) -> None:
    before, content = state(), notice(order)
    content[name] = None
    if how == "missing":
        del content[name]
    assert_answer(send(client, compact(content)), "4005602")
    assert state() == before
    assert stored().outcome == "incomplete"
    assert name in stored().error


UNREADABLE_AMOUNTS: dict[str, Any] = {
    "a number": 15000,
    "text": "15000.00",
    "a list": [{"value": "15000.00", "currency": "IDR"}],
    "null": None,
    "no value": {"currency": "IDR"},
    "no currency": {"value": "15000.00"},
    "words": {"value": "many", "currency": "IDR"},
    "negative": {"value": "-15000.00", "currency": "IDR"},
    "three decimals": {"value": "15000.000", "currency": "IDR"},
    "other digits": {"value": "\N{ARABIC-INDIC DIGIT ONE}5000.00", "currency": "IDR"},
    "an exponent": {"value": "1.5E4", "currency": "IDR"},
}


@pytest.mark.parametrize("amount", UNREADABLE_AMOUNTS.values(), ids=UNREADABLE_AMOUNTS)
def test_an_amount_that_is_there_but_can_not_be_read_is_another_one(client: Client, order: Order, amount: Any) -> None:
    assert_answer(notify(client, order, amount=amount), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.needs_attention, order.paid_at) == ("initiated", "amount_differs", None)
    assert order.next_sync_at is not None
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_needs_attention"]


CLOSING_AMOUNTS = {**UNREADABLE_AMOUNTS, "zero": {"value": "0.00", "currency": "IDR"}, "more": {"value": "16000.00"}}


@pytest.mark.parametrize("amount", CLOSING_AMOUNTS.values(), ids=CLOSING_AMOUNTS)
def test_05_needs_no_amount(client: Client, order: Order, amount: Any) -> None:
    assert_answer(notify(client, order, "05", amount=amount), "2005600")
    assert (fresh(order).payment_status, fresh(order).needs_attention) == ("expired", "")
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_expired"]


@pytest.mark.parametrize(("status", "state"), [("00", "paid"), ("05", "expired")])
def test_an_absent_amount_is_fine(client: Client, order: Order, status: str, state: str) -> None:
    content = notice(order, status)
    del content["amount"]
    assert_answer(send(client, compact(content)), "2005600")
    assert (fresh(order).payment_status, fresh(order).needs_attention) == (state, "")


WRONG_FIELDS: dict[str, dict[str, Any]] = {
    "a list as merchantId": {"merchantId": ["216620000000000000001"]},
    "a long reference": {"originalPartnerReferenceNo": "x" * 65},
    "true as status": {"latestTransactionStatus": True},
}


@pytest.mark.parametrize("changes", WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_field_of_wrong_form(client: Client, order: Order, changes: dict[str, Any]) -> None:
    before = state()
    assert_answer(notify(client, order, **changes), "4005601")
    assert state() == before


UNKNOWN: dict[str, Callable[[Order], dict[str, Any]]] = {
    "another reference": lambda order: {"originalPartnerReferenceNo": "INV-404"},
    "another merchant": lambda order: {"merchantId": "216620000000000000002"},
    "other letters": lambda order: {"originalPartnerReferenceNo": order.partner_reference_no.swapcase()},
    "a space behind": lambda order: {"originalPartnerReferenceNo": order.partner_reference_no + " "},
    "a space before": lambda order: {"originalPartnerReferenceNo": " " + order.partner_reference_no},
    "an accent": lambda order: {"originalPartnerReferenceNo": order.partner_reference_no.replace("A", "Á")},
    "a wildcard": lambda order: {"originalPartnerReferenceNo": "%"},
}


@pytest.mark.parametrize("changes", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_order(client: Client, clock: Clock, changes: Callable[[Order], dict[str, Any]]) -> None:
    order = new_order(partner_reference_no="INV-A1")
    before = state()
    assert_answer(notify(client, order, **changes(order)), "4045601")
    assert state() == before
    message = stored()
    assert (message.order, message.outcome) == (None, "unknown_order")
    claimed = {"merchantId": message.merchant_id, "originalPartnerReferenceNo": message.partner_reference_no}
    assert claimed.items() >= changes(order).items()


def test_of_two_references_that_a_collation_holds_for_one_the_exact_one_is_paid(client: Client, clock: Clock) -> None:
    lower = new_order(partner_reference_no="inv-a1")
    if connection.vendor == "mysql":
        assert_answer(notify(client, lower, originalPartnerReferenceNo="INV-A1"), "4045601")
        return
    upper = new_order(partner_reference_no="INV-A1")
    notify(client, upper)
    assert (fresh(lower).payment_status, fresh(upper).payment_status) == ("none", "paid")


# -- what the signature covers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [1, "\t"])
def test_a_body_spaced_on_its_way_is_believed(client: Client, order: Order, indent: Any) -> None:
    content = notice(order, title='two  spaces \\ and "quotes"')
    spaced = json.dumps(content, indent=indent, ensure_ascii=False).replace("\n", "\r\n").encode()
    assert_answer(send(client, spaced, headers(compact(content))), "2005600")
    assert fresh(order).payment_status == "paid"


def test_what_is_parsed_is_the_text_that_was_verified(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = notation.parse_json_object

    def listen(text: bytes, **options: Any) -> dict[str, Any]:
        parsed.append(text)
        return parse(text, **options)

    monkeypatch.setattr(notation, "parse_json_object", listen)
    content = notice(order)
    send(client, json.dumps(content, indent=2, ensure_ascii=False).encode(), headers(compact(content)))
    assert parsed == [compact(content)]
    assert stored().body.encode() == compact(content)


def test_spaces_inside_strings_are_not_dropped(client: Client, order: Order) -> None:
    signed = headers(compact(notice(order, merchantId=order.merchant_id)))
    body = compact(notice(order, merchantId=f" {order.merchant_id}"))
    assert_answer(send(client, body, signed), "4015600")


def test_keys_in_another_order_are_another_message(client: Client, order: Order) -> None:
    content = notice(order)
    shuffled = dict(reversed(content.items()))
    assert_answer(send(client, compact(shuffled), headers(compact(content))), "4015600")


def test_while_keys_rotate_each_is_good_and_the_one_that_fitted_is_noted(
    client: Client, order: Order, settings: Any
) -> None:
    settings.DANA = account_with(DANA_PUBLIC_KEY=[keys.STRANGER_PUBLIC_KEY, keys.DANA_PUBLIC_KEY])
    body = compact(notice(order))
    for private, public in (
        (keys.DANA_PRIVATE_KEY, keys.DANA_PUBLIC_KEY),
        (keys.STRANGER_PRIVATE_KEY, keys.STRANGER_PUBLIC_KEY),
    ):
        assert_answer(send(client, body, key=private), "2005600")
        message = Notification.objects.latest("id")
        assert message.verified_by == hashlib.sha256(public.encode()).hexdigest()[:16]
    settings.DANA = account_with(DANA_PUBLIC_KEY=[keys.DANA_PUBLIC_KEY])
    assert_answer(send(client, body, key=keys.STRANGER_PRIVATE_KEY), "4015600")


# -- paths ------------------------------------------------------------------------------------------------------------


def test_the_signed_path_is_that_of_the_public_url_whatever_a_proxy_strips(
    client: Client, order: Order, settings: Any
) -> None:
    settings.DANA = account_with(NOTIFICATION_URL="https://shop.example/shop/dana/v1.0/debit/notify")
    assert_answer(send(client, compact(notice(order)), path="/shop" + PATH), "2005600")


def test_nothing_that_the_request_itself_says_chooses_the_path(client: Client, order: Order, settings: Any) -> None:
    settings.DANA = account_with(NOTIFICATION_URL="https://shop.example/new/notify")
    body = compact(notice(order))
    for path in (PATH, "/other" + PATH, PATH + "/"):
        for script_name in ("", "/other"):
            given = headers(body, path=path)
            response = client.post(PATH, body, content_type="application/json", headers=given, SCRIPT_NAME=script_name)
            assert response.status_code in (401, 404)
    assert_answer(send(client, body, path="/new/notify"), "2005600")


@pytest.mark.parametrize("path", [PATH, "/new/notify"])
def test_while_the_address_changes_the_paths_of_all_of_them_are_good(
    client: Client, order: Order, settings: Any, path: str
) -> None:
    settings.DANA = account_with(NOTIFICATION_URL=["https://shop.example/new/notify", "https://shop.example" + PATH])
    assert_answer(send(client, compact(notice(order)), path=path), "2005600")
    assert fresh(order).payment_status == "paid"


@pytest.mark.parametrize("append_slash", [True, False])
@pytest.mark.parametrize("slash", ["", "/"])
def test_with_and_without_a_trailing_slash_and_never_a_redirect(
    client: Client, order: Order, settings: Any, slash: str, append_slash: Any
) -> None:
    settings.APPEND_SLASH = append_slash
    assert_answer(send(client, compact(notice(order)), to=PATH + slash, path=PATH), "2005600")
    settings.DANA = account_with(NOTIFICATION_URL="https://shop.example" + PATH + "/")
    assert_answer(send(client, compact(notice(order)), to=PATH + slash, path=PATH + "/"), "2005600")


def test_a_query_string_is_not_part_of_the_signed_path(client: Client, order: Order) -> None:
    assert_answer(send(client, compact(notice(order)), to=PATH + "?a=b"), "2005600")
    assert_answer(send(client, compact(notice(order)), to=PATH + "?a=b", path=PATH + "?a=b"), "4015600")


# -- accounts ---------------------------------------------------------------------------------------------------------


def two_accounts(**second: Any) -> dict[str, Any]:
    return account_with() | {"second": {**django_settings.DANA["default"], **second}}


def test_accounts_that_share_a_merchant_find_the_order_of_either(client: Client, clock: Clock, settings: Any) -> None:
    settings.DANA = two_accounts()
    for alias in ("default", "second"):
        order = new_order(account=alias)
        assert_answer(notify(client, order), "2005600")
        assert fresh(order).payment_status == "paid"
        assert Notification.objects.get(order=order).account == alias


def test_the_key_of_one_account_books_nothing_of_another(client: Client, order: Order, settings: Any) -> None:
    settings.DANA = two_accounts(MERCHANT_ID="M-2", PARTNER_ID="P-2", DANA_PUBLIC_KEY=keys.STRANGER_PUBLIC_KEY)
    before = state()
    body = compact(notice(order))
    assert_answer(send(client, body, key=keys.STRANGER_PRIVATE_KEY, partner_id="P-2"), "4045601")
    assert state() == before


def test_of_accounts_with_one_merchant_only_the_one_that_signed_is_booked(
    client: Client, order: Order, settings: Any
) -> None:
    settings.DANA = two_accounts(PARTNER_ID="P-2", DANA_PUBLIC_KEY=keys.STRANGER_PUBLIC_KEY)
    body = compact(notice(order))
    assert_answer(send(client, body, key=keys.STRANGER_PRIVATE_KEY, partner_id="P-2"), "4045601")
    assert fresh(order).payment_status == "initiated"


@pytest.mark.parametrize(("then", "now"), [("production", "sandbox"), ("sandbox", "production")])
def test_an_account_turned_to_another_environment_books_nothing_of_its_former_one(
    client: Client, clock: Clock, settings: Any, then: str, now: str
) -> None:
    settings.DANA = account_with(ENVIRONMENT=then)
    order = new_order()
    settings.DANA = account_with(ENVIRONMENT=now)
    before = state()
    assert_answer(notify(client, order), "4045601")
    assert state() == before
    assert (stored().verified, stored().outcome) == (True, "unknown_order")
    settings.DANA = account_with(ENVIRONMENT=then)
    assert_answer(notify(client, order), "2005600")


def test_the_partner_id_chooses_whose_keys_are_tried(client: Client, order: Order, settings: Any) -> None:
    settings.DANA = two_accounts(PARTNER_ID="P-2", DANA_PUBLIC_KEY=keys.STRANGER_PUBLIC_KEY)
    assert_answer(send(client, compact(notice(order)), partner_id="P-2"), "4015600")


@pytest.mark.parametrize("partner_id", [None, "somebody"])
def test_without_a_partner_id_that_is_known_every_account_is_tried(
    client: Client, order: Order, settings: Any, partner_id: str | None
) -> None:
    others = {"PARTNER_ID": "P-2", "DANA_PUBLIC_KEY": keys.STRANGER_PUBLIC_KEY}
    settings.DANA = {"first": {**django_settings.DANA["default"], **others}} | account_with()
    assert_answer(send(client, compact(notice(order)), partner_id=partner_id), "2005600")


def _raise() -> NoReturn:
    raise ConnectionError("the vault said s3cret")


BROKEN: dict[str, dict[str, Any]] = {
    "a key that is none": {"DANA_PUBLIC_KEY": "not a key"},
    "no key in production": {"DANA_PUBLIC_KEY": "", "ENVIRONMENT": "production"},
    "a key file that is not there": {"DANA_PUBLIC_KEY_PATH": "/nowhere/key.pem"},
    "a vault that is down": {"DANA_PUBLIC_KEY": _raise},
    "a key in bytes": {"DANA_PUBLIC_KEY": [b"bytes"]},
    "no merchant": {"MERCHANT_ID": ""},
    "a callable that raises": {"MERCHANT_ID": _raise},
    "an unknown environment": {"ENVIRONMENT": "test"},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_account_does_not_block_the_others(
    client: Client, order: Order, settings: Any, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings.DANA = {"broken": {**django_settings.DANA["default"], **broken}} | account_with()
    assert_answer(notify(client, order), "2005600")
    assert fresh(order).payment_status == "paid"
    assert "DANA['broken']" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_while_its_own_key_is_out_of_reach_dana_is_told_to_try_again(
    client: Client, order: Order, settings: Any, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    whole = settings.DANA
    settings.DANA = account_with(**broken)
    body = compact(notice(order))
    assert_answer(send(client, body), "5005601")
    assert (stored().verified, stored().outcome, stored().body) == (
        False,
        "failed",
        body.decode(),
    )
    assert "s3cret" not in caplog.text
    settings.DANA = whole
    assert_answer(send(client, body), "2005600")
    assert fresh(order).payment_status == "paid"


# -- the shop's own settings change nothing ---------------------------------------------------------------------------


class Deny:
    """Whatever it is used for, it raises."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("the shop's REST_FRAMEWORK settings are used")


# REST framework copies its defaults into this class when it is imported; there the view would find them.
HOSTILE_DEFAULTS: dict[str, Any] = {
    "authentication_classes": [Deny],
    "permission_classes": [Deny],
    "throttle_classes": [Deny],
    "parser_classes": [Deny],
    "renderer_classes": [Deny],
    "content_negotiation_class": Deny,
    "versioning_class": Deny,
    "metadata_class": Deny,
}


@pytest.mark.parametrize("name", HOSTILE_DEFAULTS)
def test_hostile_defaults_of_rest_framework_change_nothing(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(APIView, name, HOSTILE_DEFAULTS[name])
    assert_answer(notify(client, order), "2005600")
    assert_answer(send(client, b"{}", headers(b"x")), "4015600")
    assert_answer(send(client, b"{"), "4005601")
    assert_answer(client.get(PATH), "4055600")
    assert fresh(order).payment_status == "paid"


def test_a_hostile_exception_handler_changes_nothing(
    client: Client, order: Order, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "tests.test_notifications.Deny"}
    assert api_settings.EXCEPTION_HANDLER is Deny
    assert_answer(send(client, b"{}", headers(b"x")), "4015600")
    assert_answer(send(client, b"{"), "4005601")
    assert_answer(client.get(PATH), "4055600")
    monkeypatch.setattr(payments, "reported_by_notification", fail)
    assert_answer(notify(client, order), "5005601")


def test_the_middleware_that_asks_for_a_login_lets_dana_through(client: Client, order: Order, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert_answer(notify(client, order), "2005600")


def test_csrf_checks_do_not_apply(order: Order) -> None:
    assert_answer(notify(Client(enforce_csrf_checks=True), order), "2005600")


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_answer_is_the_same_in_every_language(client: Client, order: Order, settings: Any, language: str) -> None:
    settings.LANGUAGE_CODE = language
    response = notify(client, order)
    assert response.json() == {"responseCode": "2005600", "responseMessage": "Successful"}


def send_without_length(body: bytes, content: BytesIO) -> Any:
    """Send a body in chunks, as only ASGI takes it."""
    given = [(name.lower().encode(), value.encode()) for name, value in headers(body).items()]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": given}
    return resolve(PATH).func(ASGIRequest(scope, content))


def test_under_asgi_a_body_without_a_length_is_read(order: Order) -> None:
    body = compact(notice(order))
    assert send_without_length(body, BytesIO(body)).data["responseCode"] == "2005600"
    assert fresh(order).payment_status == "paid"


def test_under_asgi_no_more_is_read_than_may_be_kept(order: Order) -> None:
    content = BytesIO(b" " * (10 * MAX_BODY_BYTES))
    response = send_without_length(b"{}", content)
    assert (response.data["responseCode"], response.status_code) == ("4005601", 413)
    assert content.tell() <= MAX_BODY_BYTES + 1
    assert not Notification.objects.exists()


# -- when our side fails ----------------------------------------------------------------------------------------------


def fail(*args: Any, **kwargs: Any) -> NoReturn:
    raise ZeroDivisionError("secret of the shop")


def test_what_could_not_be_applied_is_kept_and_heals_when_dana_tries_again(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    body = compact(notice(order))
    sent = headers(body)
    before = facts(order)
    with monkeypatch.context() as patch:
        patch.setattr(payments, "reported_by_notification", fail)
        assert_answer(send(client, body, sent), "5005601")
    assert (stored().outcome, stored().order, stored().body) == (
        "failed",
        order,
        body.decode(),
    )
    assert stored().error == "ZeroDivisionError"
    assert facts(order) == before
    assert "A notification was not applied" in caplog.text
    assert_answer(send(client, body, sent), "2005600")
    assert fresh(order).payment_status == "paid"
    assert list(Notification.objects.order_by("id").values_list("outcome", flat=True)) == ["failed", "applied"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["announce", "save"])
def test_inside_atomic_requests_the_evidence_survives(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    inside: list[bool] = []
    keep = notifications._keep

    def look(notification: Notification) -> None:
        inside.append(connection.in_atomic_block)
        keep(notification)

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", value=True)
    monkeypatch.setattr(notifications, "_keep", look)
    monkeypatch.setattr(transitions.LockedOrder, where, fail)
    assert_answer(notify(client, order), "5005601")
    assert inside == [False]
    assert stored().outcome == "failed"
    assert fresh(order).payment_status == "initiated"
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_that_can_not_be_written_takes_the_payment_back(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OutboxEvent, "save", fail)
    assert_answer(notify(client, order), "5005601")
    assert fresh(order).payment_status == "initiated"


class Failing:
    """A database that refuses writes to some tables."""

    def __init__(self, *tables: str) -> None:
        self._tables = tables

    def __call__(self, execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if not sql.startswith("SELECT") and any(table in sql for table in self._tables):
            raise OperationalError("the disk is full")
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tables", [["django_dana_order"], ["django_dana_notification"], ["django_dana_"]])
def test_a_database_that_refuses_writes_is_our_fault(client: Client, order: Order, tables: list[str]) -> None:
    before = state()
    with connection.execute_wrapper(Failing(*tables)):
        assert_answer(notify(client, order), "5005601")
    assert state() == before
    assert_answer(notify(client, order), "2005600")


@pytest.mark.django_db(transaction=True)
def test_a_refused_message_that_can_not_be_stored_is_our_fault(client: Client, order: Order) -> None:
    with connection.execute_wrapper(Failing("django_dana_notification")):
        assert_answer(send(client, b"{}", headers(b"x")), "5005601")


def test_an_account_that_can_not_be_read_at_all_is_our_fault(client: Client, order: Order, settings: Any) -> None:
    body = compact(notice(order))
    settings.DANA = "tests.test_notifications.fail"
    assert_answer(send(client, body), "5005601")


# -- what it costs, and what follows ----------------------------------------------------------------------------------


def test_the_number_of_queries_is_constant(client: Client, clock: Clock, settings: Any) -> None:
    def queries() -> int:
        order = new_order()
        with statements() as counted:
            notify(client, order)
        return len(counted)

    few = queries()
    settings.DANA = account_with() | {f"a{n}": settings.DANA["default"] for n in range(10)}
    for _ in range(5):
        new_order()
    assert queries() == few
    assert few <= 14


def test_the_shop_is_told_and_dana_is_asked_by_workers_not_by_the_request(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    started: list[str] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk: started.append(task.name.rpartition(".")[2]))
    with django_capture_on_commit_callbacks(execute=True):
        notify(client, order)
    assert started == ["send_outbox"]
    with django_capture_on_commit_callbacks(execute=True):
        notify(client, order, "05")
    assert started == ["send_outbox", "sync_order"]
    assert not ApiCall.objects.exists()


def test_the_time_of_the_answer_is_that_of_jakarta(client: Client, order: Order, clock: Clock) -> None:
    clock.to(NOW + timedelta(hours=10))
    assert notify(client, order)["X-TIMESTAMP"].startswith("2026-11-22T02:30:0")
    assert timezone.now() - stored().received_at < timedelta(seconds=5)


# -- exact repetitions ------------------------------------------------------------------------------------------------


def test_an_exact_repetition_adds_no_row_and_does_nothing_but_answer(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    body = compact(notice(order))
    sent = headers(body)
    send(client, body, sent)
    before = facts(order), list(Notification.objects.values()), list(OutboxEvent.objects.values())
    started: list[str] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk: started.append(task.name))
    with django_capture_on_commit_callbacks(execute=True), statements() as sql:
        for _ in range(3):
            assert_answer(send(client, body, sent), "2005600")
    assert (facts(order), list(Notification.objects.values()), list(OutboxEvent.objects.values())) == before
    assert started == []
    assert not any(statement.startswith(("UPDATE", "DELETE")) for statement in sql)


def test_a_nul_is_kept_as_text(client: Client, order: Order) -> None:
    assert_answer(send(client, b"{\x00}", {}), "4015600")
    assert Notification.objects.get().body == r"{\x00}"


def test_a_replay_padded_with_spaces_is_the_same_message(client: Client, order: Order) -> None:
    body = compact(notice(order))
    sent = headers(body)
    for padding in (b"", b" " * 100_000, b"\n" * 7):
        assert_answer(send(client, body.replace(b",", b"," + padding, 1), sent), "2005600")
    assert stored().body.encode() == body


def test_a_replay_under_other_unsigned_headers_is_the_same_message(client: Client, order: Order) -> None:
    body = compact(notice(order))
    sent = headers(body)
    for number in range(3):
        assert_answer(send(client, body, {**sent, "X-External-Id": str(number)}), "2005600")
    assert Notification.objects.count() == 1


def test_a_replayed_contradiction_asks_dana_and_tells_the_shop_once(
    client: Client, order: Order, clock: Clock, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    started: list[str] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk: started.append(task.name.rpartition(".")[2]))
    notify(client, order)
    body = compact(notice(order, "05"))
    sent = headers(body)
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(10):
            assert_answer(send(client, body, sent), "2005600")
            clock.forward(minutes=5)
    # the sync tells the shop what is due, too
    assert started == ["sync_order"]
    assert [event.name for event in OutboxEvent.objects.order_by("id")] == ["order_paid", "order_needs_attention"]


def test_a_message_older_than_the_answer_that_settled_the_order_is_no_news(
    client: Client, dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    order = services.sync_order(order)
    tasks.send_outbox(order.pk)
    assert order.answered_at is not None
    before, asked = Order.objects.values().get(), len(dana.bodies(QUERY_PATH))
    told.clear()
    for seconds in range(1, 11):
        sent = notation.jakarta_time(order.answered_at - timedelta(seconds=seconds))
        assert_answer(send(client, compact(notice(order, "05")), timestamp=sent), "2005600")
    assert Order.objects.values("payment_status", "needs_attention", "next_sync_at", "revision").get() == {
        name: before[name] for name in ("payment_status", "needs_attention", "next_sync_at", "revision")
    }
    assert (OutboxEvent.objects.count(), told, len(dana.bodies(QUERY_PATH))) == (0, [], asked)
    sent = notation.jakarta_time(order.answered_at + timedelta(seconds=1))
    assert_answer(send(client, compact(notice(order, "05")), timestamp=sent), "2005600")
    assert fresh(order).needs_attention == "conflict"
    assert fresh(order).next_sync_at is not None


@pytest.mark.parametrize(("body", "code"), [(b"[]", "4005601"), (b"{}", "4005602")])
def test_a_repetition_of_what_was_not_understood_is_answered_the_same(client: Client, body: bytes, code: str) -> None:
    sent = headers(body)
    for _ in range(3):
        assert_answer(send(client, body, sent), code)
    assert Notification.objects.count() == 1


def test_a_message_whose_worker_died_is_applied_on_the_same_row(client: Client, order: Order) -> None:
    body = compact(notice(order))
    sent = headers(body)
    send(client, body, sent)
    Order.objects.filter(pk=order.pk).update(payment_status="initiated", paid_at=None)
    Notification.objects.update(outcome="")
    assert_answer(send(client, body, sent), "2005600")
    assert fresh(order).payment_status == "paid"
    assert stored().outcome == "applied"


def test_of_what_our_side_can_never_apply_not_all_is_kept(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "reported_by_notification", fail)
    body = compact(notice(order))
    sent = headers(body)
    for _ in range(notifications.MAX_FAILED + 5):
        assert_answer(send(client, body, sent), "5005601")
    assert Notification.objects.filter(order=order, outcome="failed").count() == notifications.MAX_FAILED


# -- DANA's text is read leniently ------------------------------------------------------------------------------------

ODD_DETAILS: dict[str, bytes] = {
    "half a surrogate pair, escaped": b'"\\ud800"',
    "half a surrogate pair in a key": b'{"\\udfff":1}',
    "half a surrogate pair in UTF-8": b'"\xed\xa0\x80"',
    "NUL, escaped": b'"\\u0000"',
    "NUL": b'"\x00"',
    "a control character": b'"\x01"',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "a key twice": b'{"a":1,"a":2}',
    "a key twice in other escapes": b'{"a":1,"\\u0061":2}',
    "a key twice in another amount": b'{"payAmount":{"value":"1.00","value":"2.00","currency":"IDR"}}',
}


@pytest.mark.parametrize("detail", ODD_DETAILS.values(), ids=ODD_DETAILS)
def test_a_signed_message_with_odd_text_deep_inside_is_applied(client: Client, order: Order, detail: bytes) -> None:
    body = compact(notice(order, extra=["HERE"])).replace(b'"HERE"', detail)
    assert_answer(send(client, body), "2005600")
    order = fresh(order)
    assert (order.payment_status, order.paid_at, order.needs_attention) == ("paid", PAID_AT, "")
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_paid"]
    # what is stored can be read back from every database, and ASCII is as it was
    assert stored().body.startswith('{"originalPartnerReferenceNo"')
    assert "\x00" not in stored().body


def test_a_key_twice_at_the_top_is_not_read_either_way(client: Client, order: Order) -> None:
    before = state()
    body = compact(notice(order))[:-1] + b',"latestTransactionStatus":"00"}'
    assert_answer(send(client, body), "4005601")
    assert state() == before


def test_an_amount_with_a_key_twice_is_another_one(client: Client, order: Order) -> None:
    body = compact(notice(order)).replace(b'"amount":{', b'"amount":{"value":"1.00",')
    assert_answer(send(client, body), "2005600")
    assert (fresh(order).payment_status, fresh(order).needs_attention) == ("initiated", "amount_differs")


MERCHANTS = ["{}\x00", "\x00{}", " {}", "{} ", "{}\n", "\u200b{}", "{}\ud800"]


@pytest.mark.parametrize("form", MERCHANTS, ids=ascii)
def test_the_merchant_id_is_compared_as_it_is(client: Client, order: Order, form: str) -> None:
    before = state()
    content = notice(order, merchantId=form.format(order.merchant_id))
    body = json.dumps(content, separators=(",", ":")).encode()
    assert_answer(send(client, body), "4045601")
    assert state() == before


# -- an order that is ours, and one that is not -----------------------------------------------------------------------


def test_an_order_whose_alias_is_gone_from_the_setting_is_healed_when_it_is_back(
    client: Client, clock: Clock, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DANA = two_accounts()
    order = new_order(account="second")
    renamed = account_with() | {"renamed": settings.DANA["second"]}
    before, whole = facts(order), settings.DANA
    settings.DANA = renamed
    body = compact(notice(order))
    sent = headers(body)
    for _ in range(3):
        assert_answer(send(client, body, sent), "5005601")
    assert facts(order) == before
    assert not OutboxEvent.objects.exists()
    message = Notification.objects.latest("id")
    assert (message.order, message.outcome, message.account) == (order, "failed", "second")
    assert "'second'" in message.error
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    settings.DANA = whole
    assert_answer(send(client, body, sent), "2005600")
    assert fresh(order).payment_status == "paid"


@pytest.mark.parametrize("broken", [{"DANA_PUBLIC_KEY": "not a key"}, {"MCC": ""}], ids=["key", "option"])
def test_an_order_whose_account_can_not_be_read_is_not_called_unknown(
    client: Client, clock: Clock, settings: Any, broken: dict[str, Any]
) -> None:
    settings.DANA = two_accounts()
    order = new_order(account="second")
    settings.DANA = two_accounts(**broken)
    assert_answer(notify(client, order), "5005601")
    assert fresh(order).payment_status == "none"


def test_a_message_about_an_unknown_order_is_told_to_the_shop_once(
    client: Client, order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[dict[str, Any]] = []

    def hear(**arguments: Any) -> None:
        told.append(arguments)

    signals.notification_unmatched.connect(hear)
    body = compact(notice(order, originalPartnerReferenceNo="INV-404", merchantId="M-404"))
    sent = headers(body)
    for _ in range(3):
        assert_answer(send(client, body, sent), "4045601")
    message = stored()
    assert (message.partner_reference_no, message.merchant_id) == ("INV-404", "M-404")
    assert (message.verified, message.order, message.outcome) == (True, None, "unknown_order")
    assert told == [], "the answer to DANA never waits for a receiver"
    tasks.retry_due()
    signals.notification_unmatched.disconnect(hear)
    assert [(arguments["notification"], arguments["sender"]) for arguments in told] == [(message, Notification)]
    assert "order" not in told[0]
    assert not OutboxEvent.objects.exists()
    assert [record.getMessage() for record in caplog.records] == [
        "A notification of DANA is about an unknown order: merchant 'M-404', reference 'INV-404'"
    ]
    assert [(record.name, record.levelname) for record in caplog.records] == [("django_dana.notifications", "WARNING")]


def test_what_an_unmatched_message_could_not_be_told_is_told_later(client: Client, order: Order, clock: Clock) -> None:
    calls: list[int] = []

    def hear(notification: Notification, **arguments: Any) -> None:
        calls.append(notification.pk)
        if len(calls) <= 2:
            raise ValueError

    signals.notification_unmatched.connect(hear)
    for number in range(2):
        notify(client, order, originalPartnerReferenceNo=f"INV-{number}")
    first, second = Notification.objects.order_by("pk").values_list("pk", flat=True)
    tasks.retry_due()
    assert calls == [first, second], "one that fails holds no other back"
    clock.forward(minutes=2)
    tasks.retry_due()
    signals.notification_unmatched.disconnect(hear)
    assert calls == [first, second] * 2
    assert not OutboxEvent.objects.exists()


def test_a_message_that_came_before_its_order_is_applied_when_it_comes_again(client: Client, order: Order) -> None:
    body = compact(notice(order))
    sent = headers(body)
    Order.objects.filter(pk=order.pk).update(partner_reference_no="elsewhere")
    assert_answer(send(client, body, sent), "4045601")
    Order.objects.filter(pk=order.pk).update(partner_reference_no=order.partner_reference_no)
    assert_answer(send(client, body, sent), "2005600")
    assert (stored().order, stored().outcome) == (order, "applied")
    assert fresh(order).payment_status == "paid"


# -- the answers ------------------------------------------------------------------------------------------------------


def test_every_outcome_has_one_answer() -> None:
    assert set(answers.BY_OUTCOME) == set(Notification.Outcome)
    told = {outcome: answer.code for outcome, answer in answers.BY_OUTCOME.items()}
    assert runner._ANSWERS.items() <= told.items()


def test_the_acceptance_test_comes_in_at_one_place(client: Client, clock: Clock) -> None:
    order = new_order(amount=Decimal("11012.00"))
    body = compact(notice(order))
    request = RequestFactory().post(PATH, body, content_type="application/json", headers=headers(body))
    response = NotificationView.as_view()(request)
    assert response.data["responseCode"] == "2005600"
    other = new_order(amount=Decimal("11012.00"))
    assert_answer(notify(client, other), "5005601")


# -- two at once, and what no column takes ----------------------------------------------------------------------------


def test_of_the_same_message_twice_at_once_the_row_says_what_the_first_came_to(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_overtaken(*arguments: Any) -> None:
        Notification.objects.update(outcome="applied")

    monkeypatch.setattr(payments, "reported_by_notification", be_overtaken)
    body = compact(notice(order))
    assert notifications.receive(body, CaseInsensitiveMapping(headers(body))) == "known"
    assert stored().outcome == "applied"


def test_a_message_that_can_not_be_stored_raises_what_the_database_said(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> NoReturn:
        raise IntegrityError("outcome must not be null")

    monkeypatch.setattr(Notification, "save", refuse)
    body = compact(notice(order))
    with pytest.raises(IntegrityError, match="must not be null"):
        notifications.receive(body, CaseInsensitiveMapping(headers(body)))


def test_why_a_message_is_refused_is_cut_to_its_column(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> NoReturn:
        raise InvalidSignature("x" * 400)

    monkeypatch.setattr(verification, "verify", refuse)
    body = compact(notice(order))
    assert notifications.receive(body, headers(body)) == "bad_signature"
    assert stored().error == "x" * 300


def test_why_a_message_is_not_understood_is_cut_to_its_column(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(text: bytes) -> NoReturn:
        raise BadMessage("x" * 400)

    monkeypatch.setattr(FinishNotify, "parse", refuse)
    assert_answer(notify(client, order), "4005601")
    assert stored().error == "x" * 300


def test_of_a_header_is_kept_what_every_database_stores(order: Order) -> None:
    body = compact(notice(order))
    odd = {"Origin": "a" * 600, "User-Agent": "half a pair \ud800 and \x00"}
    notifications.receive(body, CaseInsensitiveMapping({**headers(body), **odd}))
    kept = stored().headers
    assert (kept["Origin"], kept["User-Agent"]) == ("a" * 512, "half a pair \\ud800 and \\x00")


@pytest.mark.parametrize("name", ["X-SIGNATURE", "X-TIMESTAMP"])
@pytest.mark.parametrize("value", ["", None], ids=["empty", "absent"])
def test_a_message_without_a_header_of_its_signature_says_so(order: Order, name: str, value: str | None) -> None:
    body = compact(notice(order))
    sent = {header.upper(): text for header, text in headers(body).items()}
    del sent[name]
    if value is not None:
        sent[name] = value
    assert notifications.receive(body, CaseInsensitiveMapping(sent)) == "bad_signature"
    assert stored().error == "X-SIGNATURE or X-TIMESTAMP is missing"


def test_the_store_of_messages_without_an_order_is_bounded() -> None:
    kept = (notifications.MAX_REFUSED, notifications.MAX_REFUSED_BYTES, notifications.MAX_UNMATCHED)
    assert (*kept, notifications.MAX_FAILED) == (1_000, 4_096, 1_000, 20)


@pytest.mark.parametrize("outcome", sorted(set(Notification.Outcome) - {"bad_signature"}))
def test_an_exact_repetition_is_applied_only_where_something_else_may_come_of_it(
    order: Order, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(payments, "reported_by_notification", lambda *arguments: calls.append(arguments))
    body = compact(notice(order))
    sent = CaseInsensitiveMapping(headers(body))
    notifications.receive(body, sent)
    Notification.objects.update(outcome=outcome)
    calls.clear()
    answered = notifications.receive(body, sent)
    may_change = outcome in ("unknown_order", "failed")
    assert len(calls) == may_change
    assert answered == ("known" if may_change else outcome)


def test_the_headers_that_are_evidence_are_kept_and_no_others(order: Order) -> None:
    evidence = {
        *("content-type", "x-timestamp", "x-signature", "origin", "x-partner-id", "x-external-id", "channel-id"),
        *("charset", "user-agent"),
    }
    body = compact(notice(order))
    others = dict.fromkeys([*evidence, "cookie", "authorization", "x-forwarded-for"], "value")
    signed = {name.lower(): value for name, value in headers(body).items()}
    notifications.receive(body, CaseInsensitiveMapping({**others, **signed}))
    assert stored().headers.keys() == evidence


def test_a_body_that_a_middleware_of_the_shop_has_read_is_taken_from_there(order: Order) -> None:
    body = compact(notice(order))
    request = RequestFactory().post(PATH, body, content_type="application/json", headers=headers(body))
    assert request.body == body
    response = NotificationView.as_view()(request)
    assert response.data["responseCode"] == "2005600"


def test_the_answer_is_json_whatever_is_accepted(client: Client, order: Order) -> None:
    body = compact(notice(order))
    response = client.post(PATH, body, content_type="application/json", headers={**headers(body), "Accept": "text/xml"})
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("pieces", "asked_for"),
    [
        pytest.param([b"abc", b"de"], [5, 2], id="as much as may be kept"),
        pytest.param([b"abc", b""], [5, 2], id="less"),
        pytest.param([b"abcde"], [5], id="in one piece"),
        pytest.param([b"abcd", b"e"], [5, 1], id="the last byte by itself"),
    ],
)
def test_a_body_is_read_no_further_than_its_limit(pieces: list[bytes], asked_for: list[int]) -> None:
    sizes: list[int] = []
    coming = iter(pieces)

    class Request:
        def read(self, size: int) -> bytes:
            sizes.append(size)
            return next(coming)

    assert _read(cast(HttpRequest, Request()), 5) == b"".join(pieces)
    assert sizes == asked_for


def test_a_message_that_can_not_be_taken_is_one_error_a_minute(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any, **options: Any) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(notifications, "receive", fail)
    for _ in range(2):
        assert_answer(notify(client, order), "5005601", 500)
    assert caplog.messages == ["A notification was not taken (ZeroDivisionError)"]


def test_each_answer_has_its_code_its_message_and_its_status() -> None:
    found = {name: answer for name, answer in vars(answers).items() if isinstance(answer, answers.Answer)}
    assert {name: (answer.code, answer.message, answer.status) for name, answer in found.items()} == {
        "SUCCESSFUL": ("2005600", "Successful", 200),
        "INVALID_FORMAT": ("4005601", "Invalid Field Format", 400),
        "TOO_LARGE": ("4005601", "Invalid Field Format", 413),
        "INVALID_MANDATORY_FIELD": ("4005602", "Invalid Mandatory Field", 400),
        "UNAUTHORIZED": ("4015600", "Unauthorized. Invalid Signature", 401),
        "NOT_FOUND": ("4045601", "Transaction Not Found", 404),
        "METHOD_NOT_ALLOWED": ("4055600", "Method Not Allowed", 405),
        "OUR_FAULT": ("5005601", "Internal Server Error", 500),
    }
