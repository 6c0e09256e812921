"""Who is not DANA, or not well: no caller gets a payment booked, a traceback, a redirect, or our memory."""

import base64
import itertools
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.db.models import Count, Min
from django.test import Client, RequestFactory
from django.urls import resolve

from django_dana import conf, log_throttle
from django_dana.models import Notification, Order, OutboxEvent
from django_dana.protocol import notation, signing
from django_dana.services import notifications
from django_dana.webhook.views import MAX_BODY_BYTES
from tests import keys
from tests.factories import account_with, new_order, statements
from tests.notices import PATH, assert_answer, compact, headers, notice, send, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    return new_order()


@pytest.fixture(autouse=True)
def nothing_is_touched(order: Order, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever these callers send, no order, cancel request or event changes, and no traceback fills the log."""
    before = state()
    yield
    assert state() == before
    assert [record for record in caplog.get_records("call") if record.exc_info] == []


def changed(given: dict[str, str], **changes: str | None) -> dict[str, str]:
    """Return headers with some replaced (``X_Signature`` stands for ``X-Signature``) or, with None, left out."""
    renamed = {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in {**given, **renamed}.items() if value is not None}


# -- signatures -------------------------------------------------------------------------------------------------------

Forge = Callable[[bytes], dict[str, str]]

EARLIER = notation.jakarta_time(datetime(2026, 11, 1, tzinfo=UTC))


def raw_signature(body: bytes) -> bytes:
    return base64.b64decode(headers(body)["X-Signature"])


FORGERIES: dict[str, Forge] = {
    "no headers": lambda body: {},
    "no signature": lambda body: changed(headers(body), X_Signature=None),
    "no timestamp": lambda body: changed(headers(body), X_Timestamp=None),
    "an empty signature": lambda body: changed(headers(body), X_Signature=""),
    "an empty timestamp": lambda body: changed(headers(body), X_Timestamp=""),
    "somebody else's key": lambda body: headers(body, key=keys.STRANGER_PRIVATE_KEY),
    "our own key": lambda body: headers(body, key=keys.SHOP_PRIVATE_KEY),
    "another path": lambda body: headers(body, path="/dana/v1.0/debit/other"),
    "the path of DANA's guide": lambda body: headers(body, path="/v1.0/debit/notify"),
    "another case of the path": lambda body: headers(body, path=PATH.upper()),
    "another method": lambda body: headers(body, method="GET"),
    "an old body under a new timestamp": lambda body: changed(
        headers(body, timestamp=EARLIER), X_Timestamp=notation.jakarta_time(datetime.now(UTC))
    ),
    "the signature of another body": lambda body: headers(body + b" x"),
    "the signature of an empty body": lambda body: headers(b""),
    "a signature cut short": lambda body: changed(headers(body), X_Signature=headers(body)["X-Signature"][:-8]),
    "a signature twice": lambda body: changed(headers(body), X_Signature=",".join([headers(body)["X-Signature"]] * 2)),
    "a signature in hex": lambda body: changed(headers(body), X_Signature=raw_signature(body).hex()),
    "a signature of zeros": lambda body: changed(headers(body), X_Signature=base64.b64encode(bytes(256)).decode()),
    "a signature of ones": lambda body: changed(headers(body), X_Signature=base64.b64encode(b"\xff" * 256).decode()),
    "a huge signature": lambda body: changed(headers(body), X_Signature="A" * 100_000),
    "letters beyond ASCII": lambda body: changed(headers(body), X_Signature="é", X_Timestamp="☕"),
    "half a surrogate pair": lambda body: changed(headers(body), X_Timestamp="\ud800"),
    "NUL in every header": lambda body: dict.fromkeys(headers(body), "a\x00b"),
    "a timestamp with the separator": lambda body: changed(headers(body), X_Timestamp="a:b:c"),
    "a partner id that is none": lambda body: changed(
        headers(body, key=keys.STRANGER_PRIVATE_KEY), X_Partner_Id="'; DROP TABLE"
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_message_is_refused_and_kept(client: Client, order: Order, forge: Forge) -> None:
    body = compact(notice(order))
    assert_answer(send(client, body, forge(body)), "4015600")
    message = Notification.objects.get()
    assert (message.verified, message.order, message.outcome) == (False, None, "bad_signature")
    assert message.body == body.decode()
    kept = "".join(message.headers.values())
    assert kept.isprintable(), "PostgreSQL stores neither NUL nor half a surrogate pair"


def test_the_sandbox_key_opens_nothing_in_production(client: Client, order: Order, settings: Any) -> None:
    sandbox = account_with(DANA_PUBLIC_KEY="")["default"]
    production = {**sandbox, "ENVIRONMENT": "production", "DANA_PUBLIC_KEY": keys.STRANGER_PUBLIC_KEY}
    settings.DANA = {"default": production, "sandbox": sandbox}
    assert [key.reveal() for key in conf.account("default").public_keys] == [keys.STRANGER_PUBLIC_KEY]
    assert [key.reveal() for key in conf.account("sandbox").public_keys] == [conf.SANDBOX_PUBLIC_KEY]
    assert_answer(send(client, compact(notice(order))), "4015600")


def test_the_key_of_the_sandbox_account_books_nothing_of_the_production_account(
    client: Client, order: Order, settings: Any
) -> None:
    default = django_settings.DANA["default"]
    settings.DANA = {
        "default": {**default, "ENVIRONMENT": "production", "DANA_PUBLIC_KEY": keys.STRANGER_PUBLIC_KEY},
        "sandbox": default,
    }
    # both accounts have the same merchant and partner id, and the message is signed as the sandbox would
    assert_answer(send(client, compact(notice(order))), "4045601")


# -- bodies that are signed but hostile -------------------------------------------------------------------------------


def with_text(order: Order, text: str) -> bytes:
    """Return a whole message with some JSON in it."""
    return compact(notice(order, extra="HERE")).replace(b'"HERE"', text.encode("utf-8", "surrogatepass"))


BOMBS: dict[str, str] = {
    "arrays in arrays": "[" * 50_000 + "]" * 50_000,
    "arrays never closed": "[" * 100_000,
    "objects in objects": '{"a":' * 15_000 + "1" + "}" * 15_000,
    "just too deep": "[" * 65 + "]" * 65,
    "a number of 50,000 digits": "9" * 50_000,
    "an exponent out of range": "1e9999999999999999999999",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "a comment": "/* nothing */ 1",
    "a comma too many": "[1,]",
    "a leading zero": "01",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_signed_bomb_is_refused(client: Client, order: Order, text: str) -> None:
    started = time.process_time()
    assert_answer(send(client, with_text(order, text)), "4005601")
    assert time.process_time() - started < 0.5
    assert Notification.objects.get().outcome == "bad_shape"


def test_a_mandatory_field_twice_is_not_read_either_way(client: Client, order: Order) -> None:
    body = compact(notice(order))
    twice = body[:-1] + b',"latestTransactionStatus":"05"}'
    assert_answer(send(client, twice), "4005601")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp037"])
def test_other_encodings_are_refused(client: Client, order: Order, encoding: str) -> None:
    assert_answer(send(client, json.dumps(notice(order)).encode(encoding)), "4005601")


@pytest.mark.parametrize("body", [b'{"a":"\xff\xfe"}', b"\x00" * 100, b'{"a":"\x00"}', b"\xed\xa0\x80", b"\xf8" * 9])
def test_bytes_that_are_no_utf_8_are_kept_readable(client: Client, body: bytes) -> None:
    assert_answer(send(client, body), "4005602" if body.startswith(b"{") else "4005601")
    assert_answer(send(client, body, {}), "4015600")
    assert Notification.objects.count() == 2


def test_an_exponent_within_range_costs_nothing(client: Client, order: Order) -> None:
    content = compact(notice(order, merchantId=["HERE"], other=1)).replace(b'"other":1', b'"other":1e999999')
    started = time.process_time()
    assert_answer(send(client, content), "4005601")
    assert time.process_time() - started < 0.5


# -- methods, types, paths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_only_post_is_allowed(client: Client, order: Order, method: str) -> None:
    body = b"" if method == "TRACE" else compact(notice(order))
    response = client.generic(method, PATH, body, content_type="application/json", headers=headers(body))
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert not Notification.objects.exists()
    if method != "HEAD":
        assert_answer(response, "4055600")


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/xml", "nonsense", ";;;", "application/json; charset=utf-16"),
        *("application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x", "a/b\x00"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "", "\x00", "text/html;q=x"])
def test_content_types_and_accept_headers_change_nothing(client: Client, content_type: str, accept: str) -> None:
    body = b"a=b&c=d"
    given = headers(body) | {"Accept": accept}
    assert_answer(client.generic("POST", PATH, body, content_type, headers=given), "4005601")
    forged = changed(given, X_Signature="AAAA")
    assert_answer(client.generic("POST", PATH, body, content_type, headers=forged), "4015600")


CONTENT_LENGTHS = {
    "-1": ("4015600", 401),
    "": ("4015600", 401),
    "0": ("4015600", 401),
    "9" * 30: ("4005601", 413),
    "abc": ("4005601", 400),
    "1e3": ("4005601", 400),
    "9" * 5000: ("4005601", 400),
}


@pytest.mark.parametrize(("length", "answer"), CONTENT_LENGTHS.items(), ids=lambda value: str(value)[:9])
def test_odd_content_lengths(client: Client, order: Order, length: str, answer: tuple[str, int]) -> None:
    body = compact(notice(order))
    assert_answer(client.generic("POST", PATH, body, "application/json", CONTENT_LENGTH=length), *answer)


@pytest.mark.parametrize("suffix", ["//", "/x", ".json", "%00", ";a=b"])
def test_near_misses_of_the_path_are_not_found(client: Client, order: Order, suffix: str) -> None:
    body = compact(notice(order))
    response = client.post(PATH + suffix, body, content_type="application/json", headers=headers(body))
    assert response.status_code == 404


@pytest.mark.parametrize("query", ["format=xml", "format=api", "_method=GET", "version=9", "a" * 5000])
def test_query_strings_change_nothing(client: Client, order: Order, query: str) -> None:
    assert_answer(send(client, compact(notice(order)), {}, to=f"{PATH}?{query}"), "4015600")


class BrokenLine(BytesIO):
    """A connection that ends in the middle of the body."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def test_a_body_that_never_arrives_whole_is_neither_believed_nor_stored(client: Client, order: Order) -> None:
    body = compact(notice(order))
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers(body).items()}
    environ: dict[str, Any] = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BrokenLine(), **given}
    assert_answer(client.generic("POST", PATH, content_type="application/json", **environ), "5005601")
    assert not Notification.objects.exists()


