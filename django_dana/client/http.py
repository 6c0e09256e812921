"""DANA's three calls. Each makes exactly one HTTP request and returns an understood reply, or raises."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar

from django_dana import __version__
from django_dana.client.transport import RawReply, Transport
from django_dana.exceptions import UnexpectedReply
from django_dana.protocol import notation, response_codes, signing
from django_dana.protocol.messages import CancelReply, CreateReply, QueryPayment, QueryReply
from django_dana.protocol.payment_methods import Address, promised_address
from django_dana.protocol.response_codes import Outcome, Rule, Table

R = TypeVar("R")

CREATE_PATH: Final = "/payment-gateway/v1.0/debit/payment-host-to-host.htm"
QUERY_PATH: Final = "/payment-gateway/v1.0/debit/status.htm"
CANCEL_PATH: Final = "/payment-gateway/v1.0/debit/cancel.htm"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to speak to DANA as one merchant. ``timeout`` is in seconds, for the whole call."""

    base_url: str
    partner_id: str
    private_key: str = field(repr=False)
    channel_id: str
    origin: str
    timeout: float
    proxy: str | None = field(repr=False)
    debug_mode: bool


class Client:
    """Speaks to DANA as one merchant; keeps its connections. Get one from :func:`client_for`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._transport = Transport(timeout=credentials.timeout, proxy=credentials.proxy)

    def create_order(self, request_body: str, *, external_id: str) -> CreateReply:
        """Send a Create Order (service 54).

        Args:
            request_body: the exact text to send, as CreateOrder.body() made it.
            external_id: X-EXTERNAL-ID, at most 36 characters, new for every call.

        Raises:
            NoReply: no whole reply within the time-out.
            UnexpectedReply: the reply can't be understood.
            InvalidKey: the private key can't be read; nothing was sent.
        """
        sent = json.loads(request_body)
        answer = self._call(CREATE_PATH, request_body, external_id, response_codes.CREATE)
        answer.expect_echo("partnerReferenceNo", sent["partnerReferenceNo"])
        reference_no = answer.text_at("referenceNo")
        page, code = answer.text_at("webRedirectUrl"), answer.text_at("additionalInfo", "paymentCode")
        if answer.rule.outcome is Outcome.SUCCESS:
            _expect_address(answer, promised_address(sent.get("payOptionDetails", ())), page, code)
        return answer.make(CreateReply, reference_no=reference_no, web_redirect_url=page, payment_code=code)

    def cancel_order(self, request_body: str, *, external_id: str) -> CancelReply:
        """Send a Cancel Order (service 57). Arguments and errors are those of create_order."""
        sent = json.loads(request_body)
        answer = self._call(CANCEL_PATH, request_body, external_id, response_codes.CANCEL)
        answer.expect_echo("originalPartnerReferenceNo", sent["originalPartnerReferenceNo"])
        if "originalReferenceNo" in sent:
            answer.expect_echo("originalReferenceNo", sent["originalReferenceNo"])
        return answer.make(
            CancelReply,
            cancel_time=notation.parse_time(answer.at("cancelTime")),
            transaction_date=notation.parse_time(answer.at("transactionDate")),
        )

    def query_payment(self, question: QueryPayment, *, external_id: str) -> QueryReply:
        """Send a Query Payment (service 55). Errors are those of create_order."""
        answer = self._call(QUERY_PATH, question.body(), external_id, response_codes.QUERY)
        answer.expect_echo("originalPartnerReferenceNo", question.original_partner_reference_no)
        status = answer.text_at("latestTransactionStatus")
        if answer.rule.outcome is Outcome.SUCCESS and not status:
            raise answer.unexpected("a success without latestTransactionStatus")
        amount = answer.money_at("amount") or answer.money_at("additionalInfo", "amountDetail", "orderAmount")
        refund = answer.money_at("additionalInfo", "amountDetail", "refundAmount")
        return answer.make(
            QueryReply,
            status=status,
            acquirement_status=answer.text_at("additionalInfo", "statusDetail", "acquirementStatus"),
            reference_no=answer.text_at("originalReferenceNo"),
            amount=amount[0] if amount else None,
            currency=amount[1] if amount else "",
            refund_amount=refund[0] if refund else None,
            paid_at=notation.parse_time(answer.at("paidTime")),
        )

    def post(self, path: str, request_body: str, *, external_id: str) -> RawReply:
        """Sign a body and send it to one of DANA's paths; the reply is returned unread. Raises as create_order does."""
        signed_bytes = request_body.encode("ascii")
        headers = self.headers(path, signed_bytes, external_id, notation.jakarta_time(datetime.now(UTC)))
        return self._transport.post(self._credentials.base_url + path, signed_bytes, headers)

    def headers(self, path: str, body: bytes, external_id: str, timestamp: str) -> dict[str, str]:
        """Return the headers of one request; the signature covers the path, the body and the timestamp."""
        credentials = self._credentials
        key = signing.load_private_key(credentials.private_key)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"django-dana/{__version__}",
            "X-TIMESTAMP": timestamp,
            "X-SIGNATURE": signing.sign(key, method="POST", path=path, body=body, timestamp=timestamp),
            "X-PARTNER-ID": credentials.partner_id,
            "X-EXTERNAL-ID": external_id,
            "CHANNEL-ID": credentials.channel_id,
        }
        if credentials.origin:
            headers["ORIGIN"] = credentials.origin
        if credentials.debug_mode:
            headers["X-Debug-Mode"] = "true"
        return headers

    def _call(self, path: str, body: str, external_id: str, table: Table) -> "_Answer":
        return _Answer.understand(self.post(path, body, external_id=external_id), table)


