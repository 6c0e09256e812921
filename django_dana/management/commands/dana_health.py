"""Say what is overdue, failing or unheard of."""

import json
import sys
from typing import Any

from django.core.management.base import CommandParser

from django_dana.health import findings
from django_dana.health.findings import Finding, Level
from django_dana.management.printing import PlainCommand


class Command(PlainCommand):
    """``manage.py dana_health [--strict] [--json]``"""

    help = "Says what is overdue, failing or unheard of. Exit status 1 if anything is."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--strict", action="store_true", help="exit status 1 also for warnings: where a person should look"
        )
        parser.add_argument("--json", action="store_true", help="print what health/ answers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found, the worst first."""
        report = findings.report()
        if options["json"]:
            # in ASCII, and so without control characters
            self.stdout.write(json.dumps(report.as_json(), indent=2))
        else:
            for level in reversed(Level):
                for finding in report.findings:
                    if finding.level == level:
                        self._show(finding)
        if not report.is_healthy or (options["strict"] and report.level != Level.OK):
            sys.exit(1)

    def _show(self, finding: Finding) -> None:
        style = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        what = " ".join(filter(None, (finding.check, finding.subject, finding.account)))
        self.say(f"{finding.level:<8}{what}: {finding.sentence}", style[finding.level])
