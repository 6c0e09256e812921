"""Erase personal data when RETENTION is over; for cron."""

import argparse
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from django_dana.management.printing import PlainCommand
from django_dana.management.progress import ShownProgress
from django_dana.services import privacy


class Command(PlainCommand):
    """``manage.py dana_prune [--batch-size 1000] [--dry-run]``"""

    help = (
        "Erases the personal data of orders that have been settled for as long as RETENTION says, with the bodies of "
        "their calls and notifications, and deletes notifications as old that have no order. Amounts, references, "
        "states and times stay, and whatever is unsettled is never touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--batch-size`` and ``--dry-run``."""
        parser.add_argument(
            "--batch-size", type=_at_least_one, default=1000, help="Orders, or notifications, per transaction."
        )
        parser.add_argument("--dry-run", action="store_true", help="Count, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and say how much."""
        try:
            with ShownProgress(self.say, "rows") as progress:
                pruned = privacy.prune(batch_size=options["batch_size"], dry_run=options["dry_run"], progress=progress)
        except ImproperlyConfigured as error:
            raise CommandError(f"{error} Nothing was erased.") from None
        self.say(f"{pruned.orders} orders emptied")
        self.say(f"{pruned.calls} replies emptied")
        self.say(f"{pruned.notifications} notifications emptied")
        self.say(f"{pruned.unmatched} notifications without an order deleted")
        self.say(f"{pruned.answers} answers of the REST API deleted")
        if options["dry_run"]:
            self.say("This was a dry run; nothing was saved.")
        progress.refuse_if_stopped()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
