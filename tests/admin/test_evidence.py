"""What was sent, answered and heard: readable, masked, and only for those who may read it."""

import json
import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_dana.admin.rendering import pretty_text
from django_dana.models import ApiCall
from tests import wire as w
from tests.admin.helpers import (
    CALLS,
    CANCELS,
    NOTIFICATIONS,
    ORDERS,
    aborted,
    call_of,
    cancel_page,
    client_of,
    notification_of,
    page,
    paid,
    text,
    user_with,
)
from tests.factories import new_order, order_with, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db


def test_what_somebody_wrote_is_text(staff: Client) -> None:
    evil = "<script>alert(1)</script>"
    order = paid(title=evil, note=evil, response_message=evil, return_url="javascript:alert(1)")
    cancel_request = aborted(order, reason=evil, response_message=evil)
    call = call_of(order, response_body=evil, error=evil, response_message=evil, rule_code="lost")
    notification = notification_of(order, body=evil, error=evil, headers={evil: evil})
    version = staff.get(page(order, "give-back")).context["form"]["version"].value()
    staff.post(page(order, "give-back"), {"choice": "all", "reason": evil, "note": evil, "version": version})
    assert evil in LogEntry.objects.get().change_message
    urls = [ORDERS, page(order), page(order, "give-back"), cancel_page(cancel_request), CANCELS, CALLS, NOTIFICATIONS]
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


def nested(value: Any, times: int) -> str:
    """Return JSON inside strings, as DANA nests it."""
    body = json.dumps(value)
    for _ in range(times):
        body = json.dumps({"payRequestExtendInfo": body})
    return body


@pytest.mark.parametrize(
    "body",
    [
        *(nested({"cardToken": "geheim", "amount": "1"}, times) for times in range(4)),
        '{"cardToken":"geheim","a":1,"a":2}',
        '{"cardToken": "geheim", "cut off',
        "cardToken=geheim&amount=1",
        '{"CARDTOKEN":"geheim"}',
        r'{"a":"{\"cardTok\u0065n\":\"geheim\"}"}',
        '{"cardToken":"x geheim","a":1,"a":2}',
        r'{"cardToken":"x\"geheim","a":1,"a":2}',
        r'{"info":"{\"cardToken\":\"x\\\"geheim\"',
        '{"cardToken":{"value":["geheim"]},"a":1,"a":2}',
        '{"cardToken": [ "geheim", ',
        '{"cardToken":"x\ngeheim',
        '[{"cardToken":"geheim"}]',
        '{"info":"cardToken = geheim"}',
        '{"accessToken":"geheim"}',
        '{"a":{"cvv":"geheim"}}',
        '{"X-SIGNATURE":"geheim"}',
        "X-Signature: geheim==",
    ],
)
def test_a_token_is_masked_wherever_it_stands(body: str) -> None:
    shown = pretty_text(body)
    assert "geheim" not in shown
    assert "•••" in shown


@pytest.mark.parametrize("unit", ["cardToken", "cardToken:", 'cardToken:"', "cardToken\\", "a", '\\"', "cardToken "])
def test_no_text_is_masked_for_long(unit: str) -> None:
    started = time.process_time()
    pretty_text(unit * (128 * 1024 // len(unit)))
    assert time.process_time() - started < 1


def test_what_is_no_secret_is_shown() -> None:
    shown = pretty_text('{"paymentCode":"8578","note":"{\\"amount\\":1}","pinned":"x","tokens":2}')
    assert "•••" not in shown
    assert "8578" in shown


def test_a_signature_is_masked(watcher: Client) -> None:
    notification = notification_of(None, headers={"X-Signature": "geheim", "X-Timestamp": "2026-11-21"})
    html = text(watcher.get(f"{NOTIFICATIONS}{notification.pk}/change/"))
    assert "geheim" not in html
    assert "2026-11-21" in html


def test_no_key_stands_on_any_page(staff: Client, settings: Any, dana: Wire) -> None:
    order = paid_order(dana)
    cancel_request = aborted(order)
    notification = notification_of(order)
    pages = [f"{CALLS}{call.pk}/change/" for call in order.api_calls.all()]
    pages += [ORDERS, page(order), page(order, "give-back"), CANCELS, cancel_page(cancel_request), CALLS, NOTIFICATIONS]
    key = settings.DANA["default"]["PRIVATE_KEY"]
    # in pieces, since a part of a key is too much as well
    secrets = [key[start : start + 40] for start in range(0, len(key) - 40, 40)]
    signatures = [request.headers["x-signature"] for request in dana.heard]
    assert len(secrets) > 10
    assert len(signatures) == 2
    for url in (*pages, f"{NOTIFICATIONS}{notification.pk}/change/"):
        html = text(staff.get(url))
        for secret in (*secrets, *signatures, "PRIVATE KEY"):
            assert secret not in html


def test_raw_texts_need_a_permission_of_their_own() -> None:
    order = paid(request_body='{"secret":"body"}')
    cancel_request = aborted(order)
    call = call_of(order, response_body='{"secret":"body"}')
    notification = notification_of(order, body='{"secret":"body"}', headers={"secret": "body"})
    client = client_of(user_with("view_order", "view_cancelrequest", "view_apicall", "view_notification"))
    pages = [page(order), cancel_page(cancel_request)]
    for url in (*pages, f"{CALLS}{call.pk}/change/", f"{NOTIFICATIONS}{notification.pk}/change/"):
        html = text(client.get(url))
        assert "secret" not in html, url
        assert "requestBody" not in html
    assert "Can read raw messages" in text(client.get(f"{CALLS}{call.pk}/change/"))


def test_who_may_not_read_them_does_not_load_them(django_assert_max_num_queries: Any) -> None:
    order = paid()
    call_of(order, response_body="x")
    client = client_of(user_with("view_order"))
    with django_assert_max_num_queries(20) as queries:
        client.get(page(order))
    assert not any("response_body" in query["sql"] for query in queries)


def test_a_call_says_what_its_answer_means(watcher: Client) -> None:
    order = new_order()
    for fields, sentence in (
        ({"rule_code": "4035402"}, "The amount is over DANA's limit."),
        ({"rule_code": "", "duration_ms": None}, "No answer is recorded"),
        ({"rule_code": "lost"}, "<dt>Meaning</dt><dd>-</dd>"),
    ):
        ApiCall.objects.all().delete()
        assert sentence in text(watcher.get(f"{CALLS}{call_of(order, **fields).pk}/change/"))


def test_a_message_without_an_order_has_its_page(watcher: Client) -> None:
    html = text(watcher.get(f"{NOTIFICATIONS}{notification_of(None, outcome='unknown_order').pk}/change/"))
    assert "Message from DANA: unknown order" in html
