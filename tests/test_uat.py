"""DANA's acceptance test: the command that plays it, and what the notification address does for it."""

import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from django_dana.models import ApiCall, Notification, Order, OutboxEvent
from django_dana.simulator import Behaviour, Merchant, Simulator
from django_dana.uat import notifications, runner, scenarios
from tests import keys
from tests import wire as wires
from tests.conftest import Clock
from tests.factories import account_with, change, fresh, new_order
from tests.notices import PARTNER_ID, assert_answer, compact, facts, notice, notify, send

MERCHANT_ID = "216620000000000000001"


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite in memory has one connection for this thread and those of the web server: one at a time may use it."""
    turn = threading.RLock()

    def in_turn(owner: type, name: str) -> None:
        wanted = getattr(owner, name)

        def wait_and_call(*args: Any) -> Any:
            with turn:
                return wanted(*args)

        monkeypatch.setattr(owner, name, wait_and_call)

    in_turn(WSGIHandler, "get_response")
    in_turn(runner._BegunNotice, "_heard")
    in_turn(runner._BegunNotice, "_remark")


@pytest.fixture
def dana(taking_turns: None, live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator that the account speaks to and that reaches the shop; it sends again soon."""
    merchant = Merchant(MERCHANT_ID, PARTNER_ID, keys.SHOP_PUBLIC_KEY)
    behaviour = replace(Behaviour(), notify_delays=(0.05, 0.1, 0.2, 0.5))
    monkeypatch.setattr(runner, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(runner, "NOTIFY", [replace(each, lifetime=timedelta(seconds=2)) for each in scenarios.NOTIFY])
    with Simulator([merchant], private_key=keys.DANA_PRIVATE_KEY, behaviour=behaviour) as dana:
        settings.DANA = account_with(
            BASE_URL=dana.base_url,
            NOTIFICATION_URL=f"{live_server.url}/dana/v1.0/debit/notify",
            ATTEMPT_DELAYS=[0, 0],
        )
        yield dana
        assert dana.wait_for_notifications(10)


@pytest.fixture
def time_flies(dana: Simulator) -> Iterator[None]:
    """The order that has to expire does so at once."""
    ended = threading.Event()

    def expire() -> None:
        while not ended.wait(0.02):
            for order in dana.snapshot()["orders"]:
                if (order["amount"]["value"], order["state"]) == ("11013.00", "INIT"):
                    dana.order(order["reference"]).expire()

    thread = threading.Thread(target=expire)
    thread.start()
    yield
    ended.set()
    thread.join()


def play(output: Path, **options: Any) -> str:
    """Run the command, and return what it printed, also where not all passed."""
    printed = io.StringIO()
    try:
        call_command("dana_uat", output=output, stdout=printed, no_color=True, **{"wait": 3.0, **options})
    except CommandError as error:
        printed.write(str(error))
    return printed.getvalue()


def table(output: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the file by their scenario."""
    with output.open(encoding="utf-8-sig", newline="") as file:
        return {row["scenario"]: row for row in csv.DictReader(file)}


@pytest.mark.django_db(transaction=True)
def test_all_scenarios_pass_at_the_simulator_and_no_order_is_written(
    dana: Simulator, time_flies: None, tmp_path: Path
) -> None:
    output = tmp_path / "uat.csv"
    printed = play(output)
    rows = table(output)
    assert [row["scenario"] for row in rows.values() if row["passed"] != "yes"] == []
    assert "40 of 40 passed" in printed
    assert set(rows) == {scenario.name for scenario in (*scenarios.CALLS, *scenarios.NOTIFY)}
    assert all(name in printed for name in rows)
    assert rows["QueryPaymentPaidOrder"]["answered"] == "2005500, status 00"
    assert rows["FinishNotifyInternalServerError"]["answered"] == "5005601, status 00"
    assert rows["FinishNotifyExpired"]["answered"] == "2005600, status 05"
    assert '"amount":{"value":"1500","currency":"IDR"}' in rows["CreateOrderInvalidFieldFormat"]["request"]
    assert '"responseCode":"4005401"' in rows["CreateOrderInvalidFieldFormat"]["response"].replace(" ", "")
    assert (Order.objects.count(), ApiCall.objects.count(), OutboxEvent.objects.count()) == (0, 0, 0)
    assert_no_key(printed + output.read_text(encoding="utf-8-sig"))


@pytest.mark.django_db(transaction=True)
def test_the_message_that_was_refused_on_purpose_is_taken_when_it_comes_again(
    dana: Simulator, time_flies: None, tmp_path: Path
) -> None:
    play(tmp_path / "uat.csv")
    assert dana.wait_for_notifications(10)
    refused = Notification.objects.get(error=notifications.REFUSED_ON_PURPOSE)
    again = Notification.objects.filter(body=refused.body).exclude(pk=refused.pk)
    assert [(message.outcome, message.error) for message in again] == [("test", "")]


def assert_no_key(text: str) -> None:
    assert keys.SHOP_PRIVATE_KEY[-100:-50] not in text
    assert "X-SIGNATURE" not in text


@pytest.mark.django_db(transaction=True)
def test_a_scenario_that_fails_says_what_was_expected_and_fails_the_command(
    dana: Simulator, time_flies: None, tmp_path: Path
) -> None:
    dana.faults.add("query:code:1.0:code=5005500")
    printed = play(tmp_path / "uat.csv")
    assert "FAILED  QueryPaymentCreatedOrder" in printed
    assert "2005500, status 01" in printed
    assert "Not passed: QueryPaymentCreatedOrder, QueryPaymentPaidOrder" in printed
    assert "32 of 40 passed" in printed


@pytest.mark.django_db(transaction=True)
def test_a_flaky_sandbox_is_asked_again_with_the_same_body(dana: Simulator, time_flies: None, tmp_path: Path) -> None:
    dana.faults.add("*:http:1.0:status=502:times=1")
    assert "40 of 40 passed" in play(tmp_path / "uat.csv")
    bodies = [request["bodies"] for request in dana.snapshot()["requests"] if request["operation"] == "create"]
    # but for the two that are changed on purpose
    assert sum(len(seen) != 1 for seen in bodies) == 1


@pytest.mark.django_db(transaction=True)
def test_a_dana_that_is_away_fails_every_scenario_and_says_why(settings: Any, tmp_path: Path) -> None:
    settings.DANA = account_with(BASE_URL="http://127.0.0.1:9", ATTEMPT_DELAYS=[0, 0])
    printed = play(tmp_path / "uat.csv")
    assert "0 of 40 passed" in printed
    assert "Connection refused" in printed


@pytest.mark.django_db(transaction=True)
def test_a_shop_that_dana_can_not_reach_is_told_so(dana: Simulator, settings: Any, tmp_path: Path) -> None:
    settings.DANA["default"]["NOTIFICATION_URL"] = "http://127.0.0.1:9/dana/v1.0/debit/notify"
    settings.DANA = settings.DANA
    dana.change_behaviour(notify_delays=(0.05,))
    printed = play(tmp_path / "uat.csv", wait=0.3)
    assert printed.count("No message came. Does DANA reach http://127.0.0.1:9/dana/v1.0/debit/notify") == 3


@pytest.mark.django_db(transaction=True)
def test_a_message_whose_signature_does_not_fit_is_told_so(
    dana: Simulator, time_flies: None, settings: Any, tmp_path: Path
) -> None:
    settings.DANA["default"]["DANA_PUBLIC_KEY"] = keys.SHOP_PUBLIC_KEY
    printed = play(tmp_path / "uat.csv", wait=0.3)
    assert printed.count("A message came, but its signature did not fit") == 3


def test_a_production_account_is_refused(settings: Any, tmp_path: Path) -> None:
    settings.DANA = account_with(ENVIRONMENT="production", BASE_URL=None)
    assert "production account" in play(tmp_path / "uat.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"PRIVATE_KEY": ""}, "exactly one is needed"),
        ({"PRIVATE_KEY": "nonsense"}, "can't be used"),
        ({"MCC": ""}, "has no MCC"),
    ],
)
def test_an_account_that_can_not_be_used_is_refused(
    settings: Any, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    settings.DANA = account_with(**options)
    assert said in play(tmp_path / "uat.csv")


def test_an_unknown_account_is_refused(tmp_path: Path) -> None:
    assert "no account 'other'" in play(tmp_path / "uat.csv", account="other")


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "\uff1d"])
def test_the_table_calculates_nothing_that_dana_wrote(settings: Any, tmp_path: Path, start: str) -> None:
    formula = f'{start}HYPERLINK("https://evil.example")'
    with wires.serving() as wire:
        settings.DANA = account_with(BASE_URL=wire.url, ATTEMPT_DELAYS=[0, 0])
        wire.play(wires.code("5005400", responseMessage=formula))
        play(tmp_path / "uat.csv", wait=0.0)
    cells = [cell for row in table(tmp_path / "uat.csv").values() for cell in row.values()]
    assert f"'{formula}" in cells
    assert not any(cell.startswith(start) for cell in cells)


def test_a_file_that_can_not_be_written_is_refused_before_any_call(tmp_path: Path) -> None:
    assert "can't be written" in play(tmp_path / "missing" / "uat.csv")


# -- what the notification address does for it ------------------------------------------------------------------------


@pytest.fixture
def order(clock: Clock) -> Order:
    """An order of the shop's own over the amount of the scenario."""
    order = new_order(amount=Decimal("11012.00"))
    return change(order, create_status="success", payment_status="initiated", next_attempt_at=None)


def use_production(settings: Any) -> None:
    settings.DANA = account_with(ENVIRONMENT="production", BASE_URL=None)


@pytest.mark.django_db
def test_the_first_00_for_11012_is_answered_5005601_and_applied_on_the_re_send(
    client: Client, order: Order, clock: Clock
) -> None:
    before = facts(order)
    assert_answer(notify(client, order), "5005601")
    assert facts(order) == before
    assert_answer(notify(client, order), "2005600")
    assert fresh(order).payment_status == "paid"
    clock.forward(minutes=30)
    assert_answer(notify(client, order), "2005600")
    kept = Notification.objects.order_by("pk")
    assert [message.outcome for message in kept] == ["failed", "applied", "known"]
    assert {message.order for message in kept} == {order}


@pytest.mark.django_db
def test_it_is_the_first_of_each_order(client: Client, order: Order) -> None:
    assert_answer(notify(client, order), "5005601")
    other = new_order(amount=Decimal("11012.00"))
    assert_answer(notify(client, other), "5005601")
    assert_answer(notify(client, other), "2005600")


@pytest.mark.django_db
def test_a_re_send_after_seven_days_is_none(client: Client, order: Order, clock: Clock) -> None:
    assert_answer(notify(client, order), "5005601")
    clock.forward(days=6, hours=23)
    assert_answer(notify(client, order), "2005600")


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["11011.00", "11012.01", "11013.00", "15000.00"])
def test_no_other_amount_is_refused(client: Client, clock: Clock, amount: str) -> None:
    assert_answer(notify(client, new_order(amount=Decimal(amount))), "2005600")


@pytest.mark.django_db
def test_an_expired_order_of_11012_is_not_refused(client: Client, order: Order) -> None:
    assert_answer(notify(client, order, "05"), "2005600")


@pytest.mark.django_db
def test_no_forger_is_answered_so(client: Client, order: Order) -> None:
    body = compact(notice(order))
    assert_answer(send(client, body, key=keys.SHOP_PRIVATE_KEY), "4015600")
    assert_answer(notify(client, order), "5005601")


@pytest.mark.django_db
def test_a_production_account_is_never_refused_on_purpose(client: Client, settings: Any, clock: Clock) -> None:
    use_production(settings)
    order = new_order(amount=Decimal("11012.00"))
    assert_answer(notify(client, order), "2005600")
    assert fresh(order).payment_status == "paid"


def message_about(reference: str, **changes: Any) -> bytes:
    """What DANA says about an order that stands in no table."""
    unsaved = Order(
        partner_reference_no=reference, merchant_id=MERCHANT_ID, amount=15000, currency="IDR", created_at=timezone.now()
    )
    return compact(notice(unsaved, **changes))


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["00", "05"])
def test_a_message_about_an_order_of_the_test_is_acknowledged(client: Client, status: str) -> None:
    assert_answer(send(client, message_about(notifications.new_reference(), status=status)), "2005600")
    kept = Notification.objects.get()
    assert (kept.outcome, kept.order, kept.verified) == ("test", None, True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reference", "merchant_id"), [("INV-7", MERCHANT_ID), ("uat-7", MERCHANT_ID), ("UAT-7", "another")]
)
def test_any_other_unknown_order_stays_unknown(client: Client, reference: str, merchant_id: str) -> None:
    assert_answer(send(client, message_about(reference, merchantId=merchant_id)), "4045601")


