"""What the commands print: also texts of DANA, of strangers and of buyers, which must not steer a terminal."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_dana.display import one_line


class PlainCommand(BaseCommand):
    """A command whose lines hold no control characters but its own colours."""

    def say(self, line: str = "", style: Callable[[str], str] | None = None) -> None:
        """Print one line."""
        self.stdout.write(one_line(line), style)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, and refuse as plainly as it prints."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            raise CommandError(one_line(str(error)), returncode=error.returncode) from None
