"""Ask DANA about what is overdue: for cron, where there is no beat, and to see beforehand what would change."""

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from django_dana import gateway, tasks
from django_dana.management.printing import PlainCommand
from django_dana.management.progress import ShownProgress
from django_dana.models import Order


class Command(PlainCommand):
    """``manage.py dana_sync_stale [--dry-run]``"""

    help = "Asks DANA about the orders whose end is overdue, and now and then about those that stay open for long."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--dry-run``."""
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Ask DANA, print what its answers would change, and save nothing.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one sweep in this process, or show what it would do."""
        with ShownProgress(self.say, "orders") as progress:
            if options["dry_run"]:
                self._show_what_would_change(progress)
            else:
                tasks.sweep_stale(progress)
        progress.refuse_if_stopped()

    def _show_what_would_change(self, progress: ShownProgress) -> None:
        found = (tasks.due_syncs(), tasks.unanswered(), tasks.long_open(), tasks.paid_sample())
        order_ids = dict.fromkeys(pk for orders in found for pk in orders.values_list("pk", flat=True))
        progress.expect(lambda: len(order_ids))
        looked_at = 0
        for order_id in order_ids:
            if progress.is_stopped:
                break
            progress.say(_what_would_change(order_id))
            progress.advance()
            looked_at += 1
        self.say(f"Orders looked at: {looked_at}; nothing was saved.")


def _what_would_change(order_id: int) -> str:
    before = Order.objects.get(pk=order_id)
    # The call is made, since only its answer tells; all that is written about it is rolled back. What a receiver of
    # the shop does could not be, so none is told.
    with transaction.atomic():
        gateway.sync(order_id)
        after = Order.objects.get(pk=order_id)
        transaction.set_rollback(True)
    changes = [
        f"{name} {getattr(before, name) or '-'} → {getattr(after, name) or '-'}"
        for name in ("create_status", "payment_status", "needs_attention")
        if getattr(before, name) != getattr(after, name)
    ]
    return f"{before.partner_reference_no}: {', '.join(changes) or 'no change'}"
