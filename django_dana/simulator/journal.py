"""What came in: one record for every call of an operation, with DANA's verdict and what became of the answer."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from django_dana.simulator.clock import Clock
from django_dana.simulator.http import Request
from django_dana.simulator.operations import Operation


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        operation: create, query, cancel, refund or consult.
        reference: the order that the body names, as far as it can be read.
        key: the value whose repetition must carry the same content (partnerRefundNo for a refund).
        signature: ``valid``, ``not checked`` or why it is refused.
        acted: whether the operation was carried out, or refused, by DANA's rules (not cut off by a fault).
        faults: the faults that befell it.
        started_at, ended_at: seconds since the epoch: when it had come, and when its last byte was about to leave;
            an end of None means that it is still going on.
        abandoned_at: when its sender hung up before that, as a client does that waits no longer.
        hints: what DANA lets pass, but a shop should know.
    """

    number: int
    operation: str
    reference: str
    key: str
    merchant_id: str
    external_id: str
    headers: list[tuple[str, str]]
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


class Journal:
    """All calls, in the order in which they came."""

    def __init__(self, lock: threading.RLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._calls: list[Call] = []
        self._external_ids: set[tuple[str, str, str]] = set()

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
            self._external_ids.clear()

    def open(self, operation: Operation, request: Request) -> Call:
        """Write down that a call has come."""
        body = _read_freely(request.body)
        with self._lock:
            call = Call(
                number=len(self._calls) + 1,
                operation=operation.name,
                reference=_text(body, operation.reference),
                key=_text(body, operation.key),
                merchant_id=_text(body, "merchantId"),
                external_id=request.header("X-EXTERNAL-ID"),
                headers=request.headers,
                body=request.body.decode("utf-8", "replace"),
                started_at=self._clock.now().timestamp(),
            )
            self._hint(call, request)
            self._calls.append(call)
        return call

    def _hint(self, call: Call, request: Request) -> None:
        today = (request.header("X-PARTNER-ID"), call.external_id, f"{self._clock.now():%Y%m%d}")
        if call.external_id and today in self._external_ids:
            call.hints.append("X-EXTERNAL-ID was used before today; DANA's page wants it unique within a day")
        self._external_ids.add(today)
        if len(request.header("CHANNEL-ID")) > 5:
            call.hints.append("CHANNEL-ID has more than the 5 characters of DANA's page")

    def close(self, call: Call) -> None:
        """Write down that the last byte of the answer leaves, or that none ever will; only the first time counts."""
        with self._lock:
            if call.ended_at is None:
                call.ended_at = self._clock.now().timestamp()

    def abandon(self, call: Call) -> None:
        """Write down that its sender has hung up."""
        with self._lock:
            call.abandoned_at = self._clock.now().timestamp()


def _read_freely(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body that may be anything, just to name the call."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    # half a surrogate pair, which JSON can write down, would break every page that shows it
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
