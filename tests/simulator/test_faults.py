"""What goes wrong on demand: on the wire, in the answer, in time, and by chance that can be repeated."""

import time
from datetime import datetime

import pytest
import requests

from django_dana.simulator import Behaviour, Clock, Fault, Simulator
from django_dana.simulator.engine import faults
from django_dana.simulator.engine.shared import Shared
from tests.simulator.shop import Shop, answered, until


@pytest.mark.parametrize("kind", ["drop_reply", "reset", "cut"])
def test_lost_reply__dana_has_acted(dana: Simulator, shop: Shop, kind: str) -> None:
    dana.faults.add(f"create:{kind}:times=1")

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        shop.call("create", shop.order("INV-1"))

    assert dana.order("INV-1").state == "INIT"
    assert dana.calls[0].acted
    assert dana.calls[0].faults == [f"create:{kind}:times=1"]


@pytest.mark.parametrize("kind", ["drop_reply", "reset"])
def test_lost_call__dana_has_not_acted(dana: Simulator, shop: Shop, kind: str) -> None:
    dana.faults.add(f"create:{kind}:when=before")

    with pytest.raises(requests.ConnectionError):
        shop.call("create", shop.order("INV-1"))

    with pytest.raises(LookupError):
        dana.order("INV-1")
    assert not dana.calls[0].acted


