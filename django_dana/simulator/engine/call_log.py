"""The call log: one record for every call of an operation, with DANA's verdict and answer."""

import json
from dataclasses import dataclass, field
from typing import Any

from django_dana.simulator.engine.answers import Answer
from django_dana.simulator.engine.incoming import Headers, IncomingRequest
from django_dana.simulator.engine.operations import Endpoint
from django_dana.simulator.engine.shared import Shared


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        operation: create, query, cancel, refund or consult.
        reference: the order that the body names, as far as it can be read.
        key: the value whose repetition must carry the same content (partnerRefundNo for a refund).
        signature: ``valid``, ``not checked`` or why it is refused.
        acted: whether the operation was carried out, or refused, by DANA's rules rather than by a fault.
        faults: the faults that struck it.
        started_at, ended_at: seconds since the epoch: when it had arrived, and when its last byte was about to leave;
            ``ended_at`` is None while it goes on.
        abandoned_at: when its sender hung up before that, as a client does that waits no longer.
        hints: what DANA lets pass, but a shop should know.
    """

    number: int
    operation: str
    reference: str
    key: str
    merchant_id: str
    external_id: str
    headers: Headers
    body: str
    started_at: float
    ended_at: float | None = None
    abandoned_at: float | None = None
    signature: str = "not checked"
    acted: bool = False
    http_status: int | None = None
    response_code: str = ""
    response_message: str = ""
    response_body: str = ""
    why: str = ""
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def record(self, answer: Answer) -> None:
        """Note DANA's answer, also where it never reaches the shop."""
        self.response_code, self.response_message, self.why = answer.code, answer.message, answer.why


class CallLog:
    """All calls, in the order in which they came."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._calls: list[Call] = []
        self._external_ids: set[tuple[str, str, str]] = set()

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        with self._shared.lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget all calls."""
        with self._shared.lock:
            self._calls.clear()
            self._external_ids.clear()

    def open(self, endpoint: Endpoint, request: IncomingRequest) -> Call:
        """Add the record of a call that has just arrived."""
        body = _parse_leniently(request.body)
        with self._shared.lock:
            call = Call(
                number=len(self._calls) + 1,
                operation=endpoint.name,
                reference=_text(body, endpoint.reference),
                key=_text(body, endpoint.key),
                merchant_id=_text(body, "merchantId"),
                external_id=request.header("X-EXTERNAL-ID"),
                headers=request.headers,
                body=request.body.decode("utf-8", "replace"),
                started_at=self._shared.clock.now().timestamp(),
            )
            self._hint(call, request)
            self._calls.append(call)
        return call

    def _hint(self, call: Call, request: IncomingRequest) -> None:
        today = (request.header("X-PARTNER-ID"), call.external_id, f"{self._shared.clock.now():%Y%m%d}")
        if call.external_id and today in self._external_ids:
            call.hints.append("X-EXTERNAL-ID was used before today; DANA's page wants it unique within a day")
        self._external_ids.add(today)
        if len(request.header("CHANNEL-ID")) > 5:
            call.hints.append("CHANNEL-ID has more than the 5 characters of DANA's page")

    def close(self, call: Call) -> None:
        """Note that the last byte of the reply leaves, or that none ever will; only the first time counts."""
        with self._shared.lock:
            if call.ended_at is None:
                call.ended_at = self._shared.clock.now().timestamp()

    def abandon(self, call: Call) -> None:
        """Note that its sender has hung up."""
        with self._shared.lock:
            call.abandoned_at = self._shared.clock.now().timestamp()


def _parse_leniently(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body that may be anything, just to label the call."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    # half a surrogate pair, which JSON can write down, would break every page that shows it
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
