"""DANA on this machine for the length of a test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from time import monotonic
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from django.utils import timezone

from django_dana import conf, gateway, tasks
from django_dana.conf.options import PLAIN
from django_dana.conf.raw import Options, Setting
from django_dana.models import Order
from django_dana.protocol import notation, signing
from django_dana.simulator import Behaviour, Merchant, OrderHandle, Simulator, keys
from django_dana.testing.commits import tasks_run_at_once
from django_dana.testing.relay import Answer, Message, Relay

#: Seconds in which a message of the simulator reaches the test; it comes from a thread of this process.
_PATIENCE: Final = 20.0
#: Seconds. What DANA sends later than this is not waited for.
_SOON: Final = 0.25

_IDS: Final = {
    "MERCHANT_ID": "216620000000000000001",
    "PARTNER_ID": "2026010100000000000001",
    "MCC": "5732",
    "EXTERNAL_STORE_ID": "STORE-1",
}


class Dana:
    """DANA as a test sees it.

    Attributes:
        simulator: the :class:`~django_dana.simulator.Simulator` itself, for what is not here.
    """

    def __init__(self, simulator: Simulator, relay: Relay) -> None:
        self.simulator = simulator
        self._relay = relay
        self._offset = timedelta()
        self._now = timezone.now

    @property
    def faults(self) -> Any:
        """What goes wrong: ``dana.faults.add("create:drop_reply:times=1")``, as on the simulator's command line."""
        return self.simulator.faults

    def order(self, order: Order) -> OrderHandle:
        """Return what DANA holds of an order. Raises LookupError: DANA does not have it."""
        return self.simulator.order(order.partner_reference_no, order.merchant_id)

    def pay(self, order: Order, method: str = "", *, even_if_closed: bool = False) -> Order:
        """Pay as the buyer does; DANA notifies the shop. Return the order as it is then.

        Args:
            order: an order that DANA has.
            method: DANA's payOption, or BALANCE; by default what the order asks for.
            even_if_closed: take the money although the order was cancelled or has expired.
        """
        self.order(order).pay(method, even_if_closed=even_if_closed)
        return self._told(order)

    def refund(self, order: Order, amount: Decimal | None = None) -> Order:
        """Give money back as somebody does in DANA's portal, where the shop is not told: it asks DANA, as staff can.

        Args:
            order: a paid order.
            amount: how much; by default all that is left.

        Returns:
            The order as it is then.
        """
        self.order(order).refund(amount)
        gateway.sync(order.pk)
        order.refresh_from_db()
        return order

    def expire(self, order: Order) -> Order:
        """Close an unpaid order as DANA does at its end. Return the order as it is then."""
        self.order(order).expire()
        return self._told(order)

    def advance(self, seconds: float) -> None:
        """Let time pass at DANA and in the shop (``timezone.now()``); what expires is notified."""
        self._offset += timedelta(seconds=seconds)
        self.simulator.advance(seconds)
        self.deliver()

    def run_due(self) -> None:
        """Do what is due: the sweeps that beat or cron starts, and DANA's next try of a message that was not taken."""
        for message in self.simulator.sent():
            if message.state in ("given up", "waiting"):
                self.simulator.notifications.resend(message.number)
        self.deliver()
        tasks.retry_due()
        tasks.sync_stale()
        self.deliver()

    def deliver(self) -> None:
        """Bring to the shop what DANA has sent by now, such as after a payment on the simulator's own page."""
        deadline = monotonic() + _PATIENCE
        while not self._is_quiet():
            if not self._relay.pass_on(_to_the_shop, timeout=0.02) and monotonic() > deadline:
                raise TimeoutError("A notification of the simulator did not come")

    def notification(self, order: Order, status: str = "00", **changes: Any) -> dict[str, Any]:
        """Return a signed notification as keyword arguments for ``client.post``.

        Args:
            order: the order that it is about.
            status: DANA's latestTransactionStatus.
            changes: fields of the body in DANA's names, such as ``amount={"value": "1.00", "currency": "IDR"}``; a
                field that is None is left out.
        """
        content = {
            "originalPartnerReferenceNo": order.partner_reference_no,
            "originalReferenceNo": order.reference_no,
            "merchantId": order.merchant_id,
            "amount": notation.money(order.amount, order.currency),
            "latestTransactionStatus": status,
            "createdTime": notation.jakarta_time(order.created_at),
            "finishedTime": notation.jakarta_time(timezone.now()),
            **changes,
        }
        account = conf.account(order.account)
        body = notation.compact_json({name: value for name, value in content.items() if value is not None})
        timestamp = notation.jakarta_time(timezone.now())
        path = urlsplit(account.notification_url).path
        signature = signing.sign(_danas_key(), method="POST", path=path, body=body.encode(), timestamp=timestamp)
        return {
            "path": path,
            "data": body,
            "content_type": "application/json",
            "headers": {
                "X-TIMESTAMP": timestamp,
                "X-SIGNATURE": signature,
                "X-PARTNER-ID": account.partner_id,
                "CHANNEL-ID": "DANA",
            },
        }

    def now(self) -> datetime:
        """Return the time in the shop and at DANA."""
        return self._now() + self._offset

    def _told(self, order: Order) -> Order:
        self.deliver()
        order.refresh_from_db()
        return order

    def _is_quiet(self) -> bool:
        soon = monotonic() + _SOON
        return not any(
            message.state == "sending" or (message.state == "waiting" and message.due <= soon)
            for message in self.simulator.sent()
        )