def test_reset__is_a_reset(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:reset")

    with pytest.raises(requests.ConnectionError, match="reset"):
        shop.call("create", shop.order("INV-1"))


def test_delay(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:delay:seconds=0.3")
    begun = time.monotonic()

    answered(shop.call("query", shop.query("INV-1")), "4045501")

    assert time.monotonic() - begun >= 0.3
    call = dana.calls[0]
    assert call.ended_at is not None
    assert call.ended_at - call.started_at >= 0.3


def test_delay__longer_than_the_client_waits(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:delay:seconds=600")

    with pytest.raises(requests.ReadTimeout):
        shop.call("create", shop.order("INV-1"), timeout=0.2)

    # closing the simulator at the end of the test wakes the reply that sleeps
    until(lambda: dana.snapshot()["orders"])


def test_drip(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:drip:seconds=0.002")
    begun = time.monotonic()

    answered(shop.call("query", shop.query("INV-1")), "4045501")

    assert time.monotonic() - begun > 0.15


def test_code__for_each_reference(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:code:code=5005401:times=1")

    for reference in ("INV-1", "INV-2"):
        order = shop.order(reference)
        answered(shop.call("create", order), "5005401")
        answered(shop.call("create", order), "2005400")


def test_code__with_a_reason_for_those_who_ask(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:code:code=4035405")

    answer = answered(shop.call("create", shop.order("INV-1"), {"X-Debug-Mode": "true"}), "4035405")

    assert answer["additionalInfo"]["debugMessage"] == "the fault create:code:code=4035405"
    assert answer["partnerReferenceNo"] == "INV-1"
    silent = answered(shop.call("create", shop.order("INV-1"), {"X-Debug-Mode": "0"}), "4035405")
    assert "additionalInfo" not in silent


def test_code__that_dana_does_not_have(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:code:code=4185499")

    answered(shop.call("create", shop.order("INV-1")), "4185499")


def test_code__after_acting(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("cancel:code:code=5005701:when=after:times=1")
    shop.create("INV-1")

    answered(shop.call("cancel", shop.cancel("INV-1")), "5005701")

    assert dana.order("INV-1").state == "CANCELLED"
    answered(shop.call("cancel", shop.cancel("INV-1")), "2005700")


def test_in_progress_then_done(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("cancel:in_progress:times=2")
    shop.create("INV-1")

    codes = [shop.call("cancel", shop.cancel("INV-1")).json()["responseCode"] for _ in range(3)]

    assert codes == ["2025700", "2025700", "2005700"]


def test_too_many(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:too_many:seconds=3")

    reply = shop.call("query", shop.query("INV-1"))

    answered(reply, "4295500")
    assert reply.headers["Retry-After"] == "3"


def test_limit(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("*:limit:calls=2:seconds=60")

    codes = [shop.call("query", shop.query("INV-1")).json()["responseCode"] for _ in range(3)]
    dana.advance(60)
    codes.append(shop.call("query", shop.query("INV-1")).json()["responseCode"])

    assert codes == ["4045501", "4045501", "4295500", "4045501"]


@pytest.mark.parametrize(
    ("spec", "status", "body"),
    [
        ("create:http:status=503", 503, b"nginx"),
        ("create:garbage", 200, b"<html>"),
        ("create:empty", 200, b""),
        ("create:no_code", 200, b"referenceNo"),
    ],
)
def test_other_answers(dana: Simulator, shop: Shop, spec: str, status: int, body: bytes) -> None:
    dana.faults.add(spec)

    reply = shop.call("create", shop.order("INV-1"))

    assert reply.status_code == status
    assert body in reply.content
    assert b"responseCode" not in reply.content


def test_clock_skew__a_second_behind() -> None:
    assert faults.parse("query:clock_skew:seconds=-1").seconds == -1.0


def test_clock_skew(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:clock_skew:seconds=7200")

    reply = shop.call("query", shop.query("INV-1"))

    ahead = datetime.fromisoformat(reply.headers["X-TIMESTAMP"]) - dana.clock.now()
    assert 7190 < ahead.total_seconds() < 7210


def test_by_reference_skip_and_total(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:code:ref=INV-*:skip=1:total=2:code=5005500")

    def codes(reference: str) -> list[str]:
        return [shop.call("query", shop.query(reference)).json()["responseCode"] for _ in range(3)]

    assert codes("OTHER") == ["4045501"] * 3
    assert codes("INV-1") == ["4045501", "5005500", "5005500"]
    assert codes("INV-2") == ["4045501"] * 3


def test_several_at_once(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:delay:seconds=0.1")
    dana.faults.add("create:drop_reply")
    begun = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        shop.call("create", shop.order("INV-1"))

    assert time.monotonic() - begun >= 0.1


def struck(seed: int) -> list[bool]:
    some = faults.Faults(Shared(clock=Clock(), behaviour=Behaviour(), seed=seed, base_url=""))
    some.add("create:drop_reply:0.5")
    return [bool(some.draw("create", f"INV-{number}")) for number in range(64)]


def test_chance__same_seed_same_run() -> None:
    assert struck(7) == struck(7)
    assert struck(7) != struck(8)
    assert 16 < sum(struck(7)) < 48


def test_chance__same_seed_same_run_after_a_reset(dana: Simulator) -> None:
    def run() -> list[bool]:
        dana.reset()
        dana.faults.add("create:drop_reply:0.5")
        return [bool(dana.faults.draw("create", f"INV-{number}")) for number in range(64)]

    assert run() == run()


def test_clear_and_remove(dana: Simulator, shop: Shop) -> None:
    first = dana.faults.add("query:empty")
    dana.faults.add(Fault("query", "garbage"))

    dana.faults.remove(first.number)
    assert [fault.spec for fault in dana.faults.all] == ["query:garbage"]
    dana.faults.clear()

    answered(shop.call("query", shop.query("INV-1")), "4045501")


@pytest.mark.parametrize(
    "spec", ["create:drop_reply:probability=0.2", "notify:late:ref=INV-*:seconds=3.5", "cancel:code:code=4035700"]
)
def test_spec__round_trip(spec: str) -> None:
    assert faults.parse(spec).spec == spec


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "create",
        "create:explode",
        "paint:delay",
        "notify:drop_reply",
        "create:lost",
        "create:delay:2",
        "create:delay:seconds=soon",
        "create:delay:seconds=nan",
        "create:delay:colour=red",
        "create:delay:when=never",
        "create:drip:when=before",
        "cancel:act_late:when=before",
        "cancel:act_late:seconds=-1",
        "create:delay:seconds=-1",
        "notify:act_late",
        "cancel:lag",
        "*:lag",
        "query:lag:when=before",
        "notify:alter",
        "create:code:code=12",
        "create:limit:calls=0",
        "create:delay:seconds=1e300",
        "create:http:status=100",
        "create:empty:times=-1",
        "create:empty:1.5",
    ],
)
def test_spec__refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        faults.parse(spec)
