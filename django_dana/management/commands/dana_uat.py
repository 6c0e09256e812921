"""DANA's acceptance test: what the merchant portal demands before a shop goes live."""

import csv
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from django_dana import conf
from django_dana.display import csv_cell
from django_dana.exceptions import InvalidKey, UnknownAccount
from django_dana.management.printing import PlainCommand
from django_dana.management.progress import ShownProgress
from django_dana.protocol import notation
from django_dana.uat import runner
from django_dana.uat.runner import Result
from django_dana.uat.sandbox import Sandbox


class Command(PlainCommand):
    """``manage.py dana_uat [--account ALIAS] [--wait SECONDS] [--output FILE]``"""

    help = (
        "Plays the scenarios of DANA's acceptance test against a sandbox account, or the simulator: Create Order, "
        "Cancel Order, Query Payment and Finish Notify. It writes no orders. For Finish Notify the shop must be "
        "running, on this database, and DANA must reach its NOTIFICATION_URL."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the options."""
        parser.add_argument("--account", default="default", help="alias of a sandbox account (default: default)")
        parser.add_argument(
            "--wait", type=_seconds, default=120.0, metavar="SECONDS", help="how long a message may take (default: 120)"
        )
        parser.add_argument(
            "--output",
            type=Path,
            default=Path("dana-uat.csv"),
            metavar="FILE",
            help="the table with all that was sent and answered, to hand in (default: dana-uat.csv)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Play, print and write the table. Raises CommandError if a scenario did not pass."""
        sandbox = _sandbox(options["account"])
        _check_writable(options["output"])
        self.say(f"Merchant {sandbox.account.merchant_id} at {sandbox.account.base_url}")
        self.say("Finish Notify comes last: one order has to expire, which takes two and a quarter minutes.")
        self.say(f"        {'scenario':<36}{'answered':<20}remark")
        results = []
        with ShownProgress(self.say, "scenarios") as progress:
            for result in runner.run(sandbox, wait=options["wait"], progress=progress):
                results.append(result)
                self._show(result, progress)
        _write(options["output"], sandbox.account.merchant_id, results)
        failed = [result.name for result in results if not result.passed]
        self.say(f"{len(results) - len(failed)} of {len(results)} passed. Written to {options['output']}.")
        progress.refuse_if_stopped()
        if failed:
            raise CommandError(f"Not passed: {', '.join(failed)}.")

    def _show(self, result: Result, progress: ShownProgress) -> None:
        verdict, style = ("passed", self.style.SUCCESS) if result.passed else ("FAILED", self.style.ERROR)
        progress.say(f"{verdict}  {result.name:<36}{result.answered or 'nothing':<20}{result.remark}", style)
        if not result.passed:
            progress.say(f"        {'expected':<36}{result.expected}")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise ArgumentTypeError("must be a number of seconds, at most a day")
    return seconds


def _sandbox(alias: str) -> Sandbox:
    try:
        account = conf.account(alias)
        if not account.is_sandbox:
            raise CommandError(f"The account {alias!r} is a production account; the test needs one of the sandbox.")
        return Sandbox(account)
    except (UnknownAccount, ImproperlyConfigured, InvalidKey) as error:
        raise CommandError(f"The account {alias!r} can't be used: {error}") from None


def _check_writable(path: Path) -> None:
    """Not after a run of minutes: the file must be possible before the first call."""
    try:
        path.touch()
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}.") from None


def _write(path: Path, merchant_id: str, results: Sequence[Result]) -> None:
    rows = [_row(result, merchant_id) for result in results]
    # with a byte order mark, by which spreadsheets know UTF-8
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, fieldnames=rows[0])
        table.writeheader()
        table.writerows(rows)


def _row(result: Result, merchant_id: str) -> dict[str, str]:
    cells = {
        "scenario": result.name,
        "passed": "yes" if result.passed else "no",
        "expected": result.expected,
        "answered": result.answered,
        "remark": result.remark,
        "time": notation.jakarta_time(result.at),
        "merchantId": merchant_id,
        "partnerReferenceNo": result.reference,
        "request": result.request_body,
        "response": result.response_body,
    }
    return {name: csv_cell(value) for name, value in cells.items()}