# -- size and number --------------------------------------------------------------------------------------------------


def test_one_byte_too_many_is_refused_and_not_stored(client: Client) -> None:
    assert_answer(send(client, b" " * (MAX_BODY_BYTES + 1)), "4005601", 413)
    assert not Notification.objects.exists()


def test_the_longest_body_is_read(client: Client) -> None:
    assert MAX_BODY_BYTES == 128 * 1024
    assert_answer(send(client, b" " * MAX_BODY_BYTES), "4005601", 400)
    assert Notification.objects.count() == 1


def test_what_is_announced_as_too_large_is_not_read(client: Client) -> None:
    response = client.generic("POST", PATH, b"{}", "application/json", CONTENT_LENGTH=str(MAX_BODY_BYTES + 1))
    assert_answer(response, "4005601", 413)
    assert not Notification.objects.exists()


def test_a_lower_limit_of_the_shop_holds_too(client: Client, order: Order, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert_answer(send(client, compact(notice(order))), "4005601", 413)


def test_of_a_refused_message_little_is_kept(client: Client) -> None:
    body, long = b"x" * MAX_BODY_BYTES, "y" * 50_000
    given = changed(headers(body), X_Signature=long, User_Agent=long, X_External_Id=long, Cookie="session", X_Other="z")
    assert_answer(send(client, body, given), "4015600")
    message = Notification.objects.get()
    assert len(message.body) == notifications.MAX_REFUSED_BYTES
    assert len(json.dumps(message.headers)) < 10_000
    assert {name.lower() for name in message.headers}.isdisjoint({"cookie", "x-other", "host"})


def test_the_store_of_refused_messages_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "MAX_REFUSED", 5)
    verified = send(client, b"{}")
    assert verified.status_code == 400
    for number in range(12):
        send(client, b"%d" % number, {})
    refused = Notification.objects.filter(verified=False).order_by("id")
    assert [message.body for message in refused] == ["7", "8", "9", "10", "11"]
    assert Notification.objects.filter(verified=True).count() == 1


