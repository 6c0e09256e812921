"""The testing kit: DANA on this machine, in a test that needs a database and nothing else."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from django_dana import conf, services, signals, tasks
from django_dana.models import Notification, Order
from django_dana.protocol.payment_methods import PayOption
from django_dana.testing import Dana, running_dana
from tests.factories import fresh, new_order


@pytest.fixture(autouse=True)
def no_broker() -> Iterator[None]:
    """Fail where anything is sent to a broker."""
    with mock.patch.object(type(current_app.amqp), "send_task_message", side_effect=AssertionError("a message")):
        yield


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The signals that the shop receives."""
    names: list[str] = []
    receivers = {name: partial(_note, names, name) for name in signals.BY_NAME}
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver, weak=False)
    yield names
    for name, receiver in receivers.items():
        signals.BY_NAME[name].disconnect(receiver)


def _note(names: list[str], name: str, **arguments: Any) -> None:
    names.append(name)


def test_an_order_is_created_paid_and_heard_of(dana: Dana, heard: list[str]) -> None:
    order = fresh(new_order())
    assert (order.create_status, order.payment_status) == ("success", "initiated")
    assert order.web_redirect_url.startswith(dana.simulator.base_url)
    order = dana.pay(order)
    assert order.payment_status == "paid"
    assert heard == ["order_created", "order_paid"]
    assert dana.order(order).state == "SUCCESS"


def test_an_order_that_nobody_pays_expires(dana: Dana, heard: list[str]) -> None:
    order = dana.expire(new_order())
    assert order.payment_status == "expired"
    assert heard == ["order_created", "order_expired"]


def test_a_cancel_goes_through(dana: Dana, heard: list[str]) -> None:
    order = dana.pay(new_order())
    services.cancel_order(order, reason="stock ran out")
    assert fresh(order).payment_status == "cancelled"
    assert heard == ["order_created", "order_paid", "order_cancelled"]
    assert dana.order(order).state == "CANCELLED"


def test_a_code_is_there_to_pay_by(dana: Dana) -> None:
    order = fresh(new_order(pay_option_details=[PayOption.virtual_account("BCA")]))
    assert order.payment_code
    assert dana.pay(order).payment_status == "paid"
    order = fresh(new_order(pay_option_details=[PayOption.qris()]))
    assert order.payment_code.startswith("0002")


def test_a_lost_reply_is_tried_again_when_its_time_has_come(dana: Dana) -> None:
    dana.faults.add("create:drop_reply:times=1")
    order = new_order()
    assert fresh(order).create_status == "new"
    dana.run_due()
    assert fresh(order).create_status == "new"
    dana.advance(5)
    dana.run_due()
    assert fresh(order).create_status == "success"
    assert len(dana.simulator.calls) == 2


def test_time_passes_at_dana_and_in_the_shop(dana: Dana) -> None:
    order = new_order()
    before = timezone.now()
    dana.advance(3_600)
    assert timedelta(minutes=59) < timezone.now() - before < timedelta(minutes=61)
    assert fresh(order).payment_status == "expired"


def test_a_lost_notification_is_asked_for(dana: Dana) -> None:
    order = new_order()
    dana.faults.add("notify:lost")
    assert dana.pay(order).payment_status == "initiated"
    dana.advance(3_600)
    dana.run_due()
    assert fresh(order).payment_status == "paid"


def test_dana_tries_again_what_the_shop_did_not_take(dana: Dana, monkeypatch: pytest.MonkeyPatch) -> None:
    order = new_order()
    with monkeypatch.context() as broken:
        broken.setitem(django_settings.DANA["default"], "DANA_PUBLIC_KEY", conf.SANDBOX_PUBLIC_KEY)
        assert dana.pay(order).payment_status == "initiated"
    assert Notification.objects.get().verified is False
    dana.run_due()
    assert fresh(order).payment_status == "paid"


def test_a_payment_on_danas_page_is_brought_by_deliver(dana: Dana) -> None:
    order = fresh(new_order())
    dana.order(order).pay()
    assert fresh(order).payment_status == "initiated"
    dana.deliver()
    assert fresh(order).payment_status == "paid"


def test_a_payment_after_the_end(dana: Dana, heard: list[str]) -> None:
    order = dana.expire(new_order())
    order = dana.pay(order, even_if_closed=True)
    dana.run_due()
    order = fresh(order)
    assert order.needs_attention == "paid_after_closed"
    assert heard[-2:] in (["order_needs_attention", "order_paid"], ["order_paid", "order_needs_attention"])


