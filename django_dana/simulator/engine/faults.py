"""Faults on demand.

A fault is written as ``operation:kind[:probability][:name=value]...``, for example ``create:drop_reply:0.2`` or
``cancel:in_progress:times=2:ref=INV-*``. ``operation`` is create, query, cancel, refund, consult, notify, or ``*`` for
all calls of a shop. Chance depends on the seed, the fault, the reference and the number of the call for it, not on
the order in which threads arrive; so a run can be repeated.
"""

import hashlib
import math
from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from django_dana.simulator.engine.shared import Shared

CALLS: Final = ("create", "query", "cancel", "refund", "consult")
NOTIFY: Final = "notify"


class Kind(NamedTuple):
    """One kind of fault: its default ``seconds``, and whether it strikes ``before`` or ``after`` DANA acts."""

    seconds: float = 0.0
    when: str = "before"


ON_THE_WIRE: Final = {
    "drop_reply": Kind(when="after"),
    "reset": Kind(when="after"),
    "cut": Kind(when="after"),
    "drip": Kind(0.05, "after"),
}
ANSWERS: Final = {
    "code": Kind(),
    "in_progress": Kind(),
    "too_many": Kind(1.0),
    "limit": Kind(1.0),
    "http": Kind(),
    "garbage": Kind(when="after"),
    "empty": Kind(when="after"),
    "no_code": Kind(when="after"),
}
TIMES: Final = {
    "delay": Kind(1.0, "after"),
    "clock_skew": Kind(600.0, "after"),
    "act_late": Kind(60.0, "after"),
}
ON_QUERIES: Final = {
    "lag": Kind(60.0, "after"),
}
# drawn when a notification is queued
ON_NOTIFICATIONS: Final = {
    "lost": Kind(),
    "late": Kind(5.0),
    "duplicate": Kind(),
    "reorder": Kind(2.0),
}
# drawn for every attempt to deliver a notification
ON_ATTEMPTS: Final = {
    "bad_signature": Kind(),
    "tamper": Kind(),
    "clock_skew": TIMES["clock_skew"],
}
CALL_KINDS: Final = {**TIMES, **ANSWERS, **ON_THE_WIRE}
QUERY_KINDS: Final = {**CALL_KINDS, **ON_QUERIES}
NOTIFY_KINDS: Final = {**ON_NOTIFICATIONS, **ON_ATTEMPTS}

_ONLY_AFTER: Final = ("cut", "drip", "act_late", "lag")

