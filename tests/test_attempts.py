"""A series of attempts at the wire: what is repeated, how often, with which bytes, and how it ends."""

import gzip
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_dana import services, tasks
from django_dana.models import ApiCall, CancelRequest, Order
from tests import wire as w
from tests.conftest import Clock
from tests.factories import account_with, created_order, fresh, fresh_cancel, new_order
from tests.wire import CANCEL_PATH, CREATE_PATH, Act, Wire

pytestmark = pytest.mark.django_db

NO_REPLY: dict[str, Callable[[Wire], Act]] = {
    "hangs": w.hang,
    "drips": lambda wire: w.drip(wire, w.http(200, b"{}" * 100), every=0.05),
    "drips headers": lambda wire: w.drip(wire, b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 90, every=0.05),
    "hangs up": lambda wire: w.hang_up,
    "resets": lambda wire: w.reset,
    "closes in mid-body": lambda wire: w.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
}

UNEXPECTED: dict[str, Act] = {
    "HTML from a proxy": w.body(b"<html>502 Bad Gateway</html>", 502),
    "an empty body": w.body(b""),
    "an empty object": w.body(b"{}"),
    "a list": w.body(b"[]"),
    "null": w.body(b"null"),
    "a number as responseCode": w.body(b'{"responseCode":2005400}'),
    "invalid UTF-8": w.body(b'{"responseCode":"\xff"}'),
    "a key twice": w.body(b'{"responseCode":"2005400","responseCode":"4005400"}'),
    "ten megabytes": w.body(b"x" * 10_000_000),
    "zipped": w.raw(w.http(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"})),
    "a redirect": w.raw(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"),
    "a code of another service": w.code("2005500", status=200),
    "an undefined 2xx code": w.code("2025499"),
    "an undefined 4xx code": w.code("4095499"),
    "an undefined 5xx code": w.code("5035400"),
    "a success on HTTP 500": w.code("2005400", status=500),
    "a success on HTTP 302": w.code("2005400", status=302),
    "another order's reference": w.code("2005400", partnerReferenceNo="INV-other"),
    "a success without referenceNo": w.code("2005400", referenceNo=None),
    "a success without an address": w.code("2005400", webRedirectUrl=""),
    "a success with an address of wrong type": w.code("2005400", webRedirectUrl=["https://m.dana.id"]),
}


def run_series(order: Order, clock: Clock) -> list[Order]:
    """Let the workers go on until the series is over; return the order after each call."""
    seen = []
    for _ in range(6):
        tasks.retry_due()
        order = fresh(order)
        seen.append(order)
        if order.create_status != Order.CreateStatus.NEW:
            break
        assert order.next_attempt_at
        clock.to(order.next_attempt_at + timedelta(milliseconds=1))
    return seen


def assert_one_payload(dana: Wire, path: str, calls: int) -> None:
    heard = [request for request in dana.heard if request.path == path]
    assert len(heard) == calls
    assert len({request.body for request in heard}) == 1
    assert len({request.headers["x-external-id"] for request in heard}) == calls
    assert all(len(request.headers["x-external-id"]) <= 36 for request in heard)


@pytest.mark.parametrize("act", NO_REPLY.values(), ids=NO_REPLY)
def test_create_without_reply_is_tried_three_times_then_pending(
    dana: Wire, impatient: None, clock: Clock, act: Callable[[Wire], Act]
) -> None:
    dana.play(act(dana))
    order = new_order()
    states = run_series(order, clock)
    assert [state.create_status for state in states] == ["new", "new", "pending"]
    assert_one_payload(dana, CREATE_PATH, 3)
    last = states[-1]
    assert (last.attempts, last.payment_status, last.rule_code) == (3, "none", "no_reply")
    assert last.next_attempt_at is not None
    assert "DANA did not answer" in last.next_step
    calls = ApiCall.objects.filter(order=order)
    assert calls.count() == 3
    assert all(call.duration_ms is not None and call.error and call.http_status is None for call in calls)


@pytest.mark.parametrize("act", UNEXPECTED.values(), ids=UNEXPECTED)
def test_create_with_an_unexpected_reply_is_tried_three_times_then_pending(dana: Wire, clock: Clock, act: Act) -> None:
    dana.play(act)
    order = new_order()
    states = run_series(order, clock)
    assert [state.create_status for state in states] == ["new", "new", "pending"]
    assert_one_payload(dana, CREATE_PATH, 3)
    assert states[-1].rule_code == "unexpected"
    assert "could not be understood" in states[-1].next_step
    assert all(call.error and call.http_status for call in ApiCall.objects.filter(order=order))


@pytest.mark.parametrize("act", UNEXPECTED.values(), ids=UNEXPECTED)
def test_the_evidence_of_an_unexpected_reply_is_kept(dana: Wire, act: Act) -> None:
    dana.play(act)
    order = new_order()
    tasks.create_order(order.pk)
    call = ApiCall.objects.get(order=order)
    assert call.rule_code == "unexpected"
    assert len(call.response_body) <= 16_384


def test_a_refused_connection_is_an_attempt_too(clock: Clock, settings: Any) -> None:
    settings.DANA = account_with(BASE_URL="http://127.0.0.1:9")
    states = run_series(new_order(), clock)
    assert [state.create_status for state in states] == ["new", "new", "pending"]


@pytest.mark.parametrize("host", [f"{'a' * 70}.example", "a..example", "xn--" + "9" * 30, "\u0130" * 30])
def test_a_host_whose_name_can_not_be_asked_for_leaves_no_open_call(clock: Clock, settings: Any, host: str) -> None:
    settings.DANA = account_with(BASE_URL=f"http://{host}")
    order = new_order()
    tasks.create_order(order.pk)
    call = order.api_calls.get()
    assert call.duration_ms is not None
    assert call.rule_code == "no_reply"
    assert call.error
    assert fresh(order).lease_token is None


def test_a_success_in_the_second_attempt_ends_the_series(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up, w.code("2005400"))
    states = run_series(new_order(), clock)
    assert [state.create_status for state in states] == ["new", "success"]
    assert_one_payload(dana, CREATE_PATH, 2)


def test_a_mixed_series_ends_by_its_last_attempt(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up, w.hang_up, w.body(b"<html>"))
    assert run_series(new_order(), clock)[-1].rule_code == "unexpected"


def test_the_attempts_come_from_the_schedule(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    waits = []
    for _ in range(2):
        before = timezone.now()
        tasks.retry_due()
        due = fresh(order).next_attempt_at
        assert due
        waits.append((due - before).total_seconds())
        tasks.retry_due()
        clock.to(due)
    assert len(dana.heard) == 2, "a sweep before the time makes no call"
    assert 2 <= waits[0] < 3
    assert 5 <= waits[1] < 6


def test_once_pending_there_is_one_call_per_due_time(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = run_series(new_order(), clock)[-1]
    waits = []
    for calls in range(4, 8):
        assert order.next_attempt_at
        waits.append((order.next_attempt_at - timezone.now()).total_seconds())
        clock.to(order.next_attempt_at)
        tasks.retry_due()
        tasks.retry_due()
        order = fresh(order)
        assert order.create_status == "pending"
        assert_one_payload(dana, CREATE_PATH, calls)
    for wait, delay in zip(waits, (30, 60, 300, 900), strict=True):
        assert delay * 0.95 <= wait <= delay * 1.1 + 1


def test_no_create_call_is_made_after_valid_up_to(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = run_series(new_order(), clock)[-1]
    clock.to(order.valid_up_to)
    tasks.retry_due()
    tasks.create_order(order.pk)
    assert len(dana.bodies(CREATE_PATH)) == 3
    assert fresh(order).create_status == "pending"
    assert fresh(order).next_attempt_at is None


def test_an_order_whose_worker_never_came_is_not_sent_late(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("4045501"))
    order = new_order()
    clock.to(order.valid_up_to + timedelta(minutes=6))
    tasks.retry_due()
    tasks.sync_stale()
    order = fresh(order)
    assert dana.bodies(CREATE_PATH) == []
    assert (order.create_status, order.payment_status) == ("failed", "not_found")


def start_cancel(dana: Wire, clock: Clock, *acts: Act) -> CancelRequest:
    """Ask for a cancel of an order that DANA has, and run its series to the end."""
    order = created_order(dana)
    dana.play(*acts)
    cancel_request = services.cancel_order(order, reason="stock ran out")
    for _ in range(6):
        tasks.retry_due()
        cancel_request = fresh_cancel(cancel_request)
        if cancel_request.status != CancelRequest.Status.NEW:
            break
        assert cancel_request.next_attempt_at
        clock.to(cancel_request.next_attempt_at)
    return cancel_request


@pytest.mark.parametrize("act", NO_REPLY.values(), ids=NO_REPLY)
def test_cancel_without_reply_is_tried_three_times_then_aborted(
    dana: Wire, impatient: None, clock: Clock, act: Callable[[Wire], Act]
) -> None:
    cancel_request = start_cancel(dana, clock, act(dana))
    assert cancel_request.status == "aborted"
    assert_one_payload(dana, CANCEL_PATH, 3)
    assert "do not refund by other means" in cancel_request.next_step
    assert cancel_request.next_attempt_at is None
    assert cancel_request.unfinished is None


@pytest.mark.parametrize(
    "act",
    [act for name, act in UNEXPECTED.items() if "success with" not in name and "2005500" not in name],
    ids=[name for name in UNEXPECTED if "success with" not in name and "2005500" not in name],
)
def test_cancel_with_an_unexpected_reply_is_tried_three_times_then_pending(dana: Wire, clock: Clock, act: Act) -> None:
    cancel_request = start_cancel(dana, clock, act)
    assert cancel_request.status == "pending"
    assert_one_payload(dana, CANCEL_PATH, 3)
    assert cancel_request.next_attempt_at is not None


def test_cancel_naming_another_order_is_unexpected(dana: Wire, clock: Clock) -> None:
    assert start_cancel(dana, clock, w.code("2005700", originalPartnerReferenceNo="other")).status == "pending"
    assert ApiCall.objects.filter(rule_code="unexpected").count() == 3


def test_cancel_naming_another_order_of_dana_is_unexpected(dana: Wire, clock: Clock) -> None:
    assert start_cancel(dana, clock, w.code("2005700", originalReferenceNo="999")).status == "pending"


def test_a_cancel_without_cancel_time_is_a_cancel(dana: Wire, clock: Clock) -> None:
    assert start_cancel(dana, clock, w.code("2005700")).status == "success"


def test_retry_by_hand_begins_a_new_series_with_the_same_bytes(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = run_series(new_order(), clock)[-1]
    services.retry_order(order)
    assert fresh(order).attempts == 0
    assert [state.create_status for state in run_series(order, clock)] == ["new", "new", "pending"]
    assert_one_payload(dana, CREATE_PATH, 6)


def test_the_timestamp_is_jakarta_time_whatever_time_zone_is_and_across_midnight(
    dana: Wire, clock: Clock, settings: Any
) -> None:
    settings.TIME_ZONE = "America/New_York"
    clock.to(timezone.now().replace(hour=16, minute=59, second=58, microsecond=0))
    dana.play(w.hang_up, w.code("2005400"))
    order = run_series(new_order(), clock)[-1]
    first, second = (request.headers["x-timestamp"] for request in dana.heard)
    assert first.startswith("2026-11-21T23:59:5")
    assert second.startswith("2026-11-22T00:00:0")
    assert first.endswith("+07:00")
    assert len(first) == 25
    assert '"validUpTo":"2026-11-22T00:29:5' in order.request_body


def test_a_sweep_explains_the_call_of_a_dead_worker_even_where_nothing_is_due_any_more(
    dana: Wire, clock: Clock
) -> None:
    order = created_order(dana)
    lost = ApiCall.objects.create(order=order, operation="query", external_id="lost", started_at=timezone.now())
    Order.objects.filter(pk=order.pk).update(
        lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(seconds=9)
    )
    tasks.retry_due()
    lost.refresh_from_db()
    assert lost.error == ""
    clock.forward(seconds=10)
    tasks.retry_due()
    lost.refresh_from_db()
    assert "worker ended" in lost.error
    assert lost.duration_ms is None
    assert fresh(order).lease_token is None
