"""Finish Notify: what it says, who signed it, and how often it is said."""

import socket
from datetime import datetime, timedelta
from typing import Any

import pytest

from django_dana.simulator import Behaviour, Simulator
from tests import wire
from tests.simulator.shop import Listener, Shop, answered, now, until


def test_paid__heard_once(dana: Simulator, shop: Shop, listener: Listener) -> None:
    created = shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    (heard,) = listener.heard
    assert heard.path == "/any/path/notify"
    assert heard.is_signed_by(dana.public_key)
    assert heard.headers["Channel-Id"] == "DANA"
    assert heard.headers["X-Partner-Id"] == "P-TEST"
    assert "ORIGIN" not in heard.headers
    assert heard.headers["User-Agent"] == "Jakarta Commons-HttpClient/3.1"
    assert len(heard.headers["X-External-Id"]) == 32
    content = heard.content
    assert content["originalPartnerReferenceNo"] == "INV-1"
    assert content["originalReferenceNo"] == created["referenceNo"]
    assert content["merchantId"] == "M-TEST"
    assert content["amount"] == {"value": "15000.00", "currency": "IDR"}
    assert content["latestTransactionStatus"] == "00"
    assert datetime.fromisoformat(content["finishedTime"])
    # the balance has paidTime inside paymentInfo, other ways beside it
    assert "paidTime" in content["additionalInfo"]["paymentInfo"]


@pytest.mark.parametrize("omit", [False, True])
def test_expired__status_05(dana: Simulator, shop: Shop, listener: Listener, *, omit: bool) -> None:
    dana.change_behaviour(omit_finished_time=omit)
    shop.create("INV-1")

    dana.advance(601)

    assert dana.wait_for_notifications()
    (heard,) = listener.heard
    assert heard.content["latestTransactionStatus"] == "05"
    assert heard.content["transactionStatusDesc"] == "CLOSED"
    assert ("finishedTime" in heard.content) is not omit


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("/notify/", "/notify/"),
        ("/%7Eshop/a/../notify?shop=1", "/~shop/notify"),
        ("/terima-☕", "/terima-%E2%98%95"),
        ("", "/"),
    ],
)
def test_signed__over_the_path_that_is_called(
    dana: Simulator, shop: Shop, listener: Listener, path: str, called: str
) -> None:
    shop.notification_url = listener.url + path
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    (heard,) = listener.heard
    heard.path = heard.path.partition("?")[0]
    assert heard.path == called
    assert heard.is_signed_by(dana.public_key)


