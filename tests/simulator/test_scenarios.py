"""Every scenario of the list, against the simulator or, where the environment names one, a real sandbox account."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from django_dana.simulator import Simulator
from tests import keys
from tests.simulator import scenarios
from tests.simulator.conftest import MERCHANT
from tests.simulator.scenarios import Scenario
from tests.simulator.shop import ABSENT, Shop, answered


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY) as dana:
        yield dana


@pytest.fixture(scope="module")
def anybody(simulator: Simulator) -> Iterator[Shop]:
    """A shop at the real sandbox if the environment names one, else at the simulator."""
    shop = Shop.from_environment() or Shop(simulator.base_url, notification_url="http://127.0.0.1:9/nobody")
    with shop.session:
        yield shop


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, anybody: Shop, simulator: Simulator) -> None:
    is_real = anybody.base_url != simulator.base_url
    if is_real and not scenario.everywhere:
        pytest.skip("shows the simulator's reading of what DANA's pages leave open")
    reference = f"T{uuid4().hex[:20]}"
    for step in scenario.prepare:
        prepare(step, anybody, simulator, reference)

    reply = anybody.call(scenario.operation, body_of(scenario, anybody, reference), scenario.headers)

    answer = answered(reply, scenario.code)
    if not is_real and scenario.message:
        assert answer["responseMessage"] == scenario.message
    for path, expected in scenario.holds.items():
        value = dig(answer, path)
        if isinstance(expected, type):
            assert isinstance(value, expected)
            assert value
        else:
            assert value == expected


_CREATED: dict[str, dict[str, Any]] = {}


def prepare(step: str, shop: Shop, simulator: Simulator, reference: str) -> None:
    match step:
        case "create":
            _CREATED[reference] = shop.order(reference)
            answered(shop.call("create", _CREATED[reference]), "2005400")
        case "create_va":
            answer = answered(shop.call("create", shop.api_order(reference)), "2005400")
            _CREATED[reference] = answer
        case "pay":
            number = _CREATED[reference]["additionalInfo"]["paymentCode"]
            assert shop.pay_virtual_account(number)["responseCode"] == "2002500"
        case "cancel":
            answered(shop.call("cancel", shop.cancel(reference)), "2005700")
        case "refund":
            answered(shop.call("refund", shop.refund(reference)), "2005800")
        case "expire":
            simulator.order(reference).expire()


def body_of(scenario: Scenario, shop: Shop, reference: str) -> dict[str, Any] | bytes:
    if "_raw" in scenario.body:
        raw: bytes = scenario.body["_raw"]
        return raw
    body: dict[str, Any]
    if scenario.operation == "consult":
        body = shop.consult()
    elif scenario.operation == "create" and scenario.api:
        body = shop.api_order(reference, *scenario.api)
    elif scenario.operation == "create":
        # a repetition must carry the very same validUpTo
        body = dict(_CREATED.get(reference) or shop.order(reference))
    else:
        body = getattr(shop, scenario.operation)(reference)
    for path, value in scenario.body.items():
        put(body, path, value)
    return body


def put(body: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        body = body[name]
    if value is ABSENT:
        del body[last]
    else:
        body[last] = value


def dig(body: Any, path: str) -> Any:
    for name in path.split("."):
        if name not in body:
            return ABSENT
        body = body[name]
    return body


def test_every_code_that_the_simulator_knows_has_a_message() -> None:
    from django_dana.simulator import codes

    for service, table in codes.TABLES.items():
        for case in table:
            code = codes.response_code(service, case)
            assert len(code) == 7
            assert codes.message(code) == table[case]