def test_a_store_that_is_far_too_full_is_emptied_bit_by_bit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    Notification.objects.bulk_create(Notification(body=str(number)) for number in range(250))
    monkeypatch.setattr(notifications, "MAX_REFUSED", 5)
    for left in (151, 52, 5, 5):
        send(client, b"{", {})
        assert Notification.objects.count() == left


@pytest.mark.django_db(transaction=True)
def test_in_a_full_store_each_refused_message_takes_the_place_of_the_oldest(client: Client) -> None:
    """FLOOD_RUNS=100000 sends that many."""
    old = Notification.objects.bulk_create(Notification(body="old") for _ in range(notifications.MAX_REFUSED))
    oldest = min(message.pk for message in old)
    forge = itertools.cycle(FORGERIES.values())
    body = b"{}"
    for number in range(1, int(os.environ.get("FLOOD_RUNS") or 50) + 1):
        with statements() as sql:
            response = send(client, body, next(forge)(body))
        assert_answer(response, "4015600")
        verbs = [statement.split()[0] for statement in sql]
        # the message; what is too many; that one row, with the events about it
        assert [verb for verb in verbs if verb != "BEGIN"] == ["INSERT", "SELECT", "SELECT", "DELETE", "DELETE"]
        assert not any("COUNT(" in statement for statement in sql)
        kept = Notification.objects.aggregate(Count("pk"), Min("pk"))
        assert kept == {"pk__count": notifications.MAX_REFUSED, "pk__min": oldest + number}


