"""Do what is due: for cron, where there is no beat."""

from typing import Any

from django_dana import tasks
from django_dana.management.printing import PlainCommand


class Command(PlainCommand):
    """``manage.py dana_retry_due``"""

    help = (
        "Does what is due now: creates, cancels and signals that are to be tried (again). Runs at most a few minutes."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one sweep in this process."""
        tasks.retry_due()