@contextmanager
def running_dana() -> Iterator[Dana]:
    """Run a DANA: each account of the DANA setting speaks to it, with fresh keys.

    Tasks run at once in the test's own thread, so nothing is sent to a broker, and DANA's notifications reach the
    shop's view through Django's test client.
    """
    with ExitStack() as stack:
        relay = stack.enter_context(Relay())
        setting = conf.raw_accounts() or Setting({"default": {}})
        accounts = {alias: _account(setting[alias], relay.url) for alias in setting}
        merchants = [
            Merchant(options["MERCHANT_ID"], options["PARTNER_ID"], keys.public_text(_shops_key()))
            for options in accounts.values()
        ]
        # one try each: the next is for the test to ask for
        simulator = Simulator(merchants, private_key=_danas_key(), behaviour=Behaviour(notify_delays=(0.0,)))
        stack.enter_context(simulator)
        for options in accounts.values():
            options["BASE_URL"] = simulator.base_url
        stack.enter_context(override_settings(DANA=accounts))
        stack.enter_context(tasks_run_at_once())
        dana = Dana(simulator, relay)
        stack.enter_context(mock.patch.object(timezone, "now", dana.now))
        yield dana


def _account(options: Options, relay_url: str) -> dict[str, Any]:
    """Return the options of an account with the simulator's in place of DANA's; no key of the shop is read."""
    ours = {name: options.value(name) or value for name, value in _IDS.items()}
    kept = {name: options.value(name) for name in options if name in PLAIN and name != "PROXY"}
    return {
        **kept,
        **ours,
        "ENVIRONMENT": conf.SANDBOX,
        "PRIVATE_KEY": keys.private_pem(_shops_key()),
        "DANA_PUBLIC_KEY": keys.public_text(_danas_key()),
        "NOTIFICATION_URL": f"{relay_url}{reverse('django_dana:notify')}",
    }


def _to_the_shop(message: Message) -> Answer:
    headers = {name: value for name, value in message.headers.items() if name.lower() not in _OF_THE_CONNECTION}
    response = Client().post(
        message.path,
        data=message.body,
        content_type=message.headers.get("Content-Type", ""),
        headers=headers,
        secure=True,
    )
    return Answer(response.status_code, dict(response.headers.items()), response.content)


_OF_THE_CONNECTION: Final = ("host", "connection", "content-length", "content-type", "accept-encoding")


@lru_cache(maxsize=1)
def _shops_key() -> RSAPrivateKey:
    return keys.generate()


@lru_cache(maxsize=1)
def _danas_key() -> RSAPrivateKey:
    return keys.generate()
