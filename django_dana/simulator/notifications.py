"""Finish Notify: how DANA tells the shop what became of an order, again and again until it hears 2005600.

Header names and the shape of the body are those of notifications that DANA's SDKs keep as test vectors.
"""

import heapq
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests

from django_dana.protocol import signing
from django_dana.protocol.notation import compact_json, jakarta_time, money
from django_dana.simulator import faults, keys
from django_dana.simulator.habits import Habits
from django_dana.simulator.methods import Method
from django_dana.simulator.orders import STATUS, Order, State

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

HEARD: Final = "2005600"
_KEPT: Final = 64_000
_SENDERS: Final = 8


@dataclass(slots=True)
class Try:
    """One attempt to tell the shop.

    Attributes:
        error: why no whole HTTP reply came.
        hints: what DANA's page asks of an answer and this one lacks.
    """

    sent_at: float
    timestamp: str
    external_id: str
    duration: float = 0.0
    http_status: int | None = None
    response_code: str = ""
    response_body: str = ""
    error: str = ""
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Notification:
    """One message to a shop.

    Attributes:
        status: latestTransactionStatus.
        state: ``waiting``, ``sending``, ``heard`` (2005600 came), ``given up`` or ``lost``.
        due: when the next try begins, on time.monotonic's scale.
        held: it waits for another one to overtake it.
    """

    number: int
    merchant_id: str
    partner_id: str
    reference: str
    status: str
    url: str
    content: dict[str, Any]
    state: str = "waiting"
    due: float = 0.0
    held: bool = False
    tries: list[Try] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def content(order: Order, habits: Habits) -> dict[str, Any]:
    """Return the body of the notification of an order, as DANA would write it now."""
    status = STATUS[order.state]
    body: dict[str, Any] = {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "merchantId": order.merchant_id,
        "amount": money(order.amount, order.currency),
        "latestTransactionStatus": status,
        "transactionStatusDesc": str(order.state),
        "createdTime": _time(order.created_at, habits),
    }
    if order.content.get("subMerchantId"):
        body["subMerchantId"] = order.content["subMerchantId"]
    if order.content.get("externalStoreId"):
        body[habits.store_id_name] = order.content["externalStoreId"]
    finished_at = order.paid_at if order.state is State.SUCCESS else order.closed_at or order.cancelled_at
    if finished_at is not None and not (habits.omit_finished_time and status == "05"):
        body["finishedTime"] = _time(finished_at, habits)
    if order.state is State.SUCCESS and order.paid_at is not None and order.paid_with is not None:
        body["additionalInfo"] = _payment(order, order.paid_with, _time(order.paid_at, habits))
    else:
        body["additionalInfo"] = {"extendInfo": compact_json({"closedReason": _REASONS[order.state]})}
    return body


_REASONS: Final = {
    State.CLOSED: "ORDER_EXPIRED",
    State.CANCELLED: "MERCHANT_CANCEL",
    State.INIT: "",
    State.PAYING: "",
    State.SUCCESS: "",
}


def _time(moment: datetime, habits: Habits) -> str:
    if habits.time_form == "epoch":
        return str(int(moment.timestamp() * 1000))
    return jakarta_time(moment)


def _payment(order: Order, method: Method, paid_time: str) -> dict[str, Any]:
    amount = money(order.amount, order.currency)
    option = {
        "payMethod": method.pay_method,
        **({"payOption": method.pay_option} if method.pay_option else {}),
        "payAmount": amount,
        "transAmount": amount,
        "chargeAmount": {"value": "0.00", "currency": order.currency},
    }
    if order.payment_code and method.is_virtual_account:
        option["paymentCode"] = order.payment_code
    info: dict[str, Any] = {
        "cashierRequestId": order.reference_no[-32:],
        "payOptionInfos": [option],
        "extendInfo": "{}",
    }
    # captures have paidTime inside paymentInfo for the balance and QRIS, beside it for everything else
    if method.is_qris or not method.pay_option:
        info["paidTime"] = paid_time
        return {"paymentInfo": info, "extendInfo": "{}"}
    return {"paymentInfo": info, "paidTime": paid_time, "extendInfo": "{}"}


