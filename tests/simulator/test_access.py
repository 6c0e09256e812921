"""Who may use the overview, the control API and the sandbox's tools."""

from typing import Any

import pytest
import requests

from django_dana.simulator import Simulator
from tests import keys
from tests.simulator.conftest import MERCHANT
from tests.simulator.shop import TOOLS, Shop, answered

PROTECTED = ["/", "/simulator/health", "/simulator/snapshot", "/simulator/nothing"]


def simulator(**options: Any) -> Simulator:
    return Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, **options)


@pytest.mark.parametrize(
    ("options", "is_local"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "127.0.0.2"}, True),
        ({"host": "::1"}, True),
        ({"public_url": "http://dana.localhost:8900"}, True),
        ({"host": "0.0.0.0"}, False),  # noqa: S104
        ({"host": "::"}, False),
        ({"host": "192.168.1.7"}, False),
        ({"host": "dana"}, False),
        ({"host": ""}, False),
        ({"public_url": "https://dana.example"}, False),
    ],
)
def test_token__where_others_can_reach_it(options: dict[str, Any], *, is_local: bool) -> None:
    dana = simulator(**options)

    assert dana.is_local is is_local
    assert (dana.control_token == "") is is_local
    assert simulator(**options, control_token="mine").control_token == "mine"
    assert is_local or simulator(**options).control_token != dana.control_token


@pytest.mark.parametrize("path", PROTECTED)
def test_token__is_asked_for(path: str) -> None:
    with simulator(control_token="secret") as dana:
        url = f"{dana.base_url}{path}"
        refused = [
            requests.get(url, timeout=5),
            requests.get(url, params={"token": "guess"}, timeout=5),
            requests.get(url, headers={"Authorization": "Bearer guess"}, timeout=5),
            requests.get(url, headers={"Authorization": "Bearer sécret"}, timeout=5),
        ]
        taken = [
            requests.get(url, params={"token": "secret"}, timeout=5),
            requests.get(url, headers={"Authorization": "Bearer secret"}, timeout=5),
        ]

    assert [reply.status_code for reply in refused] == [401] * 4
    assert 401 not in [reply.status_code for reply in taken]


def test_token__of_a_change() -> None:
    with simulator(control_token="secret") as dana:
        dana.faults.add("query:empty")
        url = f"{dana.base_url}/simulator/reset"
        refused = requests.post(url, json={}, timeout=5)
        assert len(dana.faults.all) == 1
        taken = requests.post(url, json={}, headers={"Authorization": "Bearer secret"}, timeout=5)

    assert (refused.status_code, taken.status_code) == (401, 200)
    assert dana.faults.all == []


def test_token__shops_and_buyers_need_none() -> None:
    with simulator(control_token="secret") as dana:
        shop = Shop(dana.base_url, notification_url="http://127.0.0.1:9/nobody")
        with shop.session:
            url = shop.create("INV-1")["webRedirectUrl"]
            number = answered(shop.call("create", shop.api_order("INV-2")), "2005400")["additionalInfo"]["paymentCode"]
            assert requests.get(url, timeout=5).status_code == 200
            assert shop.pay_virtual_account(number)["responseCode"] == "2002500"


def test_overview__leads_to_the_snapshot_with_its_token() -> None:
    with simulator(control_token="a&b") as dana:
        text = requests.get(dana.base_url, params={"token": "a&b"}, timeout=5).text

    assert 'href="/simulator/snapshot?token=a%26b"' in text


# the types that a page of another site may send without asking first
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_sandbox_tools__not_from_a_form(dana: Simulator, shop: Shop, kind: str) -> None:
    number = answered(shop.call("create", shop.api_order("INV-1")), "2005400")["additionalInfo"]["paymentCode"]
    body = f'{{"urlEndpoint":"/v1.0/transfer-va/payment.htm","requestBody":{{"virtualAccountNo":"{number}"}}}}'

    def press(content_type: str) -> int:
        headers = {"Content-Type": content_type}
        return requests.post(dana.base_url + TOOLS, data=body, headers=headers, timeout=5).status_code

    assert press(kind) == 415
    assert dana.order("INV-1").state == "INIT"
    assert press("application/json; charset=utf-8") == 200
    assert dana.order("INV-1").state == "SUCCESS"


def test_numbers__differ_in_every_run_unless_seeded() -> None:
    def numbers(**options: Any) -> tuple[str, str]:
        with simulator(**options) as dana:
            shop = Shop(dana.base_url, notification_url="http://127.0.0.1:9/nobody")
            with shop.session:
                created = shop.create("INV-1")
        return created["referenceNo"], created["webRedirectUrl"].partition("sign=")[2]

    first, second = numbers(), numbers()
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert numbers(seed=7) == numbers(seed=7)
    assert numbers(seed=7) != numbers(seed=8)
