"""The delays of the package, and the schedule for beat."""

import ast
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from django_dana import schedule, tasks, timing

ACCOUNT: Any = SimpleNamespace(attempt_delays=(2, 5), pending_delays=(30, 60, 300))


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (2, 5), (3, 5), (9, 5)])
def test_attempt_delay(attempts: int, seconds: int) -> None:
    assert timing.attempt_delay(ACCOUNT, attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("retries", "seconds"), [(0, 30), (1, 60), (2, 300), (9, 300)])
def test_pending_delay_grows_and_then_repeats(retries: int, seconds: int) -> None:
    for _ in range(50):
        delay = timing.pending_delay(ACCOUNT, retries)
        assert timedelta(seconds=seconds) <= delay <= timedelta(seconds=seconds * 1.1)


def test_pending_delay_goes_a_step_further_where_dana_wants_fewer_calls() -> None:
    assert timing.pending_delay(ACCOUNT, 0, patience=True) >= timedelta(seconds=60)
    assert timing.pending_delay(ACCOUNT, 2, patience=True) >= timedelta(seconds=300)


def test_pending_delay_follows_retry_after_up_to_a_day() -> None:
    assert timing.pending_delay(ACCOUNT, 0, retry_after=1000) == timedelta(seconds=1000)
    assert timing.pending_delay(ACCOUNT, 0, retry_after=1e9) == timedelta(days=1)
    assert timing.pending_delay(ACCOUNT, 0, retry_after=1) >= timedelta(seconds=30)


def test_schedule_names_tasks_and_lets_no_message_outlive_the_next() -> None:
    for name, entry in schedule.BEAT_SCHEDULE.items():
        assert entry["task"] == getattr(tasks, name.removeprefix("django_dana.")).name
        assert entry["options"]["expires"] <= entry["schedule"]


def test_every_delay_says_what_it_is_for() -> None:
    lines = Path(timing.__file__).read_text(encoding="utf-8").splitlines()
    constants = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.AnnAssign)]
    assert len(constants) > 5
    for constant in constants:
        assert lines[constant.lineno - 2].startswith("#:"), lines[constant.lineno - 1]