def client_for(credentials: Credentials) -> Client:
    """Return the one client that this process keeps for these credentials."""
    return _client(credentials, os.getpid())


@lru_cache(maxsize=32)
def _client(credentials: Credentials, process_id: int) -> Client:
    # By process, since a connection that two processes share after a fork mixes their replies.
    return Client(credentials)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A reply whose responseCode stands in the table of its service."""

    raw: RawReply
    text: str
    content: Mapping[str, Any]
    rule: Rule

    @classmethod
    def understand(cls, raw: RawReply, table: Table) -> "_Answer":
        """Find the row of the table. Raises UnexpectedReply where there is none."""
        text = raw.body.decode("utf-8", "replace")
        try:
            content = notation.parse_json_object(raw.body)
        except ValueError as error:
            raise UnexpectedReply(f"no JSON object: {error}"[:300], raw.status, text) from None
        code = content.get("responseCode")
        if not isinstance(code, str):
            raise UnexpectedReply("no responseCode", raw.status, text)
        rule = table.find(code)
        if rule is None:
            reason = f"responseCode {code[:20]!r} is not in the table of service {table.service}"
            raise UnexpectedReply(reason, raw.status, text)
        if rule.outcome is Outcome.SUCCESS and not 200 <= raw.status < 300:
            raise UnexpectedReply(f"success code {code} on HTTP {raw.status}", raw.status, text)
        return cls(raw, text, content, rule)

    def at(self, *path: str) -> Any:
        """Return what stands at a path of keys, or None."""
        value: Any = self.content
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text_at(self, *path: str) -> str:
        """Return the string at a path of keys, or an empty one."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def money_at(self, *path: str) -> tuple[Decimal, str] | None:
        return notation.parse_money(self.at(*path))

    def expect_echo(self, name: str, sent: str) -> None:
        """Refuse another order's reference where one is given. DANA leaves its echo out of some refusals."""
        echoed = self.at(name)
        if echoed not in (None, "", sent):
            raise self.unexpected(f"{name} is another order's")

    def unexpected(self, reason: str) -> UnexpectedReply:
        return UnexpectedReply(reason, self.raw.status, self.text)

    def make(self, kind: Callable[..., R], **fields: Any) -> R:
        return kind(
            rule=self.rule,
            message=self.text_at("responseMessage"),
            http_status=self.raw.status,
            text=self.text,
            retry_after=_seconds(self.raw.headers.get("Retry-After")),
            **fields,
        )


def _expect_address(answer: _Answer, promised: Address, page: str, code: str) -> None:
    if not answer.text_at("referenceNo"):
        raise answer.unexpected("a success without referenceNo")
    present = {
        Address.PAGE: bool(page),
        Address.CODE: bool(code),
        Address.EITHER: bool(page or code),
        Address.NONE: True,
    }
    if not present[promised]:
        raise answer.unexpected(f"a success without {promised.value}")


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header in seconds; its date form has never been seen from DANA."""
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return None
    return float(retry_after[:9])
