"""``manage.py dana_simulator``: a DANA on this machine."""

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.core.management.base import CommandError

from django_dana import conf
from django_dana.exceptions import InvalidKey
from django_dana.management.printing import PlainCommand
from django_dana.protocol import signing

if TYPE_CHECKING:
    from django_dana.simulator import Simulator


class Command(PlainCommand):
    """Serve the sandbox accounts of the DANA setting until it is interrupted."""

    help = (
        "A DANA on this machine. It knows the sandbox accounts of the DANA setting: their merchant and partner ids and "
        "the public halves of their private keys. It prints its own public key."
    )
    # the checks of a shop that is still being set up must not keep its DANA from starting
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8900, help="port to listen on (default: 8900)")
        parser.add_argument("--public-url", default="", help="how browsers reach it, if not by host and port")
        parser.add_argument(
            "--control-token",
            default="",
            metavar="TOKEN",
            help="what the control API and the overview ask for (default: a random one if others can reach them)",
        )
        parser.add_argument(
            "--fault", action="append", default=[], metavar="SPEC", help="what goes wrong, e.g. create:drop_reply:0.2"
        )
        parser.add_argument("--seed", type=int, help="makes a run repeatable (default: a new one in every run)")
        parser.add_argument(
            "--private-key-file",
            type=Path,
            metavar="PATH",
            help="file with the key that signs notifications; written if it does not exist. Default: a new key",
        )
        parser.add_argument(
            "--notify-delay",
            type=float,
            nargs="+",
            metavar="SECONDS",
            help="seconds before the first, second, ... attempt to deliver a notification; then it is given up",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM. Raises CommandError where it can't start."""
        # imported here: nothing of the simulator is loaded unless this command runs
        from django_dana.simulator import Behaviour, Simulator

        accounts = [account for account in conf.accounts() if account.is_sandbox]
        if not accounts:
            raise CommandError("The simulator serves sandbox accounts only, and the DANA setting has none.")
        changes = {"notify_delays": options["notify_delay"]} if options["notify_delay"] else {}
        try:
            dana = Simulator(
                [_merchant(account) for account in accounts],
                host=options["host"],
                port=options["port"],
                private_key=_own_key(options["private_key_file"]) if options["private_key_file"] else None,
                seed=options["seed"],
                faults=options["fault"],
                behaviour=Behaviour().changed(changes),
                public_url=options["public_url"],
                control_token=options["control_token"],
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from None
        try:
            dana.start()
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Cannot listen on {options['host']}:{options['port']} ({error}). Choose another port with --port."
            ) from None
        self._introduce(dana.base_url, dana.public_key, accounts)
        self._explain_access(dana)
        _wait_for_signal()
        dana.close()
        self.say("The simulator has stopped.")

    def _explain_access(self, dana: "Simulator") -> None:
        self.say(f"The same references and faults again: --seed {dana.seed}")
        if not dana.is_local:
            self.say(
                "It can be reached from beyond this machine. Use it in networks you trust only.", self.style.WARNING
            )
        if dana.control_token:
            self.say(f"Overview: {dana.base_url}/?{urlencode({'token': dana.control_token})}")
            self.say(f"Control API: send the header Authorization: Bearer {dana.control_token}")
        self.stdout.flush()

    def _introduce(self, base_url: str, public_key: str, accounts: list[conf.Account]) -> None:
        self.say(f"DANA simulator: {base_url}/ (Ctrl-C stops it)")
        self.say(f"DANA_PUBLIC_KEY = {public_key!r}")
        for account in accounts:
            self.say(f"serves {account.alias}: merchant {account.merchant_id}, partner {account.partner_id}")
            if account.base_url != base_url:
                self.say(
                    f"  its calls go to {account.base_url}; set DANA[{account.alias!r}]['BASE_URL'] = {base_url!r}",
                    self.style.WARNING,
                )
            if not _knows(account, public_key):
                self.say("  it will refuse these notifications: its DANA_PUBLIC_KEY is another key", self.style.WARNING)


def _own_key(path: Path) -> RSAPrivateKey:
    from django_dana.simulator import keys

    try:
        return keys.load_or_create(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"The key file {path} can't be used: {reason}.") from None


def _merchant(account: conf.Account) -> Any:
    from django_dana.simulator import Merchant, keys

    try:
        public_key = keys.public_text(signing.load_private_key(account.private_key))
    except InvalidKey as error:
        raise CommandError(f"The private key of the account {account.alias!r} can't be used: {error}.") from None
    return Merchant(
        merchant_id=account.merchant_id,
        partner_id=account.partner_id,
        public_key=public_key,
        name=account.alias if account.alias != "default" else "",
        environment=account.environment,
    )


def _knows(account: conf.Account, public_key: str) -> bool:
    ours = signing.load_public_key(public_key).public_numbers()
    try:
        return any(signing.load_public_key(text).public_numbers() == ours for text in account.public_keys)
    except InvalidKey:
        return False


def _wait_for_signal() -> None:
    """Wait for Ctrl-C or SIGTERM; a second one ends the process as usual."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    # not without limit: on some systems a signal does not wake a plain wait
    while not ended.wait(1.0):
        pass
    for number, handler in before.items():
        signal.signal(number, handler)
