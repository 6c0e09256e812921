"""What is concluded from DANA's answers, and not before a call whose end nobody saw can't act any more."""

import decimal
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, transaction
from django.utils import timezone

from django_dana import conf, gateway, outbox, services, tasks
from django_dana.models import CancelRequest, Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import locked_order, payments
from tests import wire as w
from tests.conftest import Clock
from tests.factories import (
    PAID_AT,
    change,
    created_order,
    fresh,
    fresh_cancel,
    new_order,
    paid_order,
)
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

AMOUNT = "15000.00"
FIVE_MINUTES = timedelta(minutes=5)


def notify(order: Order, status: str, **fields: Any) -> Order:
    """Apply a notification."""
    report = StatusReport(
        **{"status": status, "amount": Decimal(AMOUNT), "currency": "IDR", "paid_at": PAID_AT, **fields}
    )
    with locked_order(order.pk, conf.account("default")) as locked:
        payments.reported_by_notification(locked, report)
    return fresh(order)


def ask(dana: Wire, order: Order, answer: Act) -> Order:
    """Ask DANA, which answers so."""
    dana.play(answer)
    return services.sync_order(order)


def sweep_until(clock: Clock, order: Order, end: timedelta) -> None:
    """Let the workers go on for a while, a minute at a time."""
    until = timezone.now() + end
    while timezone.now() < until:
        tasks.retry_due()
        tasks.sync_stale()
        clock.forward(seconds=60)


def unanswered_cancel(dana: Wire, clock: Clock, order: Order, then: Act) -> CancelRequest:
    """Cancel an order without ever getting a reply; queries are answered with ``then``."""
    dana.play(_only_queries(then))
    cancel_request = services.cancel_order(order)
    for _ in range(3):
        tasks.cancel_order(cancel_request.pk)
        cancel_request = fresh_cancel(cancel_request)
        if cancel_request.next_attempt_at:
            clock.to(cancel_request.next_attempt_at)
    assert len(dana.bodies(CANCEL_PATH)) == 3
    return fresh_cancel(cancel_request)


def _only_queries(answer: Act) -> Act:
    def act(connection: Any, request: Any) -> bool | None:
        return answer(connection, request) if request.path == QUERY_PATH else None

    return act


# -- 2: an open answer seconds after the last time-out ------------------------------------------------------------


@pytest.mark.parametrize("seconds", [3, 20, 200])
def test_dana_acts_seconds_after_the_last_time_out(dana: Wire, clock: Clock, told: list[str], seconds: int) -> None:
    order = paid_order(dana)
    cancel_request = unanswered_cancel(dana, clock, order, w.status("00", amount=AMOUNT))
    assert (cancel_request.status, cancel_request.needs_attention) == ("aborted", "end_unknown")
    clock.forward(seconds=seconds)
    dana.play(w.status("05"))
    sweep_until(clock, order, timedelta(minutes=10))
    assert fresh_cancel(cancel_request).status == "success"
    assert fresh(order).payment_status == "cancelled"
    assert told.count("order_cancelled") == 1