def test_header_names__as_documented(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.change_behaviour(header_names="documented")
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    names = set(listener.heard[0].headers)
    assert names >= {"Content-Type", "X-TIMESTAMP", "X-SIGNATURE", "ORIGIN"}
    assert names >= {"X-PARTNER-ID", "X-EXTERNAL-ID", "CHANNEL-ID"}
    assert not {"X-Partner-Id", "Channel-Id"} & names


def test_answer_without_its_headers__is_hinted_at(dana: Simulator, shop: Shop, listener: Listener) -> None:
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    ((one,),) = [sent.attempts for sent in dana.sent()]
    assert [hint.split()[-3:] for hint in one.hints] == [["is", "not", "application/json"], ["of", "25", "characters"]]


# the three of DANA's suite: the amounts mark them for the portal, the notifications are ordinary ones
@pytest.mark.parametrize(
    ("amount", "answers", "seconds", "status"),
    [
        pytest.param("11011.00", [], 0, "00", id="FinishNotifySuccess"),
        pytest.param("11012.00", ["5005601"], 0, "00", id="FinishNotifyInternalServerError"),
        pytest.param("11013.00", [], 136, "05", id="FinishNotifyExpired"),
    ],
)
def test_danas_scenarios(
    dana: Simulator, shop: Shop, listener: Listener, amount: str, answers: list[str], seconds: int, status: str
) -> None:
    listener.answers.extend(answers)
    body = {**shop.api_order("INV-1", amount=amount), "validUpTo": now(135)}
    code = answered(shop.call("create", body), "2005400")["additionalInfo"]["paymentCode"]

    if seconds:
        dana.advance(seconds)
    else:
        shop.pay_virtual_account(code)

    assert dana.wait_for_notifications()
    assert [heard.content["latestTransactionStatus"] for heard in listener.heard] == [status] * (len(answers) + 1)
    assert dana.sent()[0].state == "acknowledged"


def test_expired__by_itself(dana: Simulator, shop: Shop, listener: Listener) -> None:
    shop.create("INV-1")

    dana.clock.advance(601)

    until(lambda: listener.heard)
    assert [item.content["latestTransactionStatus"] for item in listener.heard] == ["05"]


def test_resent_until_heard__fresh_signature_each_time(dana: Simulator, shop: Shop, listener: Listener) -> None:
    listener.answers = ["5005601", "4045601"]
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    assert len(listener.heard) == 3
    assert all(heard.is_signed_by(dana.public_key) for heard in listener.heard)
    assert len({heard.headers["X-External-Id"] for heard in listener.heard}) == 3
    assert len({heard.body for heard in listener.heard}) == 1
    (sent,) = dana.sent("INV-1")
    assert sent.state == "acknowledged"
    assert [one.response_code for one in sent.attempts] == ["5005601", "4045601", "2005600"]
    assert "said the shop" in sent.attempts[0].response_body


def test_given_up_after_the_last_delay(dana: Simulator, shop: Shop, listener: Listener) -> None:
    listener.answers = ["5005601"] * 10
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    (sent,) = dana.sent()
    assert (sent.state, len(sent.attempts)) == ("given up", 4)
    dana.notifications.resend(sent.number)
    assert dana.wait_for_notifications()
    assert len(sent.attempts) == 5


def test_nobody_there(dana: Simulator, shop: Shop) -> None:
    shop.notification_url = "http://127.0.0.1:9/notify"
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    (sent,) = dana.sent()
    assert sent.attempts[-1].error == "ConnectionError"


def test_answer_that_drips__is_no_answer(dana: Simulator, shop: Shop) -> None:
    dana.change_behaviour(notify_timeout=0.2, notify_delays=(0.0,))
    with wire.serving() as slow:

        def act(connection: socket.socket, request: wire.Heard) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            wire.drip(slow, b" " * 10000, every=0.01)(connection, request)

        slow.play(act)
        shop.notification_url = f"{slow.url}/notify"
        shop.create("INV-1")
        dana.order("INV-1").pay()

        assert dana.wait_for_notifications()
    ((one,),) = [sent.attempts for sent in dana.sent()]
    assert (one.error, one.response_code) == ("TimeoutError", "")


def test_no_address__no_notification(dana: Simulator, shop: Shop) -> None:
    body = shop.order("INV-1")
    del body["urlParams"][1]
    answered(shop.call("create", body), "2005400")

    dana.order("INV-1").pay()

    assert dana.sent() == []


def test_epoch_times_and_store_id(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.change_behaviour(time_form="epoch", store_id_name="externalStoreID", omit_external_id=True)
    shop.create("INV-1", externalStoreId="STORE-1")

    dana.order("INV-1").pay("NETWORK_PAY_PG_LINKAJA")

    assert dana.wait_for_notifications()
    (heard,) = listener.heard
    assert heard.content["externalStoreID"] == "STORE-1"
    assert "externalStoreId" not in heard.content
    assert heard.content["additionalInfo"]["paidTime"].isdigit()
    assert len(heard.content["createdTime"]) == 13
    assert "X-External-Id" not in heard.headers


@pytest.mark.parametrize(("notify", "count"), [(False, 0), (True, 1)])
def test_merchants_cancel__as_the_behaviour_says(
    dana: Simulator, shop: Shop, listener: Listener, *, notify: bool, count: int
) -> None:
    dana.change_behaviour(notify_on_cancel=notify)
    shop.create("INV-1")

    answered(shop.call("cancel", shop.cancel("INV-1")), "2005700")

    assert dana.wait_for_notifications()
    assert len(listener.heard) == count


@pytest.mark.parametrize(("notify", "count"), [(False, 1), (True, 2)])
def test_refund__as_the_behaviour_says(
    dana: Simulator, shop: Shop, listener: Listener, *, notify: bool, count: int
) -> None:
    dana.change_behaviour(notify_on_refund=notify)
    shop.create("INV-1")
    dana.order("INV-1").pay()

    answered(shop.call("refund", shop.refund("INV-1")), "2005800")

    assert dana.wait_for_notifications()
    assert len(listener.heard) == count


def test_paid_after_it_was_cancelled(dana: Simulator, shop: Shop, listener: Listener) -> None:
    shop.create("INV-1")
    shop.call("cancel", shop.cancel("INV-1"))

    dana.order("INV-1").pay(even_if_closed=True)

    assert dana.wait_for_notifications()
    assert listener.heard[0].content["latestTransactionStatus"] == "00"
    assert dana.order("INV-1").state == "SUCCESS"


@pytest.mark.parametrize(
    ("spec", "count"),
    [("notify:lost", 0), ("notify:duplicate:copies=3", 3), ("notify:late:seconds=0.05", 1)],
)
def test_fault(dana: Simulator, shop: Shop, listener: Listener, spec: str, count: int) -> None:
    dana.faults.add(spec)
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    assert len(listener.heard) == count


def test_fault__reorder(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.faults.add("notify:reorder:ref=INV-1:seconds=5")
    shop.create("INV-1")
    shop.create("INV-2")

    dana.order("INV-1").pay()
    dana.order("INV-2").pay()

    assert dana.wait_for_notifications(4)
    assert [heard.content["originalPartnerReferenceNo"] for heard in listener.heard] == ["INV-2", "INV-1"]


def test_fault__bad_signature_once_then_healed(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.faults.add("notify:bad_signature:times=1")
    listener.answers = ["4015600"]
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    assert [heard.is_signed_by(dana.public_key) for heard in listener.heard] == [False, True]


def test_fault__tamper(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.faults.add("notify:tamper:field=amount.value:value=1.00")
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    assert listener.heard[0].content["amount"]["value"] == "1.00"
    assert listener.heard[0].is_signed_by(dana.public_key)


def test_fault__clock_skew(dana: Simulator, shop: Shop, listener: Listener) -> None:
    dana.faults.add("notify:clock_skew:seconds=-3600")
    shop.create("INV-1")

    dana.order("INV-1").pay()

    assert dana.wait_for_notifications()
    moment = datetime.fromisoformat(listener.heard[0].headers["X-Timestamp"])
    assert 3590 < (dana.clock.now() - moment).total_seconds() < 3610


def test_close__does_not_wait_for_what_is_scheduled(shop: Shop, dana: Simulator) -> None:
    dana.change_behaviour(notify_delays=(60.0,))
    shop.create("INV-1")
    dana.order("INV-1").pay()

    dana.close()

    assert dana.sent()[0].attempts == []


def test_behaviour__from_json() -> None:
    behaviour = Behaviour().changed({"notify_delays": [0, 1], "order_lifetime": None, "highest_amount": "5.00"})
    assert behaviour.changed({"refund_window": 60}).refund_window == timedelta(minutes=1)

    assert behaviour.notify_delays == (0.0, 1.0)
    assert Behaviour().changed(behaviour.as_json()) == behaviour


@pytest.mark.parametrize(
    "changes",
    [
        {"nothing": 1},
        {"time_form": "roman"},
        {"notify_on_cancel": "yes"},
        {"notify_delays": 3},
        {"notify_delays": "12"},
        {"notify_delays": [-1]},
        {"notify_delays": [1e12]},
        {"notify_timeout": None},
        {"cancel_window": "x"},
        {"highest_amount": "NaN"},
        {"consult_success": "abc"},
        {"refunded_status": ""},
        {"refund_window": -1},
        {"excess_refund": "4035815"},
    ],
)
def test_behaviour__refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Behaviour().changed(changes)
