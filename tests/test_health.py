"""Whether all is well: what is green, what is red, and what it costs to know."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django import db
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from django_dana import conf, tasks
from django_dana.health import findings, metrics, views
from django_dana.health.findings import MOST_READ, Level
from django_dana.models import ApiCall, CancelRequest, Notification, Order, OutboxEvent, RefundRequest, Sweep
from django_dana.schedule import BEAT_SCHEDULE
from tests.conftest import Clock
from tests.factories import account_with, new_order, paid_order, statements
from tests.wire import Wire

pytestmark = pytest.mark.django_db

SETTLED = {"create_status": "success", "payment_status": "paid", "next_attempt_at": None}


@pytest.fixture(autouse=True)
def look_again() -> Iterator[None]:
    """What another test found is not what is there now."""
    views.latest.forget()
    yield
    views.latest.forget()


@pytest.fixture
def swept() -> None:
    """Both periodic tasks have just come to their end."""
    Sweep.objects.note_end("retry_due")
    Sweep.objects.note_end("sync_stale")


def settled_order(**fields: Any) -> Order:
    """Return a paid order with nothing due."""
    order = new_order()
    Order.objects.filter(pk=order.pk).update(**{**SETTLED, "paid_at": timezone.now(), **fields})
    return Order.objects.get(pk=order.pk)


def heard(order: Order | None, **fields: Any) -> Notification:
    """Keep a message from DANA."""
    return Notification.objects.create(
        **{"account": "default", "verified": True, "outcome": "applied", "order": order, **fields}
    )


def failing_event(attempts: int = 3) -> OutboxEvent:
    """Keep a signal whose receiver raised."""
    return OutboxEvent.objects.create(
        name="order_paid",
        order=settled_order(),
        attempts=attempts,
        error="ZeroDivisionError",
        due_at=timezone.now() + timedelta(minutes=1),
    )


def health(*options: str) -> tuple[int, str]:
    """Return the exit status of the command, and what it printed."""
    out = StringIO()
    try:
        call_command("dana_health", *options, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def found(check: str) -> list[tuple[str, str, str, int]]:
    """Return what one check says: level, subject, account, count."""
    return [
        (finding.level.value, finding.subject, finding.account, finding.count)
        for finding in findings.report().findings
        if finding.check == check
    ]


# -- green ------------------------------------------------------------------------------------------------------------


def test_a_shop_whose_sweeps_run_is_healthy(dana: Wire, client: Client) -> None:
    order = paid_order(dana)
    heard(order)
    tasks.retry_due()
    tasks.sync_stale()
    status, output = health()
    assert status == 0
    assert "error" not in output
    assert "warning" not in output
    response = client.get("/dana/health/")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"


@pytest.mark.parametrize("command", ["dana_retry_due", "dana_sync_stale"])
def test_cron_alone_counts_as_well_as_beat(command: str) -> None:
    call_command(command)
    assert list(Sweep.objects.values_list("name", flat=True)) == [command.removeprefix("dana_")]


def test_a_dry_run_is_no_sweep() -> None:
    call_command("dana_sync_stale", "--dry-run")
    assert not Sweep.objects.exists()


def test_a_sweep_is_one_row_however_often_it_ends(clock: Clock) -> None:
    Sweep.objects.note_end("retry_due")
    clock.forward(seconds=15)
    Sweep.objects.note_end("retry_due")
    assert timezone.now() - Sweep.objects.get().ended_at < timedelta(seconds=5)


def test_a_first_sweep_survives_another_first_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def beaten(self: Any, **fields: Any) -> int:
        # between the write that found no row and ours, the other sweep has written its row
        Sweep.objects.bulk_create([Sweep(name="retry_due", ended_at=timezone.now())])
        return 0

    monkeypatch.setattr(QuerySet, "update", beaten)
    Sweep.objects.note_end("retry_due")
    assert Sweep.objects.count() == 1


# -- red --------------------------------------------------------------------------------------------------------------


def no_sweep() -> None:
    Sweep.objects.all().delete()


def old_sweep() -> None:
    Sweep.objects.filter(name="sync_stale").update(ended_at=timezone.now() - timedelta(minutes=31))


def overdue_create() -> None:
    order = new_order()
    Order.objects.filter(pk=order.pk).update(next_attempt_at=timezone.now() - timedelta(minutes=11))


def overdue_cancel() -> None:
    CancelRequest.objects.create(
        order=settled_order(),
        amount=1,
        next_attempt_at=timezone.now() - timedelta(minutes=11),
        give_up_at=timezone.now() + timedelta(hours=1),
    )


def overdue_refund() -> None:
    RefundRequest.objects.create(
        order=settled_order(),
        amount=1,
        next_attempt_at=timezone.now() - timedelta(minutes=11),
        give_up_at=timezone.now() + timedelta(hours=1),
    )


def overdue_signal() -> None:
    OutboxEvent.objects.create(name="order_paid", order=settled_order(), due_at=timezone.now() - timedelta(minutes=11))


def overdue_query() -> None:
    settled_order(next_sync_at=timezone.now() - timedelta(minutes=31))


def overdue_end() -> None:
    settled_order(payment_status="initiated", valid_up_to=timezone.now() - timedelta(minutes=36))


def failing_receiver() -> None:
    failing_event()


def unusable_account() -> None:
    settled_order(needs_attention="account")


def refused_account() -> None:
    settled_order(needs_attention="account_refused")


def unheard_payments() -> None:
    for _number in range(3):
        settled_order(paid_at=timezone.now() - timedelta(hours=1))


def calls_without_success(operation: str = "create", rule_code: str = "no_reply", times: int = 5) -> None:
    orders = [settled_order() for _number in range(3)]
    for number in range(times):
        ApiCall.objects.create(
            order=orders[number % 3],
            operation=operation,
            external_id=f"{operation}{number}",
            started_at=timezone.now() - timedelta(minutes=2),
            duration_ms=8000,
            rule_code=rule_code,
        )


REDS: list[tuple[Callable[[], None], str, str]] = [
    (no_sweep, "sweeps", "retry_due was never seen: is beat (or cron) running?"),
    (old_sweep, "sweeps", "sync_stale was not seen for 31\xa0minutes"),
    (overdue_create, "queues", "1 due, the oldest for 11\xa0minutes."),
    (overdue_cancel, "queues", "1 due, the oldest for 11\xa0minutes."),
    (overdue_refund, "queues", "1 due, the oldest for 11\xa0minutes."),
    (overdue_signal, "queues", "1 due, the oldest for 11\xa0minutes."),
    (overdue_query, "queues", "1 due, the oldest for 31\xa0minutes."),
    (overdue_end, "queues", "1 due, the oldest for 36\xa0minutes."),
    (failing_receiver, "receivers", "A receiver of order_paid fails: 1 not told"),
    (unusable_account, "attention", "1 need a person to look: order.account."),
    (refused_account, "attention", "1 need a person to look: order.account_refused."),
    (unheard_payments, "messages", "The last 3 payments came without a message from DANA"),
    (calls_without_success, "calls", "None of the last 5 calls had success at DANA"),
]


@pytest.mark.parametrize(("break_it", "check", "sentence"), REDS, ids=[red[0].__name__ for red in REDS])
@pytest.mark.usefixtures("swept")
def test_what_is_wrong_is_said(client: Client, break_it: Callable[[], None], check: str, sentence: str) -> None:
    assert health()[0] == 0
    break_it()
    status, output = health()
    assert status == 1
    first = output.splitlines()[0]
    assert first.startswith(f"error   {check}"), output
    assert sentence in first
    response = client.get("/dana/health/")
    assert response.status_code == 503
    assert response.json()["status"] == "error"


@pytest.mark.usefixtures("swept")
def test_an_account_that_the_setting_spoils_is_an_error(settings: Any) -> None:
    settings.DANA = {**account_with(), "other": {"ENVIRONMENT": "sandbox"}}
    assert found("accounts") == [("error", "", "other", 1)]


@pytest.mark.usefixtures("swept")
def test_a_setting_that_raises_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def vault_is_closed() -> None:
        raise ConnectionError

    monkeypatch.setattr(conf, "raw_accounts", vault_is_closed)
    assert found("accounts") == [("error", "", "", 0)]


def test_a_database_that_is_gone_is_an_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(now: Any) -> Any:
        raise db.OperationalError

    monkeypatch.setattr(findings, "CHECKS", {"sweeps": gone})
    response = client.get("/dana/health/")
    assert response.status_code == 503
    assert [finding["check"] for finding in response.json()["findings"]] == ["database"]
    assert health()[0] == 1


# -- what is no error -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("swept")
def test_what_needs_a_person_is_a_warning_and_an_error_if_asked_for() -> None:
    settled_order(needs_attention="conflict")
    settled_order(needs_attention="conflict")
    assert found("attention") == [("warning", "order.conflict", "default", 2)]
    assert health()[0] == 0
    assert health("--strict")[0] == 1


@pytest.mark.usefixtures("swept")
def test_no_stranger_makes_the_shop_look_ill(client: Client) -> None:
    for _number in range(5):
        client.post("/dana/v1.0/debit/notify", b"{}", content_type="application/json")
    assert found("signatures") == [("warning", "", "", 5)]
    assert health()[0] == 0


@pytest.mark.usefixtures("swept")
def test_signatures_refused_long_ago_are_no_news(client: Client, clock: Clock) -> None:
    client.post("/dana/v1.0/debit/notify", b"{}", content_type="application/json")
    clock.forward(hours=2)
    assert found("signatures") == [("ok", "", "", 0)]


@pytest.mark.usefixtures("swept")
def test_what_is_due_for_a_moment_is_no_error() -> None:
    new_order()
    assert ("ok", "creates", "default", 1) in found("queues")


@pytest.mark.usefixtures("swept")
def test_a_receiver_that_failed_once_is_a_warning() -> None:
    failing_event(attempts=1)
    assert found("receivers") == [("warning", "order_paid", "default", 1)]


@pytest.mark.usefixtures("swept")
def test_one_payment_with_a_message_shows_that_messages_arrive() -> None:
    unheard_payments()
    heard(settled_order(paid_at=timezone.now() - timedelta(hours=2)))
    assert [(level, account) for level, _subject, account, _count in found("messages")] == [("ok", "default")]


@pytest.mark.usefixtures("swept")
def test_payments_of_this_minute_may_still_be_told() -> None:
    for _number in range(3):
        settled_order()
    assert found("messages") == [("ok", "", "", 0)]


@pytest.mark.parametrize(
    ("operation", "rule_code", "times"),
    [("create", "no_reply", 4), ("query", "4045501", 5), ("cancel", "4035715", 5), ("create", "2005400", 5)],
    ids=["few calls", "orders DANA does not know", "refused cancels", "success"],
)
@pytest.mark.usefixtures("swept")
def test_these_calls_are_no_error(operation: str, rule_code: str, times: int) -> None:
    calls_without_success(operation, rule_code, times)
    assert found("calls") == [("ok", "", "", 0)]


@pytest.mark.usefixtures("swept")
def test_each_account_is_told_apart(settings: Any) -> None:
    settings.DANA = {**account_with(), "second": account_with()["default"]}
    overdue_create()
    new_order(account="second")
    assert [line for line in found("queues") if line[1] == "creates"] == [
        ("error", "creates", "default", 1),
        ("ok", "creates", "second", 1),
    ]


# -- the answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["health", "metrics"])
def test_it_needs_no_login_and_is_not_cached(client: Client, settings: Any, route: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    response = client.get(f"/dana/{route}/")
    assert response.status_code in (200, 503)
    assert "no-store" in response["Cache-Control"]
    assert client.post(f"/dana/{route}/").status_code == 405


@pytest.mark.parametrize("route", ["health", "metrics"])
def test_it_names_no_order(client: Client, route: str) -> None:
    order = new_order(title="Secret title", partner_reference_no="INV-4711")
    Order.objects.filter(pk=order.pk).update(needs_attention="conflict")
    text = client.get(f"/dana/{route}/").content.decode()
    assert "INV-4711" not in text
    assert "Secret title" not in text
    assert str(order.public_id) not in text


def test_a_process_looks_once_in_a_few_seconds(client: Client, clock: Clock) -> None:
    client.get("/dana/health/")
    with statements() as heard_statements:
        client.get("/dana/health/")
        client.get("/dana/metrics/")
    assert heard_statements == []
    clock.forward(seconds=6)
    with statements() as heard_statements:
        client.get("/dana/health/")
    assert heard_statements


def test_the_command_prints_json_as_the_route_answers_it(client: Client) -> None:
    printed = json.loads(health("--json")[1])
    answered = client.get("/dana/health/").json()
    assert [finding["check"] for finding in printed["findings"]] == [
        finding["check"] for finding in answered["findings"]
    ]
    assert printed.keys() == answered.keys()


@pytest.mark.usefixtures("swept")
def test_the_metrics_are_what_prometheus_reads(client: Client) -> None:
    overdue_create()
    failing_receiver()
    settled_order(needs_attention="conflict")
    response = client.get("/dana/metrics/")
    assert response["Content-Type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }
    assert samples["dana_healthy",] == 0
    assert samples["dana_errors", "queues"] == 1
    assert samples["dana_due_rows", "creates", "default"] == 1
    assert 660 <= samples["dana_oldest_due_seconds", "creates", "default"] < 670
    assert samples["dana_due_rows", "", "cancels"] == 0
    assert samples["dana_failing_signals", "default", "order_paid"] == 1
    assert samples["dana_needs_attention", "default", "order.conflict"] == 1
    assert samples["dana_last_sweep_timestamp_seconds", "", "retry_due"] > 0
    assert samples["dana_refused_signatures", ""] == 0


def test_without_its_extra_the_metrics_say_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django_dana.health.metrics", None)
    monkeypatch.delattr("django_dana.health.metrics", raising=False)
    response = client.get("/dana/metrics/")
    assert response.status_code == 501
    assert b"django-dana[metrics]" in response.content


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_it_takes_as_many_queries_for_many_rows_as_for_none() -> None:
    with statements() as before:
        findings.report()
    for _number in range(5):
        overdue_create()
        overdue_cancel()
        failing_event()
        heard(settled_order(needs_attention="conflict"))
    with statements() as after:
        findings.report()
    assert len(after) == len(before)


def test_no_query_counts_and_none_is_without_a_limit() -> None:
    with statements() as sent:
        findings.report()
    # the periodic tasks are two rows
    assert all(f"LIMIT {MOST_READ}" in sql or "LIMIT 100" in sql or "dana_sweep" in sql for sql in sent)
    assert not any("COUNT(" in sql for sql in sent)


FINDS: list[tuple[Callable[[], QuerySet[Any]], str]] = [
    (lambda: findings.QUEUES["creates"].find(timezone.now()), "dana_order_due"),
    (lambda: findings.QUEUES["cancels"].find(timezone.now()), "dana_cancel_due"),
    (lambda: findings.QUEUES["refunds"].find(timezone.now()), "dana_refund_due"),
    (lambda: findings.QUEUES["signals"].find(timezone.now()), "dana_outbox_due"),
    (lambda: findings.QUEUES["queries"].find(timezone.now()), "dana_order_sync_due"),
    (lambda: findings.QUEUES["unanswered"].find(timezone.now()), "dana_order_unanswered"),
    (lambda: findings.with_attention(Order, "conflict"), "dana_order_attention"),
    (lambda: findings.with_attention(CancelRequest, "refused"), "dana_cancel_attention"),
    (lambda: findings.with_attention(RefundRequest, "refused"), "dana_refund_attention"),
    (lambda: findings.latest_payments(timezone.now()), "dana_order_paid"),
    (findings.latest_messages, "dana_notification_verified"),
    (findings.latest_refused, "dana_notification_verified"),
]


@pytest.mark.parametrize(("find", "index"), FINDS, ids=[f"{number}-{find[1]}" for number, find in enumerate(FINDS)])
def test_it_is_found_by_its_index(find: Callable[[], QuerySet[Any]], index: str) -> None:
    if connection.vendor == "postgresql":
        # of an empty table it takes any index, and none unless it is made to
        index = "Index"
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in find().values_list("pk", flat=True)[:MOST_READ].explain()


def test_levels_are_in_order() -> None:
    assert [level.value for level in Level] == ["ok", "warning", "error"]


def test_the_sweeps_that_are_looked_for_are_in_the_beat_schedule() -> None:
    assert {f"django_dana.{name}" for name in findings.SWEEPS} == set(BEAT_SCHEDULE)


# -- the page ---------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "monitoring.rst").read_text()


def loggers() -> list[str]:
    """Return the names of the loggers that the package writes to; the simulator is no part of a shop."""
    package = ROOT / "django_dana"
    modules = {path: re.findall(r"getLogger\((.+?)\)", path.read_text()) for path in package.rglob("*.py")}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts) if name == "__name__" else name.strip('"')
        for path, found in modules.items()
        for name in found
    }
    return sorted(name for name in names if not name.startswith("django_dana.simulator"))


@pytest.mark.parametrize("name", loggers())
def test_the_page_names_every_logger_or_one_above_it(name: str) -> None:
    parts = name.split(".")
    above = {".".join(parts[:length]) for length in range(2, len(parts) + 1)}
    assert any(f"   * - ``{candidate}``" in PAGE for candidate in above)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"   \* - ``(django_dana[.\w]*)``", PAGE))))
def test_every_logger_of_the_page_is_there(name: str) -> None:
    assert any(f"{logger}.".startswith(f"{name}.") for logger in loggers())


def test_the_page_names_every_check_and_every_metric() -> None:
    for name in (*findings.CHECKS, *(gauge.name for gauge in metrics.GAUGES), "dana_healthy", "dana_errors"):
        assert f"``{name}``" in PAGE
