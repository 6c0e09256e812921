"""What waits for a person, on the screen or by mail; cron sends it every morning."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.mail import send_mail
from django.core.management.base import CommandParser
from django.utils.translation import gettext, ngettext

from django_dana.display import moment, one_line
from django_dana.management.printing import PlainCommand
from django_dana.models import Order
from django_dana.services.inbox import Waiting, waiting


class Command(PlainCommand):
    """``manage.py dana_inbox [--mail ADDRESS …]``"""

    help = "Lists what waits for a person, oldest first. With --mail it is sent there, if anything waits."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the addresses."""
        parser.add_argument("--mail", nargs="+", metavar="ADDRESS", default=[], help="send it there by Django's mail")

    def handle(self, *args: Any, **options: Any) -> None:
        """List it, or send it."""
        items = waiting(Order.objects.order_by())
        if options["mail"] and items:
            _send(items, options["mail"])
        if options["mail"] or not items:
            self.say(_subject(len(items)))
            return
        for line in _lines(items):
            self.say(line)


def _send(items: Sequence[Waiting], addresses: Sequence[str]) -> None:
    send_mail(
        _subject(len(items)), "\n".join(map(one_line, _lines(items))), from_email=None, recipient_list=list(addresses)
    )


def _subject(number: int) -> str:
    if not number:
        return gettext("DANA: nothing needs attention")
    return ngettext("DANA: %d thing waits for a person", "DANA: %d things wait for a person", number) % number


def _lines(items: Sequence[Waiting]) -> Iterator[str]:
    for item in items:
        yield gettext("%(what)s [%(badge)s], since %(when)s") % {
            "what": item.what,
            "badge": item.badge,
            "when": moment(item.since),
        }
        yield f"  {item.cause}"
        if item.act:
            yield f"  → {item.act}"
