"""Every row of DANA's two code tables at the wire: what the order or cancel becomes, and what comes next."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_dana import services, tasks
from django_dana.models import ApiCall
from django_dana.protocol import response_codes
from django_dana.protocol.response_codes import Outcome, Rule
from tests import wire as w
from tests.conftest import Clock
from tests.factories import account_with, created_order, fresh, fresh_cancel, new_order, paid_order
from tests.wire import CANCEL_PATH, CREATE_PATH, Wire

pytestmark = pytest.mark.django_db

CREATE_ROWS = [rule for rule in response_codes.CREATE.rows.values() if rule.code.isdigit()]
CANCEL_ROWS = [rule for rule in response_codes.CANCEL.rows.values() if rule.code.isdigit()]
REFUSED_FOR_GOOD = [rule for rule in CREATE_ROWS if not rule.may_have_acted and not rule.is_tried_again]


def code_of(rule: Rule) -> str:
    return rule.code


@pytest.mark.parametrize("rule", CREATE_ROWS, ids=code_of)
def test_create_ends_as_its_row_says(dana: Wire, clock: Clock, told: list[str], rule: Rule) -> None:
    dana.play(w.code(rule.code))
    order = new_order()
    tasks.create_order(order.pk)
    order = fresh(order)
    assert order.create_status == rule.outcome.value
    assert order.payment_status == ("initiated" if rule.outcome is Outcome.SUCCESS else "none")
    assert (order.response_code, order.response_message, order.attempts) == (rule.code, "As told", 1)
    tried_again = rule.outcome is Outcome.PENDING or rule.is_tried_again
    assert (order.next_attempt_at is not None) == tried_again
    assert order.next_step
    call = ApiCall.objects.get(order=order)
    assert (call.http_status, call.response_code, call.rule_code) == (int(rule.code[:3]), rule.code, rule.code)
    assert len(dana.heard) == 1


@pytest.mark.parametrize("rule", REFUSED_FOR_GOOD, ids=code_of)
def test_a_final_refusal_of_a_create_is_told_to_the_shop_and_never_sent_again(
    dana: Wire, clock: Clock, told: list[str], rule: Rule
) -> None:
    dana.play(w.code(rule.code))
    order = new_order()
    tasks.create_order(order.pk)
    clock.forward(hours=1)
    tasks.retry_due()
    tasks.sync_stale()
    assert len(dana.heard) == 1
    assert fresh(order).next_step == rule.advice


@pytest.mark.parametrize("rule", CANCEL_ROWS, ids=code_of)
def test_cancel_ends_as_its_row_says(dana: Wire, clock: Clock, rule: Rule) -> None:
    # of a paid order, "not found" is not believed before DANA was asked
    order = created_order(dana) if rule.order_unknown else paid_order(dana)
    before = order.payment_status
    dana.play(w.code(rule.code))
    cancel_request = services.cancel_order(order, reason="stock ran out")
    tasks.cancel_order(cancel_request.pk)
    cancel_request = fresh_cancel(cancel_request)
    assert cancel_request.status == rule.outcome.value
    assert (cancel_request.response_code, cancel_request.attempts) == (rule.code, 1)
    tried_again = rule.outcome is Outcome.PENDING or rule.is_tried_again
    assert (cancel_request.next_attempt_at is not None) == tried_again
    assert (cancel_request.unfinished is True) == tried_again
    assert fresh(order).payment_status == ("cancelled" if rule.outcome is Outcome.SUCCESS else before)
    assert rule.advice in cancel_request.next_step
    assert len(dana.bodies(CANCEL_PATH)) == 1


@pytest.mark.parametrize("rule", CANCEL_ROWS, ids=code_of)
def test_a_known_code_counts_on_another_http_status_and_it_is_noted(dana: Wire, clock: Clock, rule: Rule) -> None:
    order = created_order(dana)
    dana.play(w.code(rule.code, status=203))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == rule.outcome.value
    assert "HTTP 203" in ApiCall.objects.filter(cancel_request=cancel_request).get().error


@pytest.mark.parametrize("code", ["4005402", "4015400"])
def test_dana_leaves_its_echo_out_of_some_refusals(dana: Wire, clock: Clock, code: str) -> None:
    dana.play(w.answer({"responseCode": code, "responseMessage": "Invalid Mandatory Field X-TIMESTAMP"}))
    order = new_order()
    tasks.create_order(order.pk)
    assert fresh(order).create_status == "failed"


@pytest.mark.parametrize("code", ["5005400", "4035415"])
def test_create_failed_for_now_is_tried_again_until_valid_up_to(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    dana.play(w.code(code))
    order = new_order()
    for _ in range(20):
        tasks.retry_due()
        order = fresh(order)
        assert order.create_status == "failed"
        if order.next_attempt_at is None:
            break
        assert "Refused for now" in order.next_step
        assert "order_failed" not in told
        assert order.next_attempt_at < order.valid_up_to
        clock.to(order.next_attempt_at)
    # 0 s, then 30, 60, 300 and 900 s later; the next would lie behind 30 minutes
    assert len(dana.bodies(CREATE_PATH)) == 5
    assert "Refused for now" not in order.next_step


@pytest.mark.parametrize("code", ["5005400", "4035415"])
def test_a_later_success_of_a_create_failed_for_now_is_recorded(dana: Wire, clock: Clock, code: str) -> None:
    dana.play(w.code(code), w.code("2005400"))
    order = new_order()
    tasks.create_order(order.pk)
    clock.forward(seconds=40)
    tasks.retry_due()
    assert fresh(order).create_status == "success"
    assert len({*dana.bodies(CREATE_PATH)}) == 1


@pytest.mark.parametrize("code", ["4035714", "4035715", "4045700", "5005700"])
def test_cancel_failed_for_now_is_tried_again_until_it_is_given_up(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    cancel_request = services.cancel_order(order)
    for _ in range(50):
        tasks.retry_due()
        cancel_request = fresh_cancel(cancel_request)
        assert cancel_request.status == "failed"
        if cancel_request.next_attempt_at is None:
            break
        assert "do not refund by other means" in cancel_request.next_step
        clock.to(cancel_request.next_attempt_at)
        if cancel_request.next_attempt_at == cancel_request.give_up_at:
            dana.play(w.status("00"))
    assert timezone.now() >= cancel_request.give_up_at
    assert cancel_request.unfinished is None
    assert cancel_request.needs_attention == "refused"
    assert len({*dana.bodies(CANCEL_PATH)}) == 1


@pytest.mark.parametrize("code", ["5005400", "4035415"])
def test_without_retry_failed_a_create_refused_for_now_is_final(
    dana: Wire, clock: Clock, settings: Any, code: str
) -> None:
    settings.DANA = account_with(BASE_URL=dana.url, RETRY_FAILED=False)
    dana.play(w.code(code))
    order = new_order()
    tasks.create_order(order.pk)
    assert fresh(order).next_attempt_at is None


def test_a_person_can_stop_what_is_tried_again(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035714"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    services.stop_retrying(cancel_request)
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.next_attempt_at) == ("failed", None)
    clock.forward(days=1)
    tasks.retry_due()
    assert len(dana.bodies(CANCEL_PATH)) == 1


@pytest.mark.parametrize("code", ["4295400", "4295700"])
def test_429_backs_off_further_and_honours_retry_after(dana: Wire, clock: Clock, code: str) -> None:
    order = created_order(dana) if code == "4295700" else None
    dana.play(w.code(code), w.code(code, headers={"Retry-After": "1000"}))
    row: Any = services.cancel_order(order) if order else new_order()
    waits = []
    for _ in range(2):
        tasks.retry_due()
        row = type(row).objects.get(pk=row.pk)
        assert row.next_attempt_at
        waits.append(row.next_attempt_at - timezone.now())
        clock.to(row.next_attempt_at)
    assert timedelta(seconds=59) < waits[0] < timedelta(seconds=67), "one step further than the first 30 s"
    assert timedelta(seconds=998) < waits[1] <= timedelta(seconds=1000)


@pytest.mark.parametrize("retry_after", ["soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 400, "1.5"])
def test_an_odd_retry_after_does_no_harm(dana: Wire, clock: Clock, retry_after: str) -> None:
    dana.play(w.code("4295400", headers={"Retry-After": retry_after}))
    order = new_order(valid_up_to=timezone.now() + timedelta(days=3))
    tasks.create_order(order.pk)
    due = fresh(order).next_attempt_at
    assert due
    assert due <= timezone.now() + timedelta(days=1)


@pytest.mark.parametrize("code", ["2025700", "4295700", "5005701"])
def test_a_cancel_still_pending_after_its_time_is_settled_by_a_query(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    clock.to(cancel_request.give_up_at)
    dana.play(w.status("05", acquirementStatus="CANCELLED"))
    tasks.retry_due()
    assert fresh_cancel(cancel_request).status == "success"
    assert fresh(order).payment_status == "cancelled"


@pytest.mark.parametrize("answer", [w.status("00"), w.hang_up, w.code("5005501")], ids=["00", "no reply", "5005501"])
def test_a_cancel_still_open_after_that_query_is_aborted(dana: Wire, clock: Clock, answer: w.Act) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    clock.to(cancel_request.give_up_at)
    dana.play(answer)
    tasks.retry_due()
    cancel_request = fresh_cancel(cancel_request)
    assert cancel_request.status == "aborted"
    assert fresh(order).payment_status == "paid"
    assert len(dana.bodies(CANCEL_PATH)) == 1