_A_YEAR: Final = 366 * 24 * 3600
_RANGES: Final = (
    ("probability", 0, 1),
    ("times", 0, 10**9),
    ("total", 0, 10**9),
    ("skip", 0, 10**9),
    # a clock may go ahead or behind
    ("seconds", -_A_YEAR, _A_YEAR),
    # an answer below 200 is none that a client would take as the last
    ("status", 200, 599),
    ("calls", 1, 10**9),
    ("copies", 1, 100),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        operation: see the module.
        kind: a key of CALL_KINDS, QUERY_KINDS or NOTIFY_KINDS.
        probability: from 0 to 1, for each call.
        ref: the references of the orders it applies to; ``*`` and ``?`` are wildcards.
        times: how often for each reference, 0 for always.
        total: how often in all, 0 for always.
        skip: how many calls for each reference go well first.
        when: ``before`` DANA acts (it then does not act, unless the fault is a delay) or ``after``.
        seconds, code, status, calls, copies, field, value: used by some kinds.
        number: assigned by :class:`Faults`.
    """

    operation: str
    kind: str
    probability: float = 1.0
    ref: str = "*"
    times: int = 0
    total: int = 0
    skip: int = 0
    when: str = ""
    seconds: float = math.nan
    code: str = "5005401"
    status: int = 502
    calls: int = 5
    copies: int = 2
    field: str = "amount.value"
    value: str = "1.00"
    number: int = 0

    def __post_init__(self) -> None:
        kinds = {NOTIFY: NOTIFY_KINDS, "query": QUERY_KINDS}.get(self.operation, CALL_KINDS)
        if self.operation not in (*CALLS, NOTIFY, "*"):
            raise ValueError(f"Unknown operation {self.operation!r}; known are: {', '.join((*CALLS, NOTIFY, '*'))}.")
        if self.kind not in kinds:
            raise ValueError(f"Unknown fault {self.kind!r} of {self.operation}; known are: {', '.join(kinds)}.")
        if self.when not in ("", "before", "after"):
            raise ValueError("A fault strikes when=before or when=after DANA acts.")
        if self.kind == "code" and not (len(self.code) == 7 and self.code.isascii() and self.code.isdigit()):
            raise ValueError("A responseCode has seven digits.")
        if self.kind in _ONLY_AFTER and self.when == "before":
            raise ValueError(f"{self.kind} can't strike before DANA acts.")
        kind = kinds[self.kind]
        object.__setattr__(self, "when", self.when or kind.when)
        object.__setattr__(self, "seconds", kind.seconds if math.isnan(self.seconds) else self.seconds)
        for name, lowest, highest in _RANGES:
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} lies between {lowest} and {highest}.")
        if self.seconds < 0 and self.kind != "clock_skew":
            raise ValueError(f"{self.kind} can't have negative seconds.")

    @property
    def spec(self) -> str:
        """The fault in writing, with every value that differs from its default."""
        parts = [self.operation, self.kind]
        default = Fault(self.operation, self.kind)
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in ("operation", "kind", "number") and value != getattr(default, item.name):
                parts.append(f"{item.name}={value}")
        return ":".join(parts)


def parse(spec: str) -> Fault:
    """Return the fault that ``spec`` describes. Raises ValueError with a sentence for people."""
    operation, _, rest = spec.partition(":")
    kind, *parts = rest.split(":")
    values: dict[str, Any] = {}
    for part in parts:
        name, has_value, value = part.partition("=")
        if not has_value:
            name, value = "probability", part
        values[name] = value
    return make(operation, kind, values)


def make(operation: str, kind: str, values: dict[str, Any]) -> Fault:
    """Return a fault from values that may be strings. Raises ValueError with a sentence for people."""
    types = {item.name: item.type for item in fields(Fault) if item.name not in ("operation", "kind", "number")}
    converted = {}
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"A fault has no {name!r}; it has: {', '.join(types)}.")
        try:
            converted[name] = {"float": float, "int": int}.get(_name(types[name]), str)(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} can't be {value!r}.") from None
        if isinstance(converted[name], float) and not math.isfinite(converted[name]):
            raise ValueError(f"{name} can't be {value!r}.")
    return Fault(operation, kind, **converted)


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.__name__)


class Faults:
    """The faults in force."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._faults: list[Fault] = []
        self._last_number = 0
        self._seen: dict[tuple[int, str], int] = defaultdict(int)
        self._struck: dict[tuple[int, str], int] = defaultdict(int)
        self._struck_in_all: dict[int, int] = defaultdict(int)
        self._recent: dict[int, deque[datetime]] = defaultdict(deque)

    @property
    def all(self) -> list[Fault]:
        """The faults in force, oldest first."""
        with self._shared.lock:
            return list(self._faults)

    def add(self, fault: Fault | str) -> Fault:
        """Put a fault in force and return it with its number. Raises ValueError where a text can't be parsed."""
        if isinstance(fault, str):
            fault = parse(fault)
        with self._shared.lock:
            self._last_number += 1
            numbered = replace(fault, number=self._last_number)
            self._faults.append(numbered)
        return numbered

    def remove(self, number: int) -> None:
        """Remove one fault. Raises LookupError."""
        with self._shared.lock:
            others = [fault for fault in self._faults if fault.number != number]
            if len(others) == len(self._faults):
                raise LookupError(f"There is no fault {number}.")
            self._faults = others

    def clear(self) -> None:
        """Remove all faults and their counts, so that the same faults strike the same calls again."""
        with self._shared.lock:
            self._last_number = 0
            for everything in (self._faults, self._seen, self._struck, self._struck_in_all, self._recent):
                everything.clear()

    def draw(self, operation: str, reference: str, kinds: Collection[str] = tuple(QUERY_KINDS)) -> list[Fault]:
        """Return the faults that strike this call or notification, oldest first."""
        with self._shared.lock:
            return [
                fault
                for fault in self._faults
                if fault.operation == operation or (fault.operation == "*" and operation != NOTIFY)
                if fault.kind in kinds and fnmatchcase(reference, fault.ref) and self._strikes(fault, reference)
            ]

    def _strikes(self, fault: Fault, reference: str) -> bool:
        key = (fault.number, reference)
        self._seen[key] += 1
        if fault.kind == "limit":
            return self._is_over_limit(fault)
        if self._seen[key] <= fault.skip:
            return False
        if fault.times and self._struck[key] >= fault.times:
            return False
        if fault.total and self._struck_in_all[fault.number] >= fault.total:
            return False
        if self._chance(fault, reference, self._seen[key]) >= fault.probability:
            return False
        self._struck[key] += 1
        self._struck_in_all[fault.number] += 1
        return True

    def _chance(self, fault: Fault, reference: str, count: int) -> float:
        text = "\x00".join(map(str, (self._shared.seed, fault.number, fault.operation, fault.kind, reference, count)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64

    def _is_over_limit(self, fault: Fault) -> bool:
        """Count a call against a limit, if it is let through."""
        now, recent = self._shared.clock.now(), self._recent[fault.number]
        while recent and recent[0] <= now - timedelta(seconds=fault.seconds):
            recent.popleft()
        if len(recent) == fault.calls:
            return True
        recent.append(now)
        return False