@pytest.mark.django_db
def test_a_production_account_knows_no_order_of_the_test(client: Client, settings: Any) -> None:
    use_production(settings)
    assert_answer(send(client, message_about(notifications.new_reference())), "4045601")


@pytest.mark.django_db
def test_an_order_of_production_is_no_order_of_the_test_whatever_its_reference(
    client: Client, settings: Any, clock: Clock
) -> None:
    of_sandbox = settings.DANA
    use_production(settings)
    order = new_order(partner_reference_no="UAT-7")
    settings.DANA = of_sandbox
    assert_answer(notify(client, order), "4045601")
    assert fresh(order).payment_status == "none"


@pytest.mark.django_db
def test_a_merchant_that_is_also_in_production_has_no_order_of_the_test(client: Client, settings: Any) -> None:
    production = {**settings.DANA["default"], "ENVIRONMENT": "production"}
    settings.DANA = {**settings.DANA, "production": production}
    assert_answer(send(client, message_about(notifications.new_reference())), "4045601")


@pytest.mark.django_db
def test_an_order_of_the_shop_whose_reference_looks_like_the_test_is_an_ordinary_one(
    client: Client, clock: Clock
) -> None:
    order = new_order(partner_reference_no="UAT-7")
    assert_answer(notify(client, order), "2005600")
    assert fresh(order).payment_status == "paid"


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_wait_that_is_none(seconds: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--wait"):
        call_command("dana_uat", "--wait", seconds, "--output", str(tmp_path / "uat.csv"))