HEAVY = {
    "quotes": b'"',
    "backslashes": b"\\",
    "a quote, then backslashes": b'"' + b"\\" * (MAX_BODY_BYTES - 1),
    "opening brackets": b"[",
    "opening braces": b"{",
    "quotes and spaces": b'" ',
    "spaces and letters": b" x",
    "escaped quotes": b'\\"',
    "spaces": b" ",
    "pairs of quotes and spaces": b'"" ',
}


@pytest.mark.parametrize("signed", ["signed", "forged"])
@pytest.mark.parametrize("unit", HEAVY.values(), ids=HEAVY)
def test_128_kib_of_the_worst_are_handled_at_once(client: Client, unit: bytes, signed: str) -> None:
    body = unit * (MAX_BODY_BYTES // len(unit))
    given = headers(body if signed == "signed" else b"x")
    started = time.process_time()
    response = send(client, body, given)
    assert time.process_time() - started < 0.5
    assert_answer(response, "4005601" if signed == "signed" else "4015600")


# -- what is shown and logged -----------------------------------------------------------------------------------------


def test_debug_shows_no_traceback(
    client: Client, order: Order, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("secret of the shop")

    monkeypatch.setattr(notifications, "find_order", fail)
    response = send(client, compact(notice(order)))
    assert_answer(response, "5005601")
    assert b"ZeroDivision" not in response.content
    assert b"secret" not in response.content
    # this one was DANA, and the fault is ours
    assert [record.exc_info is not None for record in caplog.records if record.name == "django_dana.notifications"] == [
        True
    ]
    caplog.clear()
    assert_answer(send(client, b"{", {}), "4015600")


@pytest.mark.parametrize("body", [b"{}", b"{", b""])
def test_no_key_and_no_signature_gets_into_the_log(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.DANA = account_with() | {"broken": {**django_settings.DANA["default"], "DANA_PUBLIC_KEY": "bm90IGEga2V5"}}
    given = headers(body)
    for sent in (given, changed(given, X_Signature="A" * 344), {}):
        send(client, body, sent)
    assert caplog.records
    for secret in (keys.DANA_PUBLIC_KEY, keys.SHOP_PRIVATE_KEY, "bm90IGEga2V5", given["X-Signature"]):
        assert secret[:40] not in caplog.text


def test_no_key_gets_into_what_is_kept(client: Client, order: Order, settings: Any) -> None:
    settings.DANA = account_with(DANA_PUBLIC_KEY=["bm90IGEga2V5", keys.DANA_PUBLIC_KEY])
    send(client, compact(notice(order)), {})
    send(client, b"{}")
    kept = json.dumps(list(Notification.objects.values()), default=str)
    assert "bm90IGEga2V5" not in kept
    assert keys.DANA_PUBLIC_KEY[:40] not in kept


def test_an_answer_sets_no_cookie_and_may_not_be_cached_as_a_page(client: Client, order: Order) -> None:
    response = send(client, b"{}")
    assert not response.cookies
    assert response["Content-Type"] == "application/json"


def test_the_clock_of_the_caller_does_not_matter(client: Client) -> None:
    # DANA re-sends for days, with a fresh timestamp each time; what keeps a replay harmless is that it changes nothing
    old = notation.jakarta_time(datetime.now(UTC) - timedelta(days=30))
    assert_answer(send(client, b"{}", timestamp=old), "4005602")


# -- what a stranger can cost -----------------------------------------------------------------------------------------


def many_accounts(number: int, **options: Any) -> dict[str, Any]:
    """Return so many accounts of different merchants, with the one key with which DANA signs for all of them."""
    default = django_settings.DANA["default"]
    return {"default": default} | {
        f"a{n}": {**default, "MERCHANT_ID": f"M-{n}", "PARTNER_ID": f"P-{n}", **options} for n in range(1, number)
    }


class Counted:
    """The costly steps, and how often each was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[str] = Counter()
        for name in ("decode_signature", "_digest", "minify", "_fits"):
            monkeypatch.setattr(signing, name, self._counted(name, getattr(signing, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.calls[name] += 1
            return function(*args)

        return counted


WORST = b'" ' * (MAX_BODY_BYTES // 2)


@pytest.mark.parametrize("number", [1, 10, 100])
@pytest.mark.parametrize("partner_id", [None, "somebody", "P-7"])
def test_a_forged_message_costs_the_same_whatever_the_number_of_accounts(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, number: int, partner_id: str | None
) -> None:
    settings.DANA = many_accounts(number)
    forged = changed(headers(WORST, key=keys.STRANGER_PRIVATE_KEY), X_Partner_Id=partner_id)
    counted = Counted(monkeypatch)
    assert_answer(send(client, WORST, forged), "4015600")
    # the body once as it came and once minified, and both times the one key with the one path
    assert counted.calls == {"decode_signature": 1, "_digest": 2, "minify": 1, "_fits": 2}


def test_a_forged_message_with_a_signature_of_another_length_is_not_even_hashed(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DANA = many_accounts(100)
    forged = changed(headers(b""), X_Signature="AAAA")
    counted = Counted(monkeypatch)
    assert_answer(send(client, WORST, forged), "4015600")
    assert counted.calls == {"decode_signature": 1}


@pytest.mark.parametrize(("partner_id", "read"), [("somebody", 100), ("P-7", 1)])
def test_strangers_run_the_function_of_a_key_once_however_often_they_come(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, partner_id: str, read: int
) -> None:
    asked: Counter[str] = Counter()
    parsed: Counter[str] = Counter()

    def vault(alias: str) -> str:
        asked[alias] += 1
        return keys.DANA_PUBLIC_KEY

    def decode(text: str) -> tuple[str, bytes | None]:
        parsed["keys"] += 1
        return _decode(text)

    _decode = signing._decode
    monkeypatch.setattr(signing, "_decode", decode)
    signing._read_public.cache_clear()
    settings.DANA = {
        alias: {**options, "DANA_PUBLIC_KEY": partial(vault, alias)} for alias, options in many_accounts(100).items()
    }
    for number in range(5):
        body = b"%d" % number
        forged = headers(body, key=keys.STRANGER_PRIVATE_KEY, partner_id=partner_id)
        assert_answer(send(client, body, forged), "4015600")
    assert (len(asked), set(asked.values())) == (read, {1})
    assert parsed == {"keys": 1}


READ: list[str] = []


def accounts_of_a_table() -> dict[str, Any]:
    """Return the accounts of a shop that keeps them in a table, and count that."""
    READ.append("setting")
    return many_accounts(100)


def test_the_setting_is_read_once_for_each_message(
    client: Client, order: Order, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = many_accounts(100)
    monkeypatch.setattr(f"{__name__}.many_accounts", lambda number: rows)
    settings.DANA = f"{__name__}.accounts_of_a_table"
    READ.clear()
    assert_answer(send(client, b"{}", headers(b"{}", partner_id="P-7")), "4005602")
    assert READ == ["setting"]
    assert_answer(send(client, b"{}", headers(b"x", partner_id="P-7")), "4015600")
    assert READ == ["setting"] * 2


# -- how much is read -------------------------------------------------------------------------------------------------


class Stream(BytesIO):
    """A body that comes in pieces, and says how much of it was read."""

    def __init__(self, size: int, piece: int = 10_000) -> None:
        super().__init__(b" " * size)
        self._piece = piece

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "the whole body is read"
        return super().read(min(size, self._piece))


def via_wsgi(stream: Stream, length: str | None) -> Any:
    environ = {
        **RequestFactory().generic("POST", PATH).environ,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "wsgi.input": stream,
    }
    environ.pop("CONTENT_LENGTH", None)
    return resolve(PATH).func(WSGIRequest(environ if length is None else {**environ, "CONTENT_LENGTH": length}))


def via_asgi(stream: Stream, length: str | None) -> Any:
    given = [] if length is None else [(b"content-length", length.encode())]
    return resolve(PATH).func(ASGIRequest({"type": "http", "method": "POST", "path": PATH, "headers": given}, stream))


@pytest.mark.parametrize("limit", [None, 5_000, 10 * MAX_BODY_BYTES])
@pytest.mark.parametrize("length", [None, "", "0", "1", "-1", "5000", str(MAX_BODY_BYTES), "9999999", "nonsense"])
@pytest.mark.parametrize("serve", [via_wsgi, via_asgi])
def test_never_more_is_read_than_may_be_kept_and_one_byte(
    settings: Any, serve: Callable[[Stream, str | None], Any], length: str | None, limit: int | None
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
    most = min(MAX_BODY_BYTES, limit or MAX_BODY_BYTES)
    stream = Stream(3 * MAX_BODY_BYTES)
    response = serve(stream, length)
    assert response.data["responseCode"] in ("4005601", "4015600")
    assert stream.tell() <= most + 1
    if serve is via_asgi and length not in ("9999999", "nonsense"):
        # whatever was announced, it is longer
        assert response.status_code == 413
        assert not Notification.objects.exists()


@pytest.mark.parametrize("serve", [via_wsgi, via_asgi])
def test_a_body_in_pieces_is_read_to_its_end(serve: Callable[[Stream, str | None], Any]) -> None:
    stream = Stream(2_000, piece=7)
    assert serve(stream, "2000").data["responseCode"] == "4015600"
    assert Notification.objects.get().body == " " * 2_000


# -- what is mailed to the admins -------------------------------------------------------------------------------------


def records_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.name, record.levelname) for record in caplog.records]


def test_one_broken_account_does_not_let_strangers_mail_bomb_the_admins(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DANA = account_with(MCC="")
    now = time.monotonic()
    monkeypatch.setattr(log_throttle, "monotonic", lambda: now)
    for _ in range(20):
        assert_answer(send(client, b"{}", headers(b"x")), "5005601")
    # not Django's own either, which would bring all settings and the request
    assert records_of(caplog) == [("django_dana.notifications", "ERROR")]
    assert caplog.records[0].exc_info is None
    assert not hasattr(caplog.records[0], "request")
    now += 61
    send(client, b"{}", headers(b"x"))
    assert caplog.records[1].getMessage() == (
        "DANA['default'] can't verify notifications: DANA['default'] has no MCC. (19 more since the last such line)"
    )


def test_where_others_own_the_partner_id_a_broken_account_is_not_to_blame(client: Client, settings: Any) -> None:
    settings.DANA = account_with() | {"broken": {**django_settings.DANA["default"], "MCC": "", "PARTNER_ID": "P-2"}}
    assert_answer(send(client, b"{}", headers(b"x")), "4015600")
    assert_answer(send(client, b"{}", headers(b"x", partner_id="P-2")), "5005601")
    assert_answer(send(client, b"{}", headers(b"x", partner_id="nobody")), "5005601")


def test_where_an_owner_of_the_partner_id_has_no_key_dana_is_to_try_again(client: Client, settings: Any) -> None:
    keyless = {**django_settings.DANA["default"], "DANA_PUBLIC_KEY": "none"}
    settings.DANA = account_with() | {"keyless": keyless}
    assert_answer(send(client, b"{}", headers(b"x")), "5005601")


def test_forged_messages_are_one_warning_a_minute(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(log_throttle, "monotonic", lambda: now)
    for _ in range(20):
        send(client, b"{}", headers(b"x"))
    assert records_of(caplog) == [("django_dana.notifications", "WARNING")]
    now += 61
    send(client, b"{}", headers(b"x"))
    assert records_of(caplog) == [("django_dana.notifications", "WARNING")] * 2


def test_what_fails_on_our_side_is_one_error_a_minute_with_its_traceback(
    client: Client, order: Order, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**arguments: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(notifications, "find_order", fail)
    body = compact(notice(order))
    for _ in range(5):
        assert_answer(send(client, body), "5005601")
    assert records_of(caplog) == [("django_dana.notifications", "ERROR")]
    assert caplog.records[0].exc_info is not None
    caplog.clear()


# -- what DANA signed for others --------------------------------------------------------------------------------------


def test_the_store_of_messages_without_an_order_is_bounded(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DANA signs with one key for every merchant, so whoever has an account there can have messages sent to us."""
    monkeypatch.setattr(notifications, "MAX_UNMATCHED", 5)
    kept = Notification.objects.create(order=order, verified=True, outcome="applied", body="x")
    forged = Notification.objects.create(outcome="bad_signature", body="x")
    for number in range(12):
        assert_answer(send(client, compact(notice(order, merchantId=f"M-{number}"))), "4045601")
    for number in range(3):
        assert_answer(send(client, b'{"a":%d}' % number), "4005602")
    unmatched = Notification.objects.exclude(pk__in=[kept.pk, forged.pk]).order_by("id")
    assert [message.merchant_id for message in unmatched] == ["M-10", "M-11", "", "", ""]
    assert set(OutboxEvent.objects.values_list("notification__merchant_id", flat=True)) == {"M-10", "M-11"}
