"""A shop that shares no code with the package: it builds and signs its requests with ``cryptography`` alone."""

import hashlib
import json
import os
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests import keys

JAKARTA = timezone(timedelta(hours=7))

PATHS = {
    "create": "/payment-gateway/v1.0/debit/payment-host-to-host.htm",
    "query": "/payment-gateway/v1.0/debit/status.htm",
    "cancel": "/payment-gateway/v1.0/debit/cancel.htm",
    "refund": "/payment-gateway/v1.0/debit/refund.htm",
    "consult": "/v1.0/payment-gateway/consult-pay.htm",
}
TOOLS = "/merchant-portal-app/api/sandbox-tools/execute"


def until(holds: Callable[[], Any]) -> None:
    """Wait for what another thread does, for long enough on any machine."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


ABSENT = object()
"""As the value of a field or header: leave it away."""


def jakarta(moment: datetime) -> str:
    return moment.astimezone(JAKARTA).isoformat(timespec="seconds")


def now(seconds: float = 0) -> str:
    return jakarta(datetime.now(JAKARTA) + timedelta(seconds=seconds))


def rupiah(value: str) -> dict[str, str]:
    return {"value": value, "currency": "IDR"}


@dataclass
class Shop:
    """One account, and the DANA it speaks to."""

    base_url: str
    merchant_id: str = "M-TEST"
    partner_id: str = "P-TEST"
    private_key: str = keys.SHOP_PRIVATE_KEY
    tools_url: str = ""
    return_url: str = "https://shop.example/dana/return?cart=1"
    notification_url: str = "https://shop.example/dana/v1.0/debit/notify"
    session: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the real sandbox account that the environment names, or None."""
        url = os.environ.get("DANA_SANDBOX_URL", "")
        if not url:
            return None
        return cls(
            base_url=url.rstrip("/"),
            merchant_id=os.environ["DANA_SANDBOX_MERCHANT_ID"],
            partner_id=os.environ["DANA_SANDBOX_PARTNER_ID"],
            private_key=Path(os.environ["DANA_SANDBOX_PRIVATE_KEY_PATH"]).read_text(),
            tools_url=os.environ.get("DANA_SANDBOX_TOOLS_URL", "https://dashboard-sandbox.dana.id"),
        )

    def sign(self, path: str, body: bytes, timestamp: str) -> str:
        text = f"POST:{path}:{hashlib.sha256(body).hexdigest()}:{timestamp}".encode()
        return b64encode(_load(self.private_key).sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()

    def headers(self, path: str, body: bytes, timestamp: str | None = None) -> dict[str, str]:
        timestamp = timestamp or now()
        return {
            "Content-Type": "application/json",
            "X-TIMESTAMP": timestamp,
            "X-SIGNATURE": self.sign(path, body, timestamp),
            "X-PARTNER-ID": self.partner_id,
            "X-EXTERNAL-ID": uuid4().hex,
            "CHANNEL-ID": "95221",
            "X-Debug-Mode": "1",
        }

    def call(
        self,
        operation: str,
        body: dict[str, Any] | bytes,
        headers: dict[str, Any] | None = None,
        timeout: float = 10,
    ) -> "Answer":
        """Send one signed request; ``headers`` replace or (ABSENT) remove what is sent by default."""
        content = body if isinstance(body, bytes) else minified(body)
        path = PATHS[operation]
        changes = dict(headers or {})
        sent = {**self.headers(path, content, changes.get("X-TIMESTAMP") or None), **changes}
        sent = {name: value for name, value in sent.items() if value is not ABSENT}
        reply = self.session.post(self.base_url + path, data=content, headers=sent, timeout=timeout)
        return Answer(reply.status_code, reply.headers, reply.content)

    def order(self, reference: str, amount: str = "15000.00", **changes: Any) -> dict[str, Any]:
        """Return the body of a hosted order."""
        return {**self.create_body(reference, amount), **changes}

    def api_order(
        self,
        reference: str,
        pay_method: str = "VIRTUAL_ACCOUNT",
        pay_option: str = "VIRTUAL_ACCOUNT_CIMB",
        amount: str = "15000.00",
        **detail: Any,
    ) -> dict[str, Any]:
        """Return the body of an order in API form."""
        option = {"payMethod": pay_method, "payOption": pay_option, "transAmount": rupiah(amount), **detail}
        return self.create_body(reference, amount, option)

    def create_body(self, reference: str, amount: str, *options: dict[str, Any]) -> dict[str, Any]:
        body = {
            "partnerReferenceNo": reference,
            "merchantId": self.merchant_id,
            "amount": rupiah(amount),
            "validUpTo": now(600),
            "urlParams": [
                {"url": self.return_url, "type": "PAY_RETURN", "isDeeplink": "Y"},
                {"url": self.notification_url, "type": "NOTIFICATION", "isDeeplink": "Y"},
            ],
            "additionalInfo": {
                "mcc": "5732",
                "envInfo": {"sourcePlatform": "IPG", "terminalType": "SYSTEM"},
                "order": {"orderTitle": "Kopi Gayo", "scenario": "API" if options else "REDIRECT"},
            },
        }
        return {**body, "payOptionDetails": list(options)} if options else body

    def query(self, reference: str, **changes: Any) -> dict[str, Any]:
        body = {"originalPartnerReferenceNo": reference, "serviceCode": "54", "merchantId": self.merchant_id}
        return {**body, **changes}

    def cancel(self, reference: str, **changes: Any) -> dict[str, Any]:
        return {"originalPartnerReferenceNo": reference, "merchantId": self.merchant_id, **changes}

    def refund(self, reference: str, amount: str = "15000.00", **changes: Any) -> dict[str, Any]:
        body = {
            "merchantId": self.merchant_id,
            "originalPartnerReferenceNo": reference,
            "partnerRefundNo": f"R-{reference}",
            "refundAmount": rupiah(amount),
        }
        return {**body, **changes}

    def consult(self, **changes: Any) -> dict[str, Any]:
        body = {
            "merchantId": self.merchant_id,
            "amount": rupiah("15000.00"),
            "additionalInfo": {"envInfo": {"sourcePlatform": "IPG", "terminalType": "SYSTEM"}},
        }
        return {**body, **changes}

    def create(self, reference: str, **changes: Any) -> dict[str, Any]:
        """Create a hosted order and return DANA's answer."""
        return answered(self.call("create", self.order(reference, **changes)), "2005400")

    def pay_virtual_account(self, number: str) -> dict[str, Any]:
        """Pay as the merchant portal's tool does."""
        body = {"urlEndpoint": "/v1.0/transfer-va/payment.htm", "requestBody": {"virtualAccountNo": number}}
        reply = self.session.post((self.tools_url or self.base_url) + TOOLS, json=body, timeout=10)
        answer: dict[str, Any] = reply.json()["responseBody"]
        return answer


_KEYS: dict[str, rsa.RSAPrivateKey] = {}


def _load(text: str) -> rsa.RSAPrivateKey:
    if text not in _KEYS:
        der = b64decode("".join(line for line in text.splitlines() if "-----" not in line))
        key = serialization.load_der_private_key(der, password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        _KEYS[text] = key
    return _KEYS[text]


def minified(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Answer:
    """What came back, whoever sent."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


def answered(reply: Answer, code: str) -> dict[str, Any]:
    """Check the code, that it travels on its HTTP status with DANA's headers, and return the body."""
    body: dict[str, Any] = reply.json()
    assert body["responseCode"] == code, body
    assert reply.status_code == int(code[:3])
    assert reply.headers["Content-Type"].startswith("application/json")
    assert datetime.fromisoformat(reply.headers["X-TIMESTAMP"]).utcoffset() == timedelta(hours=7)
    return body


@dataclass
class ReceivedNotification:
    """One notification as it reached the shop."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    def is_signed_by(self, public_key: str) -> bool:
        key = serialization.load_der_public_key(b64decode(public_key))
        assert isinstance(key, rsa.RSAPublicKey)
        digest = hashlib.sha256(self.body).hexdigest()
        text = f"POST:{self.path}:{digest}:{self.headers['X-Timestamp']}".encode()
        try:
            key.verify(b64decode(self.headers["X-Signature"]), text, padding.PKCS1v15(), hashes.SHA256())
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it does not fit
            return False
        return True


class Listener:
    """The shop's notification address, which answers what it is told."""

    def __init__(self) -> None:
        self.heard: list[ReceivedNotification] = []
        self.answers: list[str | Callable[[], str]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append(ReceivedNotification(self.path, dict(self.headers.items()), body))
                code = listener.answers.pop(0) if listener.answers else "2005600"
                text = code() if callable(code) else code
                content = json.dumps({"responseCode": text, "responseMessage": "said the shop"}).encode()
                self.send_response(int(text[:3]))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
