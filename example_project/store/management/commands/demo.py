"""``manage.py demo``: watch a payment happen, from the purchase to the refund."""

import signal
import time
from argparse import ArgumentParser
from io import StringIO
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from store.demo.processes import DemoError, Shop, start_afresh
from store.demo.story import ROLES, STAFF_NAME, STAFF_PASSWORD, Story


class Command(BaseCommand):
    """Start everything, tell the story, serve until Ctrl-C."""

    help = "Starts the shop, its workers and a DANA simulator, tells the story of a payment, and goes on serving."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the ports, and whether to go on serving."""
        parser.add_argument("--port", type=int, default=8000, help="port of the shop (default: 8000)")
        parser.add_argument(
            "--simulator-port", type=int, default=8900, help="port of the DANA simulator (default: 8900)"
        )
        parser.add_argument("--exit", action="store_true", help="end after the story, with 0 if every step held")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell the story."""
        signal.signal(signal.SIGTERM, _end)
        try:
            start_afresh()
            _check_database()
            self._say("Starting the shop, a worker, beat and a DANA simulator ...")
            with Shop(options["port"], options["simulator_port"]) as shop:
                self._tell(shop)
                if not options["exit"]:
                    self._serve(shop)
        except DemoError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self._say("")
        self._say("All processes have ended.")

    def _tell(self, shop: Shop) -> None:
        _hire_staff()
        for number, (what, where) in enumerate(Story(shop).tell(), start=1):
            self._say(f"{self.style.SUCCESS('✓')} {number}. {what}")
            self._say(f"     {where}")

    def _serve(self, shop: Shop) -> None:
        self._say("")
        self._say("Now do it yourself:")
        self._say(f"  the shop            {shop.url}/")
        self._say(f"  the admin           {shop.url}/admin/  ({STAFF_NAME} / {STAFF_PASSWORD})")
        self._say(f"    who may do less    {', '.join(ROLES)}  (each with {STAFF_PASSWORD})")
        self._say(f"  DANA, the simulator {shop.simulator_url}/")
        self._say(f"  logs                {settings.VAR / 'logs'}")
        self._say("Ctrl-C ends everything.")
        while not (ended := shop.ended()):
            time.sleep(0.5)
        name = ended[0]
        raise DemoError(f"The {name} has ended by itself. Its last words:\n{shop.last_words(name)}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _check_database() -> None:
    """Leave a database alone that is not the demo's: its member of staff has a password that everybody knows.

    Raises:
        DemoError: it has users whom no demo has put there.
    """
    if User._meta.db_table not in connection.introspection.table_names():
        return
    staff = User.objects.filter(username=STAFF_NAME).first()
    is_ours = staff.check_password(STAFF_PASSWORD) if staff else not User.objects.exists()
    if not is_ours:
        raise DemoError(
            "The database has users already, and the demo would add one whose password everybody knows. "
            "Name an empty database in DATABASE_URL, or none."
        )


def _hire_staff() -> None:
    """Make sure of the staff, who may be there from an earlier run on a database of one's own."""
    call_command("dana_roles", stdout=StringIO())
    if not User.objects.filter(username=STAFF_NAME).exists():
        User.objects.create_superuser(STAFF_NAME, password=STAFF_PASSWORD)
    for name, group in ROLES.items():
        person, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        if is_new:
            person.set_password(STAFF_PASSWORD)
            person.save()
            person.groups.add(Group.objects.get(name=group))


def _end(number: int, frame: FrameType | None) -> None:
    # SIGTERM ends the demo as Ctrl-C does, with every process
    raise KeyboardInterrupt
