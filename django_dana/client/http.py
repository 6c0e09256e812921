"""One call to DANA: sign, send, understand."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django_dana import __version__
from django_dana.client.transport import RawReply, Transport
from django_dana.exceptions import NoReply, UnexpectedReply
from django_dana.protocol import notation, signing
from django_dana.protocol.messages import CallResult, ReplyFields
from django_dana.protocol.operations import Operation
from django_dana.protocol.response_codes import Outcome, Rule
from django_dana.protocol.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to speak to DANA as one merchant. ``timeout`` is in seconds, for the whole call."""

    base_url: str
    partner_id: str
    private_key: Secret | str = field(repr=False)
    channel_id: str
    origin: str
    timeout: float
    proxy: Secret | str | None = field(repr=False)
    debug_mode: bool


class Client:
    """Speaks to DANA as one merchant; keeps its connections. Get one from :func:`client_for`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._transport = Transport(proxy=credentials.proxy)

    def call(
        self, operation: Operation, request_body: str, *, external_id: str, timeout: float | None = None
    ) -> CallResult:
        """Make exactly one HTTP request and say how it ended.

        Args:
            operation: what is asked of DANA.
            request_body: the exact text to send, as the message's ``body()`` made it.
            external_id: X-EXTERNAL-ID, at most 36 characters, new for every call.
            timeout: seconds for the whole call, instead of the account's.

        Raises:
            InvalidKey: the private key can't be read; nothing was sent.
        """
        try:
            raw = self.post(operation.path, request_body, external_id=external_id, timeout=timeout)
        except NoReply as error:
            return CallResult(rule=operation.codes.no_reply, error=str(error)[:300])
        except UnexpectedReply as error:
            return _unexpected(operation, error.reason, error.http_status, error.text)
        try:
            return _understand(operation, json.loads(request_body), raw)
        except UnexpectedReply as error:
            return _unexpected(operation, error.reason, raw.status, _text(raw))

    def post(self, path: str, request_body: str, *, external_id: str, timeout: float | None = None) -> RawReply:
        """Sign a body and send it to one of DANA's paths; return the reply unread.

        Raises:
            NoReply: no whole reply within the time-out.
            UnexpectedReply: the reply is too long.
            InvalidKey: the private key can't be read; nothing was sent.
        """
        signed_bytes = request_body.encode("ascii")
        headers = self.headers(path, signed_bytes, external_id, notation.jakarta_time(datetime.now(UTC)))
        url = self._credentials.base_url + path
        return self._transport.post(url, signed_bytes, headers, timeout=timeout or self._credentials.timeout)

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


def client_for(credentials: Credentials) -> Client:
    """Return the one client that this process keeps for these credentials."""
    return _client(credentials, os.getpid())


@lru_cache(maxsize=32)
def _client(credentials: Credentials, process_id: int) -> Client:
    # By process, since a connection that two processes share after a fork mixes their replies.
    return Client(credentials)


def _understand(operation: Operation, sent: Mapping[str, Any], raw: RawReply) -> CallResult:
    """Find the row of the table and read what a success says. Raises UnexpectedReply."""
    try:
        fields = ReplyFields(notation.parse_json_object(raw.body))
    except ValueError as error:
        raise UnexpectedReply(f"no JSON object: {error}"[:300]) from None
    rule = _rule(operation, fields.at("responseCode"), raw.status)
    for name in operation.references:
        if name in sent:
            fields.expect(name, sent[name])
    return CallResult(
        rule=rule,
        reply=operation.read(fields, sent) if rule.outcome is Outcome.SUCCESS else None,
        message=fields.text("responseMessage"),
        http_status=raw.status,
        text=_text(raw),
        error="" if rule.code.startswith(str(raw.status)) else f"the code came on HTTP {raw.status}",
        retry_after=_seconds(raw.headers.get("Retry-After")),
    )


def _rule(operation: Operation, code: object, http_status: int) -> Rule:
    if not isinstance(code, str):
        raise UnexpectedReply("no responseCode")
    rule = operation.codes.find(code)
    if rule is None:
        raise UnexpectedReply(f"responseCode {code[:20]!r} is not in the table of service {operation.service_code}")
    if rule.outcome is Outcome.SUCCESS and not 200 <= http_status < 300:
        raise UnexpectedReply(f"success code {code} on HTTP {http_status}")
    return rule


def _unexpected(operation: Operation, reason: str, http_status: int | None, text: str) -> CallResult:
    return CallResult(rule=operation.codes.unexpected, error=reason[:300], http_status=http_status, text=text)


def _text(raw: RawReply) -> str:
    return raw.body.decode("utf-8", "replace")


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header in seconds; its date form has never been seen from DANA."""
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return None
    return float(retry_after[:9])
