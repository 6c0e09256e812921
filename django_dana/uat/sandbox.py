"""One sandbox account's calls in the acceptance test: ordinary ones, and those that are wrong on purpose."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self
from uuid import uuid4

from django_dana import conf, timing
from django_dana.client import Client, Credentials
from django_dana.client.transport import Transport
from django_dana.conf import Account
from django_dana.exceptions import DanaError
from django_dana.gateway import credentials_of
from django_dana.protocol import notation
from django_dana.protocol.messages import CancelOrder, CreateOrder, QueryPayment, RefundOrder
from django_dana.protocol.operations import CANCEL_ORDER, CREATE_ORDER, QUERY_PAYMENT, REFUND_ORDER, Operation
from django_dana.uat.scenarios import Scenario, Step, Tamper

#: Where testers pay a virtual account of the sandbox, without credentials (DANA's acceptance suite, sandbox_tools).
_DASHBOARD: Final = "https://dashboard-sandbox.dana.id"
_TOOLS_PATH: Final = "/merchant-portal-app/api/sandbox-tools/execute"
_PAY_VIRTUAL_ACCOUNT: Final = "/v1.0/transfer-va/payment.htm"

#: The bank that DANA's acceptance suite pays with.
_VIRTUAL_ACCOUNT: Final = {"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_CIMB"}
_AMOUNT: Final = Decimal("15000.00")
#: The sandbox takes no order that is open for longer than 30 minutes.
_LIFETIME: Final = timedelta(minutes=10)
_TEXT: Final = "Acceptance test"


class StepFailed(Exception):
    """What has to happen before a scenario did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came back; ``error`` where that was nothing, or nothing that is a JSON object."""

    at: datetime
    request_body: str
    http_status: int | None = None
    response_body: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def code(self) -> str:
        """The responseCode, or an empty string."""
        return str(self.content.get("responseCode", ""))

    @property
    def status(self) -> str:
        """The latestTransactionStatus, or an empty string."""
        return str(self.content.get("latestTransactionStatus", ""))

    @property
    def message(self) -> str:
        """The responseMessage with DANA's reason, if it gave one."""
        additional_info = self.content.get("additionalInfo")
        reason = additional_info.get("debugMessage") if isinstance(additional_info, dict) else None
        return ": ".join(str(text) for text in (self.content.get("responseMessage"), reason) if text)

    @classmethod
    def make(cls, client: Client, path: str, body: str) -> Self:
        """Send a body and keep what comes back."""
        at = datetime.now(UTC)
        try:
            raw = client.post(path, body, external_id=uuid4().hex)
        except DanaError as error:
            return cls(at=at, request_body=body, error=str(error))
        kept = cls(at=at, request_body=body, http_status=raw.status, response_body=raw.body.decode("utf-8", "replace"))
        try:
            return replace(kept, content=notation.parse_json_object(raw.body))
        except ValueError as error:
            return replace(kept, error=f"no JSON object: {error}")


