"""Empty the long texts of what is settled; for cron."""

import argparse
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from django_dana.management.printing import PlainCommand
from django_dana.services import privacy


class Command(PlainCommand):
    """``manage.py dana_prune [--days 90] [--batch-size 1000] [--dry-run]``"""

    help = (
        "Empties the bodies of calls and notifications of orders that have been settled for some time, and deletes "
        "notifications as old that have no order. Orders and whatever is unsettled are never touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--days``, ``--batch-size`` and ``--dry-run``."""
        parser.add_argument("--days", type=_at_least_one, default=90, help="How old it must be; 90 if left out.")
        parser.add_argument(
            "--batch-size", type=_at_least_one, default=1000, help="Orders, or notifications, per transaction."
        )
        parser.add_argument("--dry-run", action="store_true", help="Count, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and say how much."""
        try:
            before = timezone.now() - timedelta(days=options["days"])
        except OverflowError:
            raise CommandError("--days goes back beyond the calendar.") from None
        pruned = privacy.prune(
            before=before,
            batch_size=options["batch_size"],
            dry_run=options["dry_run"],
        )
        self.say(f"{pruned.calls} replies emptied")
        self.say(f"{pruned.notifications} notifications emptied")
        self.say(f"{pruned.unmatched} notifications without an order deleted")
        if options["dry_run"]:
            self.say("This was a dry run; nothing was saved.")


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