class Notifier:
    """Sends notifications from threads of its own, on the schedule of Habits.notify_delays."""

    def __init__(self, dana: "Simulator") -> None:
        self._dana = dana
        self._changed = threading.Condition(dana.lock)
        self._all: list[Notification] = []
        self._queue: list[tuple[float, int]] = []
        self._sending = 0
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def all(self) -> list[Notification]:
        """All notifications so far."""
        with self._changed:
            return list(self._all)

    def clear(self) -> None:
        """Forget all notifications, also those not yet sent."""
        with self._changed:
            self._all.clear()
            self._queue.clear()

    def start(self) -> None:
        """Begin to send."""
        self._stopped = False
        self._sending = 0
        pool = self._pool = ThreadPoolExecutor(_SENDERS, "dana-notify")
        self._thread = threading.Thread(target=self._run, args=(pool,), name="dana-notifier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more and wait for what is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is waiting or being sent; return whether that came to pass within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def _is_idle(self) -> bool:
        return not self._sending and all(item.state != "waiting" for item in self._all)

    def tell(self, order: Order, copies: int = 1) -> None:
        """Queue the notification of an order, with the faults that befall it; no address, no notification."""
        url = order.url("NOTIFICATION")
        if not url:
            return
        drawn = {f.kind: f for f in self._dana.faults.draw("notify", order.reference, faults.ON_NOTIFICATIONS)}
        if "duplicate" in drawn:
            copies *= drawn["duplicate"].copies
        for _ in range(copies):
            self._queue_one(order, url, drawn)

    def _queue_one(self, order: Order, url: str, drawn: dict[str, faults.Fault]) -> None:
        habits = self._dana.habits
        with self._changed:
            item = Notification(
                number=len(self._all) + 1,
                merchant_id=order.merchant_id,
                partner_id=order.partner_id,
                reference=order.reference,
                status=STATUS[order.state],
                url=url,
                content=content(order, habits),
                faults=[fault.spec for fault in drawn.values()],
                held="reorder" in drawn,
            )
            self._all.append(item)
            if "lost" in drawn or not habits.notify_delays:
                item.state = "lost"
                return
            extra = sum(drawn[kind].seconds for kind in ("late", "reorder") if kind in drawn)
            self._schedule(item, habits.notify_delays[0] + extra)

    def _schedule(self, item: Notification, seconds: float) -> None:
        item.state = "waiting"
        item.due = monotonic() + seconds
        heapq.heappush(self._queue, (item.due, item.number))
        self._changed.notify_all()

    def resend(self, number: int) -> None:
        """Send a notification once more, now. Raises LookupError."""
        with self._changed:
            if not 0 < number <= len(self._all):
                raise LookupError(f"There is no notification {number}.")
            self._schedule(self._all[number - 1], 0)

    def _run(self, pool: ThreadPoolExecutor) -> None:
        while (item := self._next()) is not None:
            pool.submit(self._send, item)

    def _next(self) -> Notification | None:
        """Wait for the next notification that is due; None when the simulator closes."""
        with self._changed:
            while not self._stopped:
                wait = self._queue[0][0] - monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    due, number = heapq.heappop(self._queue)
                    item = self._all[number - 1] if number <= len(self._all) else None
                    # an entry whose time was changed is stale
                    if item is not None and item.state == "waiting" and item.due == due:
                        item.state = "sending"
                        self._sending += 1
                        return item
                    continue
                self._changed.wait(wait)
            return None

    def _send(self, item: Notification) -> None:
        attempt = Try(self._dana.clock.now().timestamp(), "", "", error="not sent")
        try:
            attempt = self._attempt(item)
        finally:
            with self._changed:
                self._sending -= 1
                self._record(item, attempt)
                self._changed.notify_all()

    def _attempt(self, item: Notification) -> Try:
        """Send once, with a timestamp and a signature of this moment."""
        drawn = {f.kind: f for f in self._dana.faults.draw("notify", item.reference, faults.ON_TRIES)}
        skew = drawn["clock_skew"].seconds if "clock_skew" in drawn else 0.0
        timestamp = jakarta_time(self._dana.clock.now() + timedelta(seconds=skew))
        altered = _altered(item.content, drawn["alter"]) if "alter" in drawn else item.content
        body = compact_json(altered).encode()
        number = self._dana.orders.number("notify", str(item.number), str(len(item.tries)), digits=32)
        attempt = Try(self._dana.clock.now().timestamp(), timestamp, number)
        attempt.faults = [fault.spec for fault in drawn.values()]
        key = keys.stranger() if "bad_signature" in drawn else self._dana.private_key
        begun = monotonic()
        try:
            # the path as it is called, which is not always the letters of the order's url
            call = requests.Request("POST", item.url, data=body).prepare()
            path = urlsplit(str(call.url)).path or "/"
            signature = signing.sign(key, method="POST", path=path, body=body, timestamp=timestamp)
            call.headers.update(self._headers(item, attempt, signature))
            self._post(call, attempt)
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors, but for a URL that is none
            attempt.error = type(error).__name__
        attempt.duration = monotonic() - begun
        return attempt

    def _headers(self, item: Notification, attempt: Try, signature: str) -> dict[str, str]:
        habits = self._dana.habits
        headers = {
            "Channel-Id": "DANA",
            "X-External-Id": attempt.external_id,
            "X-Partner-Id": item.partner_id,
            "X-Signature": signature,
            "X-Timestamp": attempt.timestamp,
        }
        if habits.omit_external_id:
            del headers["X-External-Id"]
        if habits.header_names == "documented":
            headers = {name.upper(): value for name, value in headers.items()} | {"ORIGIN": self._dana.base_url}
        common = {
            "Content-Type": "application/json",
            "Charset": "UTF-8",
            "User-Agent": "Jakarta Commons-HttpClient/3.1",
        }
        return common | headers

    def _post(self, call: requests.PreparedRequest, attempt: Try) -> None:
        seconds = self._dana.habits.notify_timeout
        with requests.Session() as session:
            session.trust_env = False
            with session.send(call, timeout=seconds, allow_redirects=False, stream=True) as response:
                attempt.http_status = response.status_code
                text = _read(response, monotonic() + seconds)
                attempt.response_body = text.decode("utf-8", "replace")
                attempt.response_code = _code(text)
                attempt.hints = _hints(response)

    def _record(self, item: Notification, attempt: Try) -> None:
        item.tries.append(attempt)
        delays = self._dana.habits.notify_delays
        if attempt.response_code == HEARD:
            item.state = "heard"
        elif len(item.tries) < len(delays):
            self._schedule(item, delays[len(item.tries)])
        else:
            item.state = "given up"
        for other in self._all:
            if other.held and other is not item and other.state == "waiting" and not other.tries:
                other.held = False
                self._schedule(other, 0)


def _code(text: bytes) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(value.get("responseCode", "")) if isinstance(value, dict) else ""


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body, or the beginning of a long one. Raises TimeoutError where it goes on dripping in."""
    content = bytearray()
    for byte in response.iter_content(1):
        content += byte
        if monotonic() > deadline:
            raise TimeoutError
        if len(content) == _KEPT:
            break
    return bytes(content)


def _hints(response: requests.Response) -> list[str]:
    hints = []
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        hints.append("the answer's Content-Type is not application/json")
    if len(response.headers.get("X-TIMESTAMP", "")) != len("2026-03-02T10:20:30+07:00"):
        hints.append("the answer has no X-TIMESTAMP of 25 characters")
    return hints


def _altered(body: dict[str, Any], fault: faults.Fault) -> dict[str, Any]:
    """Return ``body`` with another value in one field; the original stays as it is for the next try."""
    copy: dict[str, Any] = json.loads(compact_json(body))
    *parents, last = fault.field.split(".")
    place = copy
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = fault.value
    return copy
