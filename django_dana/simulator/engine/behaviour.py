"""What DANA's pages leave open, one switch each. The defaults are the readings that look most likely."""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How this DANA behaves where the real one's behaviour is not documented, or differs by account.

    Attributes:
        repeated_cancel: responseCode for the repetition of a successful cancel: 2005700 or 4045700.
        notify_on_cancel: whether a merchant's cancel is notified (with status 05).
        notify_on_refund: whether a refund is notified (with the order's status).
        store_id_name: ``externalStoreId`` as documented, or ``externalStoreID`` as in a captured QRIS payment.
        time_form: times in notifications: ``iso`` as documented, or ``epoch`` as in a captured LinkAja payment.
        header_names: ``captured`` (X-Partner-Id), as in real notifications, or ``documented`` (X-PARTNER-ID, ORIGIN).
        omit_external_id: leave X-External-Id out of notifications, as in one capture.
        omit_finished_time: leave finishedTime, which DANA's page requires, out of status 05, as in one fixture.
        notify_delays: seconds before the first, second, ... attempt to deliver a notification; then it is given up.
            DANA retries for seven days, at unknown intervals.
        notify_timeout: seconds to wait for the shop's answer to a notification.
        order_lifetime: longest validUpTo ahead of now, or None for no limit; DANA's SDKs enforce 30 minutes.
        highest_amount: the sandbox's ceiling, or None for no limit.
        cancel_window: how long after payment an order may be cancelled; later cancels answer 4035700.
        refund_window: how long after payment it may be refunded, or None for no limit; later refunds answer 4035815.
        excess_refund: responseCode for a refund of more than is left: 4035802 or 4045813.
        clock_tolerance: how far X-TIMESTAMP may be off, or None where it does not matter.
        consult_success: responseCode of a successful Consult Pay: DANA's own test suite expects that of cancel.
        refunded_status: latestTransactionStatus of an order that was refunded in full.
    """

    repeated_cancel: str = "2005700"
    notify_on_cancel: bool = False
    notify_on_refund: bool = False
    store_id_name: str = "externalStoreId"
    time_form: str = "iso"
    header_names: str = "captured"
    omit_external_id: bool = False
    omit_finished_time: bool = False
    notify_delays: tuple[float, ...] = (0, 5, 15, 60, 300, 900, 3600)
    notify_timeout: float = 8.0
    order_lifetime: timedelta | None = timedelta(minutes=30)
    highest_amount: Decimal | None = Decimal("10000000.00")
    cancel_window: timedelta = timedelta(hours=24)
    refund_window: timedelta | None = None
    excess_refund: str = "4035802"
    clock_tolerance: timedelta | None = None
    consult_success: str = "2005700"
    refunded_status: str = "00"

    def changed(self, changes: dict[str, Any]) -> "Behaviour":
        """Return this behaviour with ``changes`` as they come from JSON (spans in seconds, amounts as text).

        Raises:
            ValueError: an unknown name, or a value of the wrong kind.
        """
        known = {field.name for field in fields(self)}
        for name in changes:
            if name not in known:
                raise ValueError(f"Unknown behaviour {name!r}; known are: {', '.join(sorted(known))}.")
        return replace(self, **{name: _from_json(name, value) for name, value in changes.items()})

    def as_json(self) -> dict[str, Any]:
        """Return all values in the form that :meth:`changed` takes."""
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}


_CHOICES = {
    "repeated_cancel": ("2005700", "4045700"),
    "store_id_name": ("externalStoreId", "externalStoreID"),
    "time_form": ("iso", "epoch"),
    "header_names": ("captured", "documented"),
    "excess_refund": ("4035802", "4045813"),
    "consult_success": ("2005700", "2000000"),
    "refunded_status": ("00", "05", "07"),
}
_SPANS = ("order_lifetime", "cancel_window", "refund_window", "clock_tolerance")
_MAY_BE_NONE = ("order_lifetime", "refund_window", "clock_tolerance", "highest_amount")
_FLAGS = ("notify_on_cancel", "notify_on_refund", "omit_external_id", "omit_finished_time")


def _from_json(name: str, value: Any) -> Any:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} is one of: {', '.join(_CHOICES[name])}.")
    if value is None and name in _MAY_BE_NONE:
        return None
    try:
        if name in _FLAGS:
            return _flag(value)
        if name == "notify_delays":
            return tuple(_seconds(item) for item in _list(value))
        if name == "notify_timeout":
            return _seconds(value)
        if name in _SPANS:
            return timedelta(seconds=_seconds(value))
        if name == "highest_amount":
            return _amount(value)
    except (TypeError, ValueError, ArithmeticError):
        raise ValueError(f"{name} can't be {value!r}.") from None
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    # a hundred years are within what clocks, timers and calendars can add up
    if not 0 <= float(value) <= 3_200_000_000:
        raise ValueError
    return float(value)


def _amount(value: Any) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError
    return amount


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
