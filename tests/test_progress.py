"""Long commands say how far they are, and Ctrl-C ends them at a row's end."""

import io
import re
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_dana import gateway
from django_dana.management import progress
from django_dana.models import Order
from django_dana.services import privacy
from tests import wire as w
from tests.factories import created_order, new_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(days=200)


@pytest.fixture
def three_old_orders() -> None:
    for _ in range(3):
        new_order()
    Order.objects.update(
        payment_status="paid", next_attempt_at=None, valid_up_to=LONG_AGO, paid_at=LONG_AGO, updated_at=LONG_AGO
    )


@pytest.fixture
def ctrl_c_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C while the first row is worked on."""
    work = privacy._empty_orders

    def press_and_work(orders: Any) -> int:
        if Order.objects.filter(request_body="").count() == 0:
            signal.raise_signal(signal.SIGINT)
        return work(orders)

    monkeypatch.setattr(privacy, "_empty_orders", press_and_work)


def prune() -> str:
    output = io.StringIO()
    try:
        call_command("dana_prune", "--batch-size", "1", stdout=output)
    except CommandError as error:
        output.write(f"{error} [{error.returncode}]")
    return output.getvalue()


@pytest.mark.usefixtures("three_old_orders", "ctrl_c_after_the_first")
def test_ctrl_c_ends_it_when_the_row_is_done_and_says_what_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    said = prune()
    assert said.startswith("1 orders emptied\n")
    assert said.endswith("Ended by Ctrl-C before everything was done. [130]")
    assert Order.objects.filter(request_body="").count() == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert prune().startswith("2 orders emptied\n")


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C is heard, also where whoever started the tests has it ignored, as a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("three_old_orders", "listening")
def test_a_second_ctrl_c_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def press_twice(orders: Any) -> int:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")

    monkeypatch.setattr(privacy, "_empty_orders", press_twice)
    with pytest.raises(KeyboardInterrupt):
        prune()


@pytest.mark.usefixtures("three_old_orders")
def test_in_a_log_there_is_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a second" not in prune(), "it was done before the first line was due"
    Order.objects.update(request_body="{}", updated_at=LONG_AGO)
    monkeypatch.setattr(progress, "_EVERY", 0)
    lines = re.findall(r"^(\d) of 3 rows, [\d,.]+ a second, 0:00:0\d left$", prune(), flags=re.MULTILINE)
    assert lines == ["1", "2", "3"]


@pytest.mark.usefixtures("three_old_orders")
def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    prune()
    assert re.search(r"rows.*3/3.*a second", terminal.getvalue())


def test_without_the_extra_a_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert progress._bar("rows") is None


def test_a_sweep_ends_at_a_row_too(dana: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        created_order(dana)
    Order.objects.update(next_sync_at=timezone.now())
    dana.play(w.status("01"))
    sync = gateway.sync

    def press_and_sync(order_id: int) -> bool:
        signal.raise_signal(signal.SIGINT)
        return sync(order_id)

    monkeypatch.setattr(gateway, "sync", press_and_sync)
    with pytest.raises(CommandError, match="Ctrl-C"):
        call_command("dana_sync_stale", stdout=io.StringIO())
    assert len(dana.bodies(QUERY_PATH)) == 1
    with pytest.raises(CommandError, match="Ctrl-C"):
        call_command("dana_sync_stale", "--dry-run", stdout=io.StringIO())
    assert len(dana.bodies(QUERY_PATH)) == 2
