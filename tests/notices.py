"""Finish Notify as DANA sends it: the sample of its page, signed with the key that the tests call DANA's."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from django.test import Client

from django_dana.models import CancelRequest, Order, OutboxEvent
from django_dana.protocol import notation, signing
from tests import keys

PATH = "/dana/v1.0/debit/notify"
PARTNER_ID = "2024010100000000000001"

_JAKARTA_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+07:00")


def notice(order: Order, status: str = "00", **changes: Any) -> dict[str, Any]:
    """Return what DANA says about an order; the shape is that of captured QRIS payments, JSON in strings in JSON."""
    money = {"value": f"{order.amount:.2f}", "currency": order.currency}
    terminal = json.dumps({"terminalType": "SYSTEM", "extra": json.dumps({"till": "A1", "name": 'Kopi "Gayo"'})})
    return {
        "originalPartnerReferenceNo": order.partner_reference_no,
        "originalReferenceNo": "20261121111212800100166000000000001",
        "merchantId": order.merchant_id,
        "amount": money,
        "latestTransactionStatus": status,
        "transactionStatusDesc": "SUCCESS" if status == "00" else "CLOSED",
        "createdTime": "1795253400000",
        "finishedTime": "1795253520000",
        "externalStoreID": "toko-1",
        "additionalInfo": {
            "paymentInfo": {
                "cashierRequestId": "20261121111212800100166000000000002",
                "paidTime": "2026-11-21T16:31:00+07:00",
                "payOptionInfos": [{"payMethod": "NETWORK_PAY", "payOption": "QRIS", "payAmount": money}],
                "payRequestExtendInfo": json.dumps({"envInfo": terminal}),
            },
            "shopInfo": {"externalShopId": "toko-1", "shopName": "Toko Kopi"},
            "extendInfo": "{}",
        },
        **changes,
    }


def compact(content: Any) -> bytes:
    """Return JSON as DANA writes it: without whitespace, and UTF-8 as it is."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def headers(
    body: bytes,
    *,
    path: str = PATH,
    key: str = keys.DANA_PRIVATE_KEY,
    timestamp: str | None = None,
    partner_id: str | None = PARTNER_ID,
    method: str = "POST",
) -> dict[str, str]:
    """Return the headers of captured notifications, with a fresh signature."""
    timestamp = timestamp or notation.jakarta_time(datetime.now(UTC))
    signature = signing.sign(signing.load_private_key(key), method=method, path=path, body=body, timestamp=timestamp)
    captured = {
        "Channel-Id": "DANA",
        "Charset": "UTF-8",
        "User-Agent": "Jakarta Commons-HttpClient/3.1",
        "X-Signature": signature,
        "X-Timestamp": timestamp,
    }
    return captured | ({"X-Partner-Id": partner_id} if partner_id else {})


def send(
    client: Client, body: bytes, with_headers: dict[str, str] | None = None, *, to: str = PATH, **options: Any
) -> Any:
    """Post a body, signed unless headers are given."""
    given = headers(body, **options) if with_headers is None else with_headers
    return client.post(to, body, content_type="application/json", headers=given)


def notify(client: Client, order: Order, status: str = "00", **changes: Any) -> Any:
    """Tell the shop about an order as DANA does."""
    return send(client, compact(notice(order, status, **changes)))


def assert_answer(response: Any, code: str, http_status: int | None = None) -> None:
    """Check an answer in every respect that DANA looks at."""
    content = response.json()
    assert (content["responseCode"], response.status_code) == (code, http_status or int(code[:3]))
    assert content["responseMessage"]
    assert set(content) == {"responseCode", "responseMessage"}
    assert response["Content-Type"] == "application/json"
    assert _JAKARTA_TIME.fullmatch(response["X-TIMESTAMP"])


def state() -> list[Any]:
    """Return every order and cancel request, and the events about them, to see that nothing was touched."""
    rows = (Order.objects, CancelRequest.objects, OutboxEvent.objects.exclude(order=None))
    return [list(found.order_by("pk").values()) for found in rows]


def facts(order: Order) -> dict[str, Any]:
    """Return all that an order says, but for when it was last locked."""
    values = Order.objects.filter(pk=order.pk).values().get()
    return {name: value for name, value in values.items() if name != "updated_at"}
