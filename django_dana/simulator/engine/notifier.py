"""Finish Notify: the queue of notifications, each sent until the shop acknowledges it."""

import heapq
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final

from django_dana.simulator.engine.courier import Courier
from django_dana.simulator.engine.faults import NOTIFY, ON_NOTIFICATIONS, Fault, Faults
from django_dana.simulator.engine.notifications import DeliveryAttempt, Notification, content
from django_dana.simulator.engine.orders import STATUS, Order
from django_dana.simulator.engine.shared import Shared

ACKNOWLEDGED: Final = "2005600"
_SENDERS: Final = 8


class Notifier:
    """Sends notifications from threads of its own, at the intervals of Behaviour.notify_delays."""

    def __init__(self, shared: Shared, faults: Faults, courier: Courier) -> None:
        self._shared = shared
        self._faults = faults
        self._courier = courier
        self._changed = threading.Condition(shared.lock)
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
        """Begin to send, in threads."""
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
        """Wait until nothing is waiting or being sent; return whether that was so within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def _is_idle(self) -> bool:
        return not self._sending and all(item.state != "waiting" for item in self._all)

    def notify(self, order: Order, copies: int = 1) -> None:
        """Queue the notification of an order, unless the order has no URL for it."""
        url = order.url("NOTIFICATION")
        if not url:
            return
        drawn = {fault.kind: fault for fault in self._faults.draw(NOTIFY, order.reference, ON_NOTIFICATIONS)}
        if "duplicate" in drawn:
            copies *= drawn["duplicate"].copies
        for _ in range(copies):
            self._queue_one(order, url, drawn)

    def _queue_one(self, order: Order, url: str, drawn: dict[str, Fault]) -> None:
        behaviour = self._shared.behaviour
        with self._changed:
            item = Notification(
                number=len(self._all) + 1,
                merchant_id=order.merchant_id,
                partner_id=order.partner_id,
                reference=order.reference,
                status=STATUS[order.state],
                url=url,
                content=content(order, behaviour),
                faults=[fault.spec for fault in drawn.values()],
                held="reorder" in drawn,
            )
            self._all.append(item)
            if "lost" in drawn or not behaviour.notify_delays:
                item.state = "lost"
                return
            extra = sum(drawn[kind].seconds for kind in ("late", "reorder") if kind in drawn)
            self._schedule(item, behaviour.notify_delays[0] + extra)

    def _schedule(self, item: Notification, seconds: float) -> None:
        item.state = "waiting"
        item.due = monotonic() + seconds
        heapq.heappush(self._queue, (item.due, item.number))
        self._changed.notify_all()

    def resend(self, number: int) -> None:
        """Send a notification again, now. Raises LookupError."""
        with self._changed:
            if not 0 < number <= len(self._all):
                raise LookupError(f"There is no notification {number}.")
            self._schedule(self._all[number - 1], 0)

    def _run(self, pool: ThreadPoolExecutor) -> None:
        while (item := self._next()) is not None:
            pool.submit(self._send, item)

    def _next(self) -> Notification | None:
        """Wait for the next notification that is due; None once sending has stopped."""
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
        attempt = DeliveryAttempt(self._shared.clock.now().timestamp(), "", "", error="not sent")
        try:
            attempt = self._courier.deliver(item)
        finally:
            with self._changed:
                self._sending -= 1
                self._record(item, attempt)
                self._changed.notify_all()

    def _record(self, item: Notification, attempt: DeliveryAttempt) -> None:
        item.attempts.append(attempt)
        delays = self._shared.behaviour.notify_delays
        if attempt.response_code == ACKNOWLEDGED:
            item.state = "acknowledged"
        elif len(item.attempts) < len(delays):
            self._schedule(item, delays[len(item.attempts)])
        else:
            item.state = "given up"
        for other in self._all:
            if other.held and other is not item and other.state == "waiting" and not other.attempts:
                other.held = False
                self._schedule(other, 0)