def test_an_open_answer_is_believed_after_five_minutes_and_not_before(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancel_request = unanswered_cancel(dana, clock, order, w.status("00", amount=AMOUNT))
    last = order.api_calls.filter(operation="cancel").latest("pk").started_at
    clock.to(last + FIVE_MINUTES - timedelta(seconds=2))
    ask(dana, order, w.status("00", amount=AMOUNT))
    assert fresh_cancel(cancel_request).needs_attention == "end_unknown"
    clock.to(last + FIVE_MINUTES)
    ask(dana, order, w.status("00", amount=AMOUNT))
    assert (fresh_cancel(cancel_request).status, fresh_cancel(cancel_request).needs_attention) == (
        "aborted",
        "not_cancelled",
    )


# -- 3: a late success ----------------------------------------------------------------------------------------------


def test_a_request_learns_of_a_success_an_hour_after_it_was_given_up(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    clock.to(cancel_request.give_up_at)
    dana.play(w.status("00", amount=AMOUNT))
    tasks.retry_due()
    assert fresh_cancel(cancel_request).status == "aborted"
    dana.play(w.status("05"))
    for _ in range(8):
        clock.forward(days=1)
        tasks.sync_stale()
    assert fresh_cancel(cancel_request).status == "success"
    assert fresh(order).payment_status == "cancelled"


def test_what_was_given_up_is_asked_about_daily_for_a_week_and_no_longer(dana: Wire, clock: Clock) -> None:
    order = change(paid_order(dana), paid_at=timezone.now() - timedelta(days=30))
    unanswered_cancel(dana, clock, order, w.status("00", amount=AMOUNT))
    clock.forward(minutes=6)
    ask(dana, order, w.status("00", amount=AMOUNT))
    asked = len(dana.bodies(QUERY_PATH))
    for _ in range(40):
        clock.forward(hours=6)
        tasks.sync_stale()
    assert len(dana.bodies(QUERY_PATH)) - asked in (6, 7)
    assert fresh(order).next_sync_at is None


# -- 4: somebody else's order ---------------------------------------------------------------------------------------


def masked(dana: Wire, clock: Clock, *then: Act) -> Order:
    """Return an order whose first create had no reply and whose second met *Inconsistent Request*."""
    dana.play(w.hang_up, w.code("4045418"), *then)
    order = new_order()
    tasks.create_order(order.pk)
    due = fresh(order).next_attempt_at
    assert due
    clock.to(due)
    tasks.create_order(order.pk)
    return fresh(order)


@pytest.mark.parametrize("answer", [w.hang_up, w.status("00", amount="1.00")], ids=["asked about", "another's"])
def test_no_cancel_is_taken_while_the_order_may_be_anothers(dana: Wire, clock: Clock, answer: Act) -> None:
    order = masked(dana, clock, answer)
    with pytest.raises(ValidationError, match="somebody else's order"):
        services.cancel_order(order)
    assert dana.bodies(CANCEL_PATH) == []


def test_no_cancel_is_sent_that_was_asked_for_while_the_create_was_in_flight(
    dana: Wire, clock: Clock, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = new_order()
    dana.play(w.hang_up)
    tasks.create_order(order.pk)
    due = fresh(order).next_attempt_at
    assert due
    clock.to(due)
    send = gateway._send

    def send_while_staff_cancel(*args: Any) -> Any:
        monkeypatch.setattr(gateway, "_send", send)
        services.cancel_order(fresh(order))
        return send(*args)

    monkeypatch.setattr(gateway, "_send", send_while_staff_cancel)
    dana.play(w.code("4045418"), w.status("00", amount="1.00"))
    tasks.create_order(order.pk)
    sweep_until(clock, order, timedelta(minutes=5))
    cancel_request = order.cancel_requests.get()
    assert dana.bodies(CANCEL_PATH) == []
    assert (cancel_request.status, cancel_request.attempts) == ("aborted", 0)
    assert "never sent" in cancel_request.next_step
    assert fresh(order).create_status == "failed"
    assert told.count("cancel_aborted") == 1


def test_no_cancel_is_taken_where_dana_reports_another_amount_of_an_order_that_is_not_proved_ours(
    dana: Wire, clock: Clock
) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    order = ask(dana, fresh(order), w.status("00", amount="1.00"))
    with pytest.raises(ValidationError, match="somebody else's order"):
        services.cancel_order(order)


def test_no_cancel_is_taken_after_a_retry_by_hand(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("4045418"))
    order = new_order()
    tasks.create_order(order.pk)
    services.retry_order(fresh(order))
    dana.play(w.hang_up)
    tasks.create_order(order.pk)
    with pytest.raises(ValidationError, match="somebody else's order"):
        services.cancel_order(fresh(order))


def test_an_order_that_proved_ours_can_be_cancelled(dana: Wire, clock: Clock) -> None:
    order = masked(dana, clock, w.status("00", amount=AMOUNT))
    assert order.create_status == "success"
    dana.play(w.code("2005700"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == "success"


# -- 5: one "not found" against DANA's own success ------------------------------------------------------------------


@pytest.mark.parametrize("answer", [w.code("4045501"), w.status("07")], ids=["4045501", "07"])
def test_danas_own_success_outweighs_not_found(dana: Wire, clock: Clock, told: list[str], answer: Act) -> None:
    order = created_order(dana)
    order = ask(dana, order, answer)
    assert (order.payment_status, order.needs_attention) == ("initiated", "conflict")
    assert order.next_sync_at
    clock.to(order.next_sync_at)
    dana.play(w.status("00", amount=AMOUNT))
    tasks.sync_stale()
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("paid", "")
    assert told == ["order_created", "order_needs_attention", "order_paid"]


def test_where_dana_stays_with_not_found_the_shop_hears_that_it_expired(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    ask(dana, order, w.code("4045501"))
    clock.to(order.valid_up_to + FIVE_MINUTES - timedelta(seconds=1))
    assert services.sync_order(order).payment_status == "initiated", "the buyer might pay until then"
    clock.forward(seconds=2)
    order = services.sync_order(order)
    assert (order.payment_status, order.needs_attention, order.next_sync_at) == ("not_found", "", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_needs_attention", "order_expired"]


# -- 6: methods without an address ----------------------------------------------------------------------------------


def test_an_order_without_address_by_design_is_payable(dana: Wire, clock: Clock) -> None:
    ovo = {
        "payMethod": "NETWORK_PAY",
        "payOption": "NETWORK_PAY_PG_OVO",
        "additionalInfo": {"phoneNumber": "081234567890"},
    }
    dana.play(w.code("2005400", webRedirectUrl=None))
    order = new_order(pay_option_details=[ovo])
    tasks.create_order(order.pk)
    assert (fresh(order).state, fresh(order).needs_attention) == ("payable", "")


# -- 7: a stale instance --------------------------------------------------------------------------------------------


def test_saving_a_stale_order_undoes_no_payment(dana: Wire, clock: Clock) -> None:
    stale = created_order(dana)
    notify(stale, "00")
    stale.metadata, stale.return_url, stale.shop_reference = {"cart": 7}, "/cart/7/", "WEB-7"
    stale.save()
    order = fresh(stale)
    assert (order.payment_status, order.paid_at) == ("paid", PAID_AT)
    assert (order.metadata, order.return_url, order.shop_reference) == ({"cart": 7}, "/cart/7/", "WEB-7")


# -- 9: a vault that fails once -------------------------------------------------------------------------------------


def test_one_error_of_a_key_vault_costs_two_minutes(dana: Wire, clock: Clock, settings: Any) -> None:
    good = settings.DANA
    settings.DANA = {"default": {**good["default"], "PRIVATE_KEY": lambda: 1 / 0}}
    order = new_order()
    tasks.create_order(order.pk)
    assert fresh(order).needs_attention == "account"
    settings.DANA = good
    clock.forward(seconds=121)
    dana.play(w.code("2005400"))
    tasks.retry_due()
    order = fresh(order)
    assert (order.create_status, order.needs_attention) == ("success", "")


def test_an_error_of_a_key_vault_sends_nothing_earlier_than_it_was_due(dana: Wire, clock: Clock, settings: Any) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up, w.code("4035705"), w.status("00"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    clock.forward(seconds=3)
    tasks.retry_due()
    calls = len(dana.bodies(CANCEL_PATH))
    good = settings.DANA
    settings.DANA = {"default": {**good["default"], "PRIVATE_KEY": lambda: 1 / 0}}
    clock.forward(minutes=3)
    tasks.sync_stale()
    assert fresh(order).needs_attention == "account"
    settings.DANA = good
    clock.forward(seconds=121)
    tasks.retry_due()
    tasks.sync_stale()
    assert (calls, len(dana.bodies(CANCEL_PATH))) == (2, 2), "it waits for DANA's answer and is not sent again"
    assert fresh(order).needs_attention != "account"


def test_the_daily_look_at_a_paid_order_leaves_no_flag(dana: Wire, clock: Clock, settings: Any) -> None:
    order = paid_order(dana)
    settings.DANA = {"default": {**settings.DANA["default"], "PRIVATE_KEY": lambda: 1 / 0}}
    clock.forward(days=2)
    tasks.sync_stale()
    assert (fresh(order).needs_attention, fresh(order).next_sync_at) == ("", None)


# -- 10: amounts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["0.00", "1.00", AMOUNT])
def test_05_closes_whatever_amount_it_carries(dana: Wire, clock: Clock, amount: str) -> None:
    order = ask(dana, created_order(dana), w.status("05", amount=amount))
    assert (order.payment_status, order.needs_attention) == ("expired", "")
    assert notify(created_order(dana), "05", amount=Decimal(amount)).payment_status == "expired"


@pytest.mark.parametrize(
    "amount",
    ["15000.00", {"value": "-15000.00", "currency": "IDR"}, [], {}, {"currency": "IDR"}, {"value": 15000}],
    ids=["text", "negative", "list", "empty", "no value", "number"],
)
def test_a_00_whose_amount_can_not_be_read_is_not_paid(dana: Wire, clock: Clock, amount: Any) -> None:
    order = ask(dana, created_order(dana), w.code("2005500", latestTransactionStatus="00", amount=amount))
    assert (order.payment_status, order.needs_attention) == ("initiated", "amount_differs")


def test_a_notification_whose_amount_can_not_be_read_is_not_paid(dana: Wire, clock: Clock) -> None:
    order = notify(created_order(dana), "00", amount=None, amount_unreadable=True)
    assert (order.payment_status, order.needs_attention) == ("initiated", "amount_differs")
    assert order.next_sync_at


def test_another_amount_is_kept_beside_ours(dana: Wire, clock: Clock) -> None:
    order = notify(created_order(dana), "00", amount=Decimal("14000.00"))
    assert (order.amount, order.reported_amount) == (Decimal(AMOUNT), Decimal("14000.00"))
    order = ask(dana, order, w.status("00", amount=AMOUNT))
    assert (order.payment_status, order.reported_amount) == ("paid", None)


# -- 13: a refused create that may have acted -----------------------------------------------------------------------


@pytest.mark.parametrize("code", ["4035405", "4005401", "4045408"])
def test_a_refused_create_that_may_have_acted_is_asked_about_once_its_time_is_over(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    dana.play(w.hang_up, w.code(code))
    order = new_order()
    tasks.create_order(order.pk)
    due = fresh(order).next_attempt_at
    assert due
    clock.to(due)
    tasks.create_order(order.pk)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("failed", None)
    assert told.count("order_failed") == 1
    dana.play(w.status("00", amount=AMOUNT))
    clock.to(order.valid_up_to + FIVE_MINUTES - timedelta(seconds=1))
    tasks.sync_stale()
    assert dana.bodies(QUERY_PATH) == []
    clock.forward(seconds=2)
    tasks.sync_stale()
    assert fresh(order).payment_status == "paid"
    assert told[-2:] == ["order_created", "order_paid"]
    assert len(dana.bodies(CREATE_PATH)) == 2


def test_an_open_order_whose_cancel_was_refused_is_asked_about_once_its_time_is_over(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.code("4045708"), w.status("05"))
    tasks.cancel_order(services.cancel_order(order).pk)
    assert (fresh(order).payment_status, fresh(order).needs_attention) == ("initiated", "cancel")
    clock.to(order.valid_up_to + FIVE_MINUTES + timedelta(seconds=1))
    tasks.sync_stale()
    assert fresh(order).payment_status == "expired"


# -- 14: a decimal context of low precision -------------------------------------------------------------------------


def test_a_decimal_context_of_low_precision_changes_no_amount(dana: Wire, clock: Clock) -> None:
    with decimal.localcontext(decimal.Context(prec=3)):
        order = new_order(amount=Decimal("123456.78"))
    assert fresh(order).amount == Decimal("123456.78")
    assert '"value":"123456.78"' in order.request_body


# -- 15: a late 00 after our own success ----------------------------------------------------------------------------


def test_an_old_view_after_our_own_cancel_does_not_make_it_paid(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005700"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    clock.forward(seconds=30)
    order = ask(dana, order, w.status("00", amount=AMOUNT))
    assert (order.payment_status, order.needs_attention) == ("cancelled", "")
    assert order.next_sync_at, "DANA is asked again"
    sent = len(dana.bodies(QUERY_PATH))
    dana.play(w.status("05"))
    clock.to(order.next_sync_at)
    tasks.sync_stale()
    assert (fresh(order).payment_status, fresh(order).next_sync_at) == ("cancelled", None)
    assert len(dana.bodies(QUERY_PATH)) == sent + 1
    assert told.count("order_paid") == 1


# -- 16: refunds that are not ours ----------------------------------------------------------------------------------


def refunded(value: str, currency: str = "IDR", status: str = "00") -> Act:
    money = {"value": value, "currency": currency}
    return w.status(status, amount=AMOUNT, additionalInfo={"amountDetail": {"refundAmount": money}})


def test_a_refund_in_another_currency_counts_as_nothing(dana: Wire, clock: Clock) -> None:
    order = ask(dana, paid_order(dana), refunded(AMOUNT, "USD"))
    assert (order.payment_status, order.refunded_amount) == ("paid", Decimal(0))


def test_a_partial_refund_at_dana_is_noted_and_lowers_what_is_left(dana: Wire, clock: Clock) -> None:
    order = ask(dana, paid_order(dana), refunded("4000.00"))
    assert (order.payment_status, order.refunded_amount) == ("paid", Decimal("4000.00"))
    assert order.amount_left == Decimal("11000.00")
    assert "4000.00" in order.note


def test_a_whole_refund_at_dana_is_refunded(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = ask(dana, paid_order(dana), refunded(AMOUNT))
    assert (order.payment_status, order.refunded_amount) == ("refunded", Decimal(AMOUNT))
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_paid", "order_refunded"]


def test_a_cancelled_order_never_becomes_refunded(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005700"))
    tasks.cancel_order(services.cancel_order(order).pk)
    order = ask(dana, order, refunded(AMOUNT))
    assert order.payment_status == "cancelled"


# -- 17: a series is not lengthened ---------------------------------------------------------------------------------


def test_retry_order_during_a_series_is_refused(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    with pytest.raises(ValidationError, match="being sent"):
        services.retry_order(fresh(order))
    assert len(dana.bodies(CREATE_PATH)) == 1


def test_retry_cancel_during_a_series_is_refused(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up)
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    with pytest.raises(ValidationError, match="being sent"):
        services.retry_cancel(fresh_cancel(cancel_request))
    assert fresh_cancel(cancel_request).attempts == 1


# -- 18: a queued create --------------------------------------------------------------------------------------------


def test_a_queued_create_is_stopped_for_good(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = new_order()
    with pytest.raises(ValidationError, match="Stop it instead"):
        services.cancel_order(order)
    services.stop_retrying(order)
    order = fresh(order)
    assert (order.create_status, order.next_attempt_at, order.state, order.is_final) == (
        "failed",
        None,
        "refused",
        True,
    )
    assert "stopped before it was sent" in order.next_step
    clock.forward(hours=1)
    tasks.retry_due()
    tasks.sync_stale()
    assert told == ["order_failed"]
    assert dana.heard == []
    with pytest.raises(ValidationError, match="Create a new order"):
        services.retry_order(order)


# -- 19: sentences that would be false ------------------------------------------------------------------------------


def test_not_found_on_a_paid_order_asks_instead_of_saying_that_nothing_was_paid(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4045701"), w.status("00", amount=AMOUNT))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    assert len(dana.bodies(QUERY_PATH)) == 2
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, fresh(order).payment_status) == ("failed", "paid")
    assert "nothing was paid" not in cancel_request.next_step


def test_a_paid_order_whose_amount_differs_is_not_called_unpaid(dana: Wire, clock: Clock) -> None:
    order = notify(paid_order(dana), "00", amount=Decimal("1.00"))
    assert (order.payment_status, order.needs_attention) == ("paid", "amount_differs")
    assert "not called paid" not in order.next_step


# -- 20: cancels that were never sent -------------------------------------------------------------------------------


def test_a_cancel_that_was_never_sent_is_no_success_of_an_expired_order(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    cancel_request = services.cancel_order(order)
    order = ask(dana, order, w.status("05"))
    assert order.payment_status == "expired"
    tasks.retry_due()
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.unfinished) == ("aborted", None)
    assert "never sent" in cancel_request.next_step
    assert dana.bodies(CANCEL_PATH) == []
    assert told == ["order_created", "order_expired", "cancel_aborted"]


def test_nothing_is_sent_after_a_05(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    services.cancel_order(order)
    notify(order, "05")
    dana.play(w.status("05"))
    sweep_until(clock, order, timedelta(minutes=10))
    assert dana.bodies(CANCEL_PATH) == []


def test_a_late_00_fills_when_a_cancelled_order_was_paid(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.code("2005700"))
    tasks.cancel_order(services.cancel_order(order).pk)
    notify(order, "00")
    order = ask(dana, order, w.status("05"))
    assert (order.payment_status, order.paid_at, order.needs_attention) == ("cancelled", PAID_AT, "")


# -- 21: no call inside a transaction -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_sync_order_refuses_a_transaction_by_name_and_says_what_to_do(dana: Wire) -> None:
    order = created_order(dana)
    with (
        transaction.atomic(),
        pytest.raises(RuntimeError, match=r"^sync_order\(\) calls.*on_commit.*non_atomic_requests"),
    ):
        services.sync_order(order)
    assert dana.bodies(QUERY_PATH) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["create_order", "cancel_order"])
def test_send_now_refuses_a_transaction_by_name(dana: Wire, name: str) -> None:
    order = created_order(dana)
    acts: dict[str, Callable[[], object]] = {
        "create_order": lambda: new_order(send="now"),
        "cancel_order": lambda: services.cancel_order(order, send="now"),
    }
    with transaction.atomic(), pytest.raises(RuntimeError, match=rf'{name}\(send="now"\)'):
        acts[name]()
    assert Order.objects.count() == 1
    assert not CancelRequest.objects.exists()


# -- 22: late successes, wake-ups, and a database that could not serialize ------------------------------------------


def test_a_late_success_of_a_create_has_dana_asked(dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    order = new_order()
    send = gateway._send

    def send_and_lose_the_lease(*args: Any) -> Any:
        result = send(*args)
        change(order, lease_token="7" * 32, lease_until=timezone.now() + timedelta(minutes=1))
        return result

    dana.play(w.code("2005400"))
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "_send", send_and_lose_the_lease)
        gateway.attempt_create(order.pk)
    order = fresh(order)
    assert (order.create_status, order.next_sync_at is not None) == ("new", True)


def test_a_wake_up_that_is_due_already_is_sent_at_once(
    dana: Wire, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DANA = {"default": {**settings.DANA["default"], "ATTEMPT_DELAYS": [0.001]}}
    started: list[tuple[str, float]] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk, *, countdown=0.0: started.append((task.name, countdown)))
    # the delay is over before the task looks at it
    monkeypatch.setattr(outbox, "send_due", lambda order_id: clock.forward(seconds=1))
    dana.play(w.hang_up)
    tasks.create_order(new_order().pk)
    assert started[-1] == ("django_dana.tasks.create_order", 0.0)


def test_an_order_that_another_worker_holds_is_not_started_again(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = change(new_order(), lease_token="7" * 32, lease_until=timezone.now() + timedelta(minutes=1))
    started: list[object] = []
    monkeypatch.setattr(tasks, "start", lambda *args, **options: started.append(args))
    tasks.create_order(order.pk)
    assert started == []


def test_a_row_that_could_not_be_serialized_does_not_end_the_sweep(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana.play(w.code("2005400"))
    broken, good = new_order(), new_order()
    attempt = gateway.attempt_create

    def fail_once(order_id: int) -> bool:
        if order_id == broken.pk:
            raise OperationalError("could not serialize access due to concurrent update")
        return attempt(order_id)

    monkeypatch.setattr(gateway, "attempt_create", fail_once)
    tasks.retry_due()
    assert fresh(good).create_status == "success"


# -- 23: an order whose buyer can't pay -----------------------------------------------------------------------------


def test_staff_do_not_read_that_the_buyer_has_not_paid_while_the_buyer_can_not(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    order = ask(dana, fresh(order), w.status("01", amount=AMOUNT))
    assert (order.create_status, order.payment_status) == ("new", "initiated")
    assert "can't pay yet" in order.next_step