class Sandbox:
    """Speaks as one sandbox account. Raises InvalidKey where its private key can't be read."""

    def __init__(self, account: Account) -> None:
        self.account = account
        # DANA's reason for a refusal is what helps whoever reads the table
        self._credentials = replace(credentials_of(account), debug_mode=True)
        self._client = Client(self._credentials)

    def play(self, scenario: Scenario, reference: str) -> Exchange:
        """Make the call of a scenario. Raises StepFailed if what has to happen before did not."""
        for step in scenario.before:
            self._take(step, reference)
        body = _changed(self._body(scenario.operation, reference), scenario.changes)
        client = _TamperingClient(self._credentials, scenario.tamper) if scenario.tamper else self._client
        return self._send(scenario.operation.path, body, scenario.expects, scenario.status, client)

    def open_virtual_account(self, reference: str, amount: Decimal, lifetime: timedelta) -> Exchange:
        """Create an order that is paid into a virtual account. Raises StepFailed."""
        detail = {**_VIRTUAL_ACCOUNT, "transAmount": notation.money(amount, "IDR")}
        return self._expect(CREATE_ORDER, self._create_body(reference, amount, lifetime, [detail]))

    def pay(self, created: Exchange) -> None:
        """Pay into a virtual account, as the merchant portal lets testers do. Raises StepFailed."""
        additional_info = created.content.get("additionalInfo")
        number = additional_info.get("paymentCode") if isinstance(additional_info, dict) else None
        order = {"urlEndpoint": _PAY_VIRTUAL_ACCOUNT, "requestBody": {"virtualAccountNo": number}}
        is_dana = self.account.base_url == conf.BASE_URLS[conf.SANDBOX]
        url = (_DASHBOARD if is_dana else self.account.base_url) + _TOOLS_PATH
        transport = Transport(proxy=self.account.proxy)
        try:
            reply = transport.post(
                url,
                notation.compact_json(order).encode("ascii"),
                {"Content-Type": "application/json"},
                timeout=self.account.timeout,
            )
        except DanaError as error:
            raise StepFailed(f"The virtual account could not be paid: {error}.") from None
        if reply.status != 200:
            raise StepFailed(f"The virtual account could not be paid: HTTP {reply.status}.")

    def _take(self, step: Step, reference: str) -> None:
        match step:
            case Step.CREATE:
                self._expect(CREATE_ORDER, self._create_body(reference, _AMOUNT, _LIFETIME))
            case Step.PAY:
                self.pay(self.open_virtual_account(reference, _AMOUNT, _LIFETIME))
            case Step.CANCEL:
                self._expect(CANCEL_ORDER, self._cancel_body(reference))
            case Step.REFUND:
                self._expect(REFUND_ORDER, self._refund_body(reference))

    def _expect(self, operation: Operation, body: str) -> Exchange:
        code, path = operation.codes.success.code, operation.path
        exchange = self._send(path, body, code, "", self._client)
        if exchange.code != code:
            answer = exchange.code or exchange.error
            raise StepFailed(f"Beforehand, {path} was answered {answer} instead of {code}.")
        return exchange

    def _send(self, path: str, body: str, code: str, status: str, client: Client) -> Exchange:
        """Send the same body until the answer is as expected, at most MAX_ATTEMPTS times: the sandbox is flaky."""
        exchange = Exchange.make(client, path, body)
        for attempts in range(1, self.account.max_attempts):
            if exchange.code == code and (not status or exchange.status == status):
                break
            time.sleep(timing.attempt_delay(self.account, attempts).total_seconds())
            exchange = Exchange.make(client, path, body)
        return exchange

    # -- bodies -----------------------------------------------------------------------------------------------------

    def _body(self, operation: Operation, reference: str) -> str:
        return {
            CREATE_ORDER.key: lambda: self._create_body(reference, _AMOUNT, _LIFETIME),
            QUERY_PAYMENT.key: lambda: QueryPayment(original_partner_reference_no=reference, **self._who).body(),
            CANCEL_ORDER.key: lambda: self._cancel_body(reference),
            REFUND_ORDER.key: lambda: self._refund_body(reference),
        }[operation.key]()

    def _cancel_body(self, reference: str) -> str:
        return CancelOrder(
            original_partner_reference_no=reference, amount=_AMOUNT, currency="IDR", reason=_TEXT, **self._who
        ).body()

    def _create_body(
        self, reference: str, amount: Decimal, lifetime: timedelta, details: Sequence[Mapping[str, Any]] = ()
    ) -> str:
        account = self.account
        return CreateOrder(
            partner_reference_no=reference,
            amount=amount,
            currency="IDR",
            title=_TEXT,
            valid_up_to=datetime.now(UTC) + lifetime,
            return_url=account.return_url or account.site,
            notification_url=account.notification_url,
            mcc=account.mcc,
            terminal_type=account.terminal_type,
            pay_option_details=details,
            **self._who,
        ).body()

    def _refund_body(self, reference: str) -> str:
        return RefundOrder(
            original_partner_reference_no=reference,
            partner_refund_no=reference,
            amount=_AMOUNT,
            currency="IDR",
            reason=_TEXT,
            **self._who,
        ).body()

    @property
    def _who(self) -> dict[str, Any]:
        account = self.account
        return {
            "merchant_id": account.merchant_id,
            "sub_merchant_id": account.sub_merchant_id,
            "external_store_id": account.external_store_id,
        }


class _TamperingClient(Client):
    """A client whose headers are changed after signing."""

    def __init__(self, credentials: Credentials, tamper: Tamper) -> None:
        super().__init__(credentials)
        self._tamper = tamper

    def headers(self, path: str, body: bytes, external_id: str, timestamp: str) -> dict[str, str]:
        return self._tamper(super().headers(path, body, external_id, timestamp))


def _changed(body: str, changes: Mapping[str, Any]) -> str:
    return notation.compact_json({**json.loads(body), **changes})
