"""Do what is due: for cron, where there is no beat."""

from typing import Any

from django.core.management.base import BaseCommand

from django_dana import tasks


class Command(BaseCommand):
    """``manage.py dana_retry_due``"""

    help = (
        "Does what is due now: creates, cancels and signals that are to be tried (again). Runs at most a few minutes."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one sweep in this process."""
        tasks.retry_due()