def test_a_notification_by_hand(dana: Dana, client: Client) -> None:
    order = fresh(new_order())
    answer = client.post(**dana.notification(order))
    assert answer.json()["responseCode"] == "2005600"
    assert fresh(order).payment_status == "paid"


def test_a_notification_by_hand_that_says_something_else(dana: Dana, client: Client) -> None:
    order = fresh(new_order())
    answer = client.post(**dana.notification(order, amount={"value": "1.00", "currency": "IDR"}))
    assert answer.json()["responseCode"] == "2005600"
    # DANA was asked, and does not say so
    assert fresh(order).payment_status == "initiated"
    message = dana.notification(order, merchantId=None)
    assert client.post(**message).json()["responseCode"] == "4005602"
    assert client.post(**{**message, "data": message["data"] + "x"}).json()["responseCode"] == "4015600"


# -- when a task starts ---------------------------------------------------------------------------------------------


def test_a_task_starts_when_the_shops_own_transaction_ends(dana: Dana) -> None:
    with transaction.atomic():
        with transaction.atomic():
            order = new_order()
        assert fresh(order).create_status == "new"
        assert dana.simulator.calls == []
    assert fresh(order).create_status == "success"


def test_no_task_starts_where_the_transaction_is_rolled_back(dana: Dana) -> None:
    with transaction.atomic():
        new_order()
        transaction.set_rollback(True)
    assert Order.objects.count() == 0
    assert dana.simulator.calls == []


def test_what_the_shop_does_on_commit_is_left_to_django(
    dana: Dana, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    done: list[int] = []
    with transaction.atomic():
        transaction.on_commit(lambda: done.append(1))
        order = new_order()
    assert fresh(order).create_status == "success"
    assert done == []
    with django_capture_on_commit_callbacks(execute=True):
        transaction.on_commit(lambda: done.append(2))
    assert done == [2]


@pytest.mark.django_db(transaction=True)
def test_in_a_test_that_commits(dana: Dana, heard: list[str]) -> None:
    with transaction.atomic():
        order = new_order()
        assert dana.simulator.calls == []
    assert dana.pay(order).payment_status == "paid"
    assert heard == ["order_created", "order_paid"]


def test_now(dana: Dana) -> None:
    order = new_order(send="now")
    assert order.create_status == "success"


# -- the setting ----------------------------------------------------------------------------------------------------


def test_the_shops_accounts_speak_to_it_and_its_keys_are_left_alone(settings: Any, db: None) -> None:
    def vault() -> str:
        raise AssertionError

    settings.DANA = {
        "default": {
            "ENVIRONMENT": "production",
            "MERCHANT_ID": "M-1",
            "PARTNER_ID": "P-1",
            "PRIVATE_KEY": vault,
            "DANA_PUBLIC_KEY_PATH": "/nowhere",
            "NOTIFICATION_URL": "https://shop.example/notify",
            "MCC": "5814",
            "PROXY": "http://proxy.example:3128",
        },
        "books": {"MERCHANT_ID": "M-2", "PARTNER_ID": "P-2"},
    }
    with running_dana() as dana:
        for alias, merchant in (("default", "M-1"), ("books", "M-2")):
            order = dana.pay(new_order(account=alias))
            assert (order.merchant_id, order.payment_status) == (merchant, "paid")
            assert order.environment == "sandbox"
    assert conf.raw_accounts()["default"].value("ENVIRONMENT") == "production"


def test_without_a_setting_there_is_one_account(settings: Any, db: None) -> None:
    del settings.DANA
    with running_dana() as dana:
        assert dana.pay(new_order()).payment_status == "paid"


def test_nothing_is_left_behind(settings: Any, db: None) -> None:
    before = (tasks.start, timezone.now, transaction.Atomic.__exit__, settings.DANA)
    with running_dana() as dana:
        dana.advance(60)
    assert (tasks.start, timezone.now, transaction.Atomic.__exit__, settings.DANA) == before


def test_an_order_that_dana_does_not_have(dana: Dana) -> None:
    dana.faults.add("create:code:code=4005400")
    order = new_order(amount=Decimal(1))
    with pytest.raises(LookupError):
        dana.pay(order)
