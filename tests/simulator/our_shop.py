"""The same shop once more, but our client writes its requests, signs them, sends them and reads the answers."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import uuid4

from django_dana.client import Client, Credentials
from django_dana.client.transport import RawReply, Transport
from django_dana.protocol import operations, signing
from django_dana.protocol.messages import CallResult, CancelOrder, CreateOrder, QueryPayment
from tests.simulator.shop import ABSENT, Answer, Shop, now


class Meddler(Transport):
    """Our transport, which changes headers on the way out and keeps what comes back."""

    def __init__(self, private_key: str) -> None:
        super().__init__(proxy=None)
        self._timeout = 10.0
        self._private_key = private_key
        self.changes: Mapping[str, Any] = {}
        self.came: list[RawReply] = []

    def expect(self, changes: Mapping[str, Any], timeout: float) -> None:
        """Begin anew: change the next call's headers so, and give it that much time."""
        self.changes, self._timeout = changes, timeout
        self.came.clear()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> RawReply:
        sent = {**headers, **self.changes}
        timestamp = self.changes.get("X-TIMESTAMP", ABSENT)
        if timestamp is not ABSENT:
            # signed anew, so that the time's form is all that is wrong
            key = signing.load_private_key(self._private_key)
            path = "/" + url.split("/", 3)[3]
            sent["X-SIGNATURE"] = signing.sign(key, method="POST", path=path, body=body, timestamp=timestamp)
        present = {name: value for name, value in sent.items() if value is not ABSENT}
        reply = super().post(url, body, present, timeout=self._timeout)
        self.came.append(reply)
        return reply


class OurShop(Shop):
    """One account that speaks through our client, where our client has the operation.

    Attributes:
        understood: what our client made of the last answer.
    """

    understood: CallResult

    def create_body(self, reference: str, amount: str, *options: dict[str, Any]) -> dict[str, Any]:
        order = CreateOrder(
            partner_reference_no=reference,
            merchant_id=self.merchant_id,
            amount=Decimal(amount),
            currency="IDR",
            title="Kopi Gayo",
            valid_up_to=datetime.fromisoformat(now(600)),
            return_url=self.return_url,
            notification_url=self.notification_url,
            mcc="5732",
            terminal_type="SYSTEM",
            pay_option_details=options,
        )
        return _read(order.body())

    def query(self, reference: str, **changes: Any) -> dict[str, Any]:
        question = QueryPayment(original_partner_reference_no=reference, merchant_id=self.merchant_id)
        return {**_read(question.body()), **changes}

    def cancel(self, reference: str, **changes: Any) -> dict[str, Any]:
        wish = CancelOrder(
            original_partner_reference_no=reference,
            merchant_id=self.merchant_id,
            amount=Decimal("15000.00"),
            currency="IDR",
        )
        return {**_read(wish.body()), **changes}

    def call(
        self,
        operation: str,
        body: dict[str, Any] | bytes,
        headers: dict[str, Any] | None = None,
        timeout: float = 10,
    ) -> Answer:
        if operation not in ("create", "query", "cancel"):
            return super().call(operation, body, headers, timeout)
        assert isinstance(body, dict), "our client writes JSON objects only"
        self._wire.expect(headers or {}, timeout)
        text = json.dumps(body, separators=(",", ":"))
        self.understood = self._client.call(operations.BY_KEY[operation], text, external_id=uuid4().hex)
        (came,) = self._wire.came
        return Answer(came.status, came.headers, came.body)

    @cached_property
    def _wire(self) -> Meddler:
        return Meddler(self.private_key)

    @cached_property
    def _client(self) -> Client:
        client = Client(
            Credentials(
                base_url=self.base_url,
                partner_id=self.partner_id,
                private_key=self.private_key,
                channel_id="95221",
                origin="",
                timeout=10,
                proxy=None,
                debug_mode=True,
            )
        )
        client._transport = self._wire
        return client


def _read(text: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text)
    return body
