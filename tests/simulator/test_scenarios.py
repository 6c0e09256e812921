"""Every scenario of the list, sent by a stranger and by our client, to the simulator or a real sandbox account."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from django_dana.protocol import operations
from django_dana.protocol.operations import Operation
from django_dana.simulator import Simulator
from django_dana.simulator.engine import codes
from tests import keys
from tests.simulator import scenarios
from tests.simulator.conftest import MERCHANT
from tests.simulator.our_shop import OurShop
from tests.simulator.scenarios import CANCEL, CREATE, QUERY, Scenario
from tests.simulator.shop import ABSENT, Shop, answered, jakarta

# a port at which nobody listens
NOBODY = "http://127.0.0.1:9/nobody"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY) as dana:
        yield dana


@pytest.fixture(scope="module")
def stranger(simulator: Simulator) -> Iterator[Shop]:
    """A shop that shares no code with our client."""
    shop = Shop.from_environment() or Shop(simulator.base_url, notification_url=NOBODY)
    with shop.session:
        yield shop


@pytest.fixture(scope="module")
def ours(simulator: Simulator) -> Iterator[OurShop]:
    """A shop that is our client."""
    shop = OurShop.from_environment() or OurShop(simulator.base_url, notification_url=NOBODY)
    with shop.session:
        yield shop


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.name)
def test_plain_http(scenario: Scenario, stranger: Shop, simulator: Simulator) -> None:
    play_scenario(scenario, stranger, simulator)


# our client has neither Refund Order nor Consult Pay
@pytest.mark.parametrize("scenario", [*CREATE, *QUERY, *CANCEL], ids=lambda scenario: scenario.name)
def test_our_client(scenario: Scenario, ours: OurShop, simulator: Simulator) -> None:
    answer = play_scenario(scenario, ours, simulator)

    understood = ours.understood
    assert understood.rule.code == scenario.code
    assert understood.http_status == int(scenario.code[:3])
    assert understood.message == answer["responseMessage"]
    for path in scenario.holds.keys() & READ_AS.keys():
        said, read = dig(answer, path), getattr(understood.reply, READ_AS[path])
        assert (jakarta(read) if isinstance(read, datetime) else read) == ("" if said is ABSENT else said)


@pytest.mark.parametrize("kind", [Shop, OurShop])
def test_account_that_the_environment_names(
    kind: type[Shop], dana: Simulator, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.pem").write_text(keys.SHOP_PRIVATE_KEY)
    monkeypatch.setenv("DANA_SANDBOX_URL", f"{dana.base_url}/")
    monkeypatch.setenv("DANA_SANDBOX_TOOLS_URL", dana.base_url)
    monkeypatch.setenv("DANA_SANDBOX_MERCHANT_ID", "M-TEST")
    monkeypatch.setenv("DANA_SANDBOX_PARTNER_ID", "P-TEST")
    monkeypatch.setenv("DANA_SANDBOX_PRIVATE_KEY_PATH", str(tmp_path / "shop.pem"))
    shop = kind.from_environment()
    assert shop is not None

    with shop.session:
        play_scenario(next(item for item in QUERY if item.name == "QueryPaymentPaidOrder"), shop, simulator)

    assert [call.operation for call in dana.calls] == ["create", "query"]


# where our client keeps what the scenarios look at
READ_AS = {
    "referenceNo": "reference_no",
    "webRedirectUrl": "web_redirect_url",
    "additionalInfo.paymentCode": "payment_code",
    "latestTransactionStatus": "status",
    "additionalInfo.statusDetail.acquirementStatus": "acquirement_status",
    "cancelTime": "cancel_time",
}


def play_scenario(scenario: Scenario, shop: Shop, simulator: Simulator) -> dict[str, Any]:
    """Send what the scenario says and return the answer, which is as the scenario says."""
    is_real = shop.base_url != simulator.base_url
    if is_real and not scenario.everywhere:
        pytest.skip("shows the simulator's reading of what DANA's pages leave open")
    reference = f"T{uuid4().hex[:20]}"
    for step in scenario.prepare:
        prepare(step, shop, simulator, reference)

    reply = shop.call(scenario.operation, body_of(scenario, shop, reference), scenario.headers)

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
    return answer


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


def body_of(scenario: Scenario, shop: Shop, reference: str) -> dict[str, Any]:
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


def put(body: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        body = body[int(name) if name.isdecimal() else name]
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


@pytest.mark.parametrize("operation", operations.ALL, ids=lambda operation: operation.key)
def test_codes__written_down_twice_alike(operation: Operation) -> None:
    """The shop's tables and DANA's here come from the same pages, but not from each other."""
    service = operation.service_code
    said = {codes.response_code(service, case): text for case, text in codes.TABLES[service].items()}
    rows = {code: rule.name for code, rule in operation.codes.rows.items() if code.isdigit()}

    assert said.keys() == rows.keys()
    # DANA's sandbox answers a cancel with "Success" where the page has "Successful" [UAT]
    assert said.pop("2005700", "Success") == "Success"
    # DANA's "Unauthorized. [reason]" names a reason here
    assert {code: text for code, text in said.items() if not text.startswith(rows[code])} == {}
