"""Finish Notify: one signed POST to a shop.

Header names are those of notifications that DANA's SDKs keep as test vectors.
"""

import json
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from django_dana.protocol import signing
from django_dana.protocol.notation import compact_json, jakarta_time
from django_dana.simulator.engine import keys
from django_dana.simulator.engine.faults import NOTIFY, ON_ATTEMPTS, Fault, Faults
from django_dana.simulator.engine.notifications import DeliveryAttempt, Notification
from django_dana.simulator.engine.shared import Shared

_LONGEST_ANSWER: Final = 64_000


class Courier:
    """Signs and posts notifications."""

    def __init__(self, shared: Shared, faults: Faults, private_key: RSAPrivateKey) -> None:
        self._shared = shared
        self._faults = faults
        self._private_key = private_key

    def deliver(self, item: Notification) -> DeliveryAttempt:
        """Send a notification once, with a timestamp and a signature of this moment."""
        drawn = {fault.kind: fault for fault in self._faults.draw(NOTIFY, item.reference, ON_ATTEMPTS)}
        skew = drawn["clock_skew"].seconds if "clock_skew" in drawn else 0.0
        timestamp = jakarta_time(self._shared.clock.now() + timedelta(seconds=skew))
        content = _tampered(item.content, drawn["tamper"]) if "tamper" in drawn else item.content
        body = compact_json(content).encode()
        number = self._shared.number("notify", str(item.number), str(len(item.attempts)), digits=32)
        attempt = DeliveryAttempt(self._shared.clock.now().timestamp(), timestamp, number)
        attempt.faults = [fault.spec for fault in drawn.values()]
        key = keys.stranger() if "bad_signature" in drawn else self._private_key
        begun = monotonic()
        try:
            # the path as it is called, which is not always the letters of the order's url
            call = requests.Request("POST", item.url, data=body).prepare()
            path = urlsplit(str(call.url)).path or "/"
            signature = signing.sign(key, method="POST", path=path, body=body, timestamp=timestamp)
            call.headers.update(self._headers(item, attempt, signature))
            self._post(call, attempt)
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors, but not those of an unusable URL
            attempt.error = type(error).__name__
        attempt.duration = monotonic() - begun
        return attempt

    def _headers(self, item: Notification, attempt: DeliveryAttempt, signature: str) -> dict[str, str]:
        behaviour = self._shared.behaviour
        headers = {
            "Channel-Id": "DANA",
            "X-External-Id": attempt.external_id,
            "X-Partner-Id": item.partner_id,
            "X-Signature": signature,
            "X-Timestamp": attempt.timestamp,
        }
        if behaviour.omit_external_id:
            del headers["X-External-Id"]
        if behaviour.header_names == "documented":
            headers = {name.upper(): value for name, value in headers.items()} | {"ORIGIN": self._shared.base_url}
        common = {
            "Content-Type": "application/json",
            "Charset": "UTF-8",
            "User-Agent": "Jakarta Commons-HttpClient/3.1",
        }
        return common | headers

    def _post(self, call: requests.PreparedRequest, attempt: DeliveryAttempt) -> None:
        seconds = self._shared.behaviour.notify_timeout
        with requests.Session() as session:
            session.trust_env = False
            with session.send(call, timeout=seconds, allow_redirects=False, stream=True) as response:
                attempt.http_status = response.status_code
                text = _read(response, monotonic() + seconds)
                attempt.response_body = text.decode("utf-8", "replace")
                attempt.response_code = _code(text)
                attempt.hints = _hints(response)


def _code(text: bytes) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(value.get("responseCode", "")) if isinstance(value, dict) else ""


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body, or the beginning of a long one. Raises TimeoutError where it drips in past the deadline."""
    content = bytearray()
    for byte in response.iter_content(1):
        content += byte
        if monotonic() > deadline:
            raise TimeoutError
        if len(content) == _LONGEST_ANSWER:
            break
    return bytes(content)


def _hints(response: requests.Response) -> list[str]:
    hints = []
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        hints.append("the answer's Content-Type is not application/json")
    if len(response.headers.get("X-TIMESTAMP", "")) != len("2026-03-02T10:20:30+07:00"):
        hints.append("the answer has no X-TIMESTAMP of 25 characters")
    return hints


def _tampered(body: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Return a copy of ``body`` with another value in one field."""
    copy: dict[str, Any] = json.loads(compact_json(body))
    *parents, last = fault.field.split(".")
    place = copy
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = fault.value
    return copy
