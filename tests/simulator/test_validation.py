"""Headers, signature and fields: what DANA refuses, and the field that it names."""

import json
from typing import Any

import pytest

from django_dana.simulator import Behaviour, Clock, Merchant, Simulator
from tests import keys
from tests.simulator.conftest import MERCHANT
from tests.simulator.shop import ABSENT, PATHS, Shop, answered, minified, now, rupiah
from tests.simulator.test_scenarios import put


def ordinary(shop: Shop, operation: str) -> dict[str, Any]:
    """Return a body of that operation with which nothing is wrong."""
    if operation == "consult":
        return shop.consult()
    body: dict[str, Any] = (shop.order if operation == "create" else getattr(shop, operation))("INV-1")
    return body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "text/plain"),
        ("X-TIMESTAMP", "2026-03-02T10:20:30Z"),
        ("X-TIMESTAMP", "2026-03-02T10:20:30.000+07:00"),
        ("X-TIMESTAMP", "2026-13-02T10:20:30+07:00"),
        ("X-PARTNER-ID", "x" * 37),
        ("X-EXTERNAL-ID", "x" * 37),
    ],
)
def test_header__malformed(shop: Shop, name: str, value: str) -> None:
    answer = answered(shop.call("query", shop.query("INV-1"), {name: value}), "4005501")

    assert answer["responseMessage"] == f"Invalid Field Format {name}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-SIGNATURE": "not base64"},
        {"X-PARTNER-ID": "P-OTHER"},
        {"X-PARTNER-ID": "P-SECOND"},
    ],
)
def test_signature__refused(dana: Simulator, shop: Shop, headers: dict[str, str]) -> None:
    answer = answered(shop.call("create", shop.order("INV-1"), headers), "4015400")

    assert answer["responseMessage"] == "Unauthorized. Invalid Signature"
    assert dana.calls[0].signature != "valid"


def test_signature__of_another_timestamp(shop: Shop) -> None:
    body = json.dumps(shop.order("INV-1")).encode()
    path = "/payment-gateway/v1.0/debit/payment-host-to-host.htm"

    answer = answered(shop.call("create", body, {"X-SIGNATURE": shop.sign(path, body, now(-60))}), "4015400")

    # the text that DANA signs itself is what finds such a mistake
    assert f"POST:{path}:" in answer["additionalInfo"]["debugMessage"]


# DANA's own SDK for Python signs the compact form and sends it with a space after every colon and comma
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("create", "2005400"),
        ("query", "4045501"),
        ("cancel", "4045701"),
        ("refund", "4045801"),
        ("consult", "2005700"),
    ],
)
def test_signature__over_the_minified_body(shop: Shop, operation: str, code: str, indent: int | None) -> None:
    body = ordinary(shop, operation)
    spaced = json.dumps(body, indent=indent).encode()
    timestamp = now()
    headers = {"X-TIMESTAMP": timestamp, "X-SIGNATURE": shop.sign(PATHS[operation], minified(body), timestamp)}

    answered(shop.call(operation, spaced, headers), code)


@pytest.mark.parametrize("mode", ["1", "true", "True"])
def test_debug_mode__on(shop: Shop, mode: str) -> None:
    answer = answered(shop.call("create", shop.order("INV-1", amount="1"), {"X-Debug-Mode": mode}), "4005401")

    assert "two decimals" in answer["additionalInfo"]["debugMessage"]


@pytest.mark.parametrize("mode", ["0", ABSENT])
def test_debug_mode__off(shop: Shop, mode: Any) -> None:
    answer = answered(shop.call("create", shop.order("INV-1", amount="1"), {"X-Debug-Mode": mode}), "4005401")

    assert "additionalInfo" not in answer


GOODS = {
    "name": "Kopi",
    "merchantGoodsId": "K-1",
    "description": "Gayo, 250 g",
    "category": "drinks",
    "quantity": "1",
    "price": rupiah("15000.00"),
}


@pytest.mark.parametrize(
    ("path", "value", "code", "field"),
    [
        ("partnerReferenceNo", 7, "4005401", "partnerReferenceNo"),
        ("merchantId", "", "4005401", "merchantId"),
        ("merchantId", None, "4005402", "merchantId"),
        ("amount.currency", ABSENT, "4005402", "amount.currency"),
        ("amount.currency", "USD", "4005401", "amount"),
        ("amount.value", "15000.0", "4005401", "amount"),
        ("amount.value", 15000, "4005401", "amount"),
        ("amount.value", "0.00", "4005401", "amount"),
        ("amount.value", "12345678901234567.00", "4005401", "amount"),
        ("validUpTo", "2026-03-02 10:20:30", "4005401", "validUpTo"),
        pytest.param("validUpTo", now(3 * 3600), "4005401", "validUpTo", id="validUpTo-three hours ahead"),
        ("urlParams", [], "4005402", "urlParams"),
        ("urlParams", [{"url": "https://shop.example/", "type": "NOTIFICATION", "isDeeplink": "Y"}], "4005402", None),
        ("urlParams", [{"url": "shop", "type": "PAY_RETURN", "isDeeplink": "Y"}], "4005401", "urlParams.url"),
        ("additionalInfo.order.scenario", "REDIRECTION", "4005401", "additionalInfo.order.scenario"),
        ("additionalInfo.order.scenario", "API", "4005402", "payOptionDetails"),
        ("additionalInfo.envInfo.sourcePlatform", "WEB", "4005401", "additionalInfo.envInfo.sourcePlatform"),
        ("additionalInfo.envInfo.clientIp", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "4005401", None),
        (
            "additionalInfo.order.buyer",
            {"externalUserId": "7"},
            "4005402",
            "additionalInfo.order.buyer.externalUserType",
        ),
        ("additionalInfo.order.goods", [{**GOODS, "price": None}], "4005402", "additionalInfo.order.goods.price"),
        ("additionalInfo.order.goods", "Kopi", "4005401", "additionalInfo.order.goods"),
        ("additionalInfo.order.shippingInfo", [{}], "4005402", None),
    ],
)
def test_create__field(shop: Shop, path: str, value: Any, code: str, field: str | None) -> None:
    body = shop.order("INV-1")
    put(body, path, value)

    answer = answered(shop.call("create", body), code)

    if field is not None:
        word = "Mandatory Field" if code.endswith("2") else "Field Format"
        assert answer["responseMessage"] == f"Invalid {word} {field}"


# the lengths of the fields, as DANA's pages have them
LENGTHS = {
    "create": {
        "partnerReferenceNo": 64,
        "merchantId": 64,
        "subMerchantId": 32,
        "externalStoreId": 64,
        "disabledPayMethods": 64,
        "additionalInfo.mcc": 64,
        "additionalInfo.extendInfo": 4096,
        "additionalInfo.envInfo.websiteLanguage": 16,
        "additionalInfo.envInfo.clientIp": 32,
        "additionalInfo.envInfo.sessionId": 128,
        "additionalInfo.envInfo.tokenId": 128,
        "additionalInfo.envInfo.osType": 128,
        "additionalInfo.envInfo.appVersion": 128,
        "additionalInfo.envInfo.sdkVersion": 128,
        "additionalInfo.envInfo.orderOsType": 128,
        "additionalInfo.envInfo.merchantAppVersion": 128,
        "additionalInfo.envInfo.clientKey": 64,
        "additionalInfo.envInfo.extendInfo": 4096,
        "additionalInfo.order.orderTitle": 64,
        "additionalInfo.order.merchantTransType": 64,
        "additionalInfo.order.extendInfo": 4096,
    },
    "query": {
        "originalPartnerReferenceNo": 64,
        "originalReferenceNo": 64,
        "originalExternalId": 36,
        "serviceCode": 2,
        "merchantId": 64,
        "subMerchantId": 32,
        "externalStoreId": 64,
    },
    "cancel": {
        "originalPartnerReferenceNo": 64,
        "originalReferenceNo": 64,
        "originalExternalId": 36,
        "merchantId": 64,
        "subMerchantId": 32,
        "reason": 256,
        "externalStoreId": 64,
    },
    "refund": {
        "merchantId": 64,
        "subMerchantId": 32,
        "originalPartnerReferenceNo": 64,
        "originalReferenceNo": 64,
        "originalExternalId": 36,
        "originalCaptureNo": 64,
        "partnerRefundNo": 64,
        "externalStoreId": 64,
        "reason": 256,
    },
    "consult": {
        "merchantId": 64,
        "externalStoreId": 64,
        "additionalInfo.merchantTransType": 64,
    },
}
MANDATORY = {
    "create": (
        "partnerReferenceNo merchantId amount urlParams additionalInfo additionalInfo.mcc additionalInfo.envInfo "
        "additionalInfo.envInfo.sourcePlatform additionalInfo.envInfo.terminalType additionalInfo.order "
        "additionalInfo.order.orderTitle"
    ),
    "query": "originalPartnerReferenceNo serviceCode merchantId",
    "cancel": "originalPartnerReferenceNo merchantId",
    "refund": "originalPartnerReferenceNo merchantId partnerRefundNo refundAmount",
    "consult": "merchantId amount additionalInfo additionalInfo.envInfo",
}
SERVICES = {"create": "54", "query": "55", "cancel": "57", "refund": "58", "consult": "00"}


@pytest.mark.parametrize("operation", LENGTHS)
def test_lengths__of_every_field(shop: Shop, operation: str) -> None:
    malformed = f"400{SERVICES[operation]}01"
    for path, longest in LENGTHS[operation].items():
        body = ordinary(shop, operation)
        put(body, path, "x" * longest)
        assert shop.call(operation, body).json()["responseCode"] != malformed, path
        put(body, path, "x" * (longest + 1))
        answer = answered(shop.call(operation, body), malformed)
        # Consult Pay does not name the field [UAT]
        name = "" if operation == "consult" else f" {path}"
        assert answer["responseMessage"] == f"Invalid Field Format{name}"
        assert answer["additionalInfo"]["debugMessage"].startswith(f"{path} has {longest + 1} characters")


@pytest.mark.parametrize("operation", MANDATORY)
def test_mandatory__every_field(shop: Shop, operation: str) -> None:
    for path in MANDATORY[operation].split():
        body = ordinary(shop, operation)
        put(body, path, ABSENT)
        answer = answered(shop.call(operation, body), f"400{SERVICES[operation]}02")
        assert answer["responseMessage"] == f"Invalid Mandatory Field {path}"


@pytest.mark.parametrize("operation", SERVICES)
def test_headers__each_is_mandatory_in_every_operation(shop: Shop, operation: str) -> None:
    for name in ("Content-Type", "X-TIMESTAMP", "X-SIGNATURE", "X-PARTNER-ID", "X-EXTERNAL-ID", "CHANNEL-ID"):
        answer = answered(
            shop.call(operation, ordinary(shop, operation), {name: ABSENT}), f"400{SERVICES[operation]}02"
        )
        assert answer["responseMessage"] == f"Invalid Mandatory Field {name}"
        # a refusal before the body was read repeats nothing from it
        assert answer.keys() == {"responseCode", "responseMessage", "additionalInfo"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("subMerchantId", ""),
        ("externalStoreId", None),
        ("validUpTo", ABSENT),
        ("additionalInfo.order.buyer", {}),
        ("additionalInfo.order.goods", [GOODS]),
        ("additionalInfo.order.orderTitle", "Kopi Gayo ☕"),
    ],
)
def test_create__accepted(shop: Shop, path: str, value: Any) -> None:
    body = shop.order("INV-1")
    put(body, path, value)

    answered(shop.call("create", body), "2005400")


@pytest.mark.parametrize(
    ("method", "option", "detail", "code"),
    [
        ("NETWORK_PAY", "NETWORK_PAY_PG_OVO", {}, "4005402"),
        ("NETWORK_PAY", "NETWORK_PAY_PG_OVO", {"additionalInfo": {"phoneNumber": "0812"}}, "2005400"),
        ("NETWORK_PAY", "NETWORK_PAY_PG_GOPAY", {"additionalInfo": {"phoneNumber": "0" * 16}}, "4005401"),
        ("NETWORK_PAY", "NETWORK_PAY_PG_QRIS", {}, "4005402"),
        ("NETWORK_PAY", "NETWORK_PAY_PG_SHELLS", {}, "4005402"),
        ("SHELLS", "", {}, "4005401"),
        ("CARD", "NETWORK_PAY_PG_CARD", {"additionalInfo": {"phoneNumber": "0812"}}, "2005400"),
        ("BALANCE", "", {"transAmount": rupiah("1")}, "4005401"),
    ],
)
def test_create__api_form(shop: Shop, method: str, option: str, detail: dict[str, Any], code: str) -> None:
    answer = answered(shop.call("create", shop.api_order("INV-1", method, option, **detail)), code)

    if code == "2005400":
        assert ("webRedirectUrl" in answer) == (option != "NETWORK_PAY_PG_OVO")


def test_create__qris_takes_25_characters(shop: Shop) -> None:
    for reference, code in (("x" * 26, "4005401"), ("x" * 25, "2005400")):
        body = shop.api_order(reference, "NETWORK_PAY", "NETWORK_PAY_PG_QRIS")
        body["externalStoreId"] = "STORE-1"

        answered(shop.call("create", body), code)


def test_create__same_answer_for_same_content_in_any_order(shop: Shop) -> None:
    body = shop.order("INV-1")
    first = answered(shop.call("create", body), "2005400")

    assert answered(shop.call("create", dict(reversed(body.items()))), "2005400") == first


@pytest.mark.parametrize("operation", SERVICES)
def test_body__that_can_not_be_read(shop: Shop, operation: str) -> None:
    for text in (b"", b"[]", b'{"a":1,"a":2}', b"\xff", b"[" * 5000, b'{"merchantId":'):
        answered(shop.call(operation, text), f"400{SERVICES[operation]}00")


def test_somebody_elses_order(dana: Simulator, shop: Shop) -> None:
    second = Merchant("M-SECOND", "P-SECOND", keys.STRANGER_PUBLIC_KEY)
    with Simulator([MERCHANT, second], private_key=keys.DANA_PRIVATE_KEY) as both:
        first = Shop(both.base_url)
        other = Shop(both.base_url, "M-SECOND", "P-SECOND", keys.STRANGER_PRIVATE_KEY)
        with first.session, other.session:
            first.create("INV-1")
            other.create("INV-1")  # the same reference of another merchant is another order

            answered(other.call("query", first.query("INV-1")), "4045501")
            answered(other.call("cancel", first.cancel("INV-1")), "4045708")
            with pytest.raises(LookupError):
                both.order("INV-1")
            assert both.order("INV-1", "M-SECOND").order.partner_id == "P-SECOND"


def test_two_accounts_of_one_merchant__either_key(shop: Shop) -> None:
    second = Merchant("M-TEST", "P-TEST", keys.STRANGER_PUBLIC_KEY)
    with Simulator([MERCHANT, second], private_key=keys.DANA_PRIVATE_KEY) as both:
        other = Shop(both.base_url, private_key=keys.STRANGER_PRIVATE_KEY)
        with other.session:
            other.create("INV-1")


def test_store_that_is_not_registered(shop: Shop) -> None:
    strict = Merchant("M-TEST", "P-TEST", keys.SHOP_PUBLIC_KEY, stores=frozenset({"STORE-1"}))
    with Simulator([strict], private_key=keys.DANA_PRIVATE_KEY) as dana:
        other = Shop(dana.base_url)
        with other.session:
            other.create("INV-1", externalStoreId="STORE-1")
            answer = answered(other.call("create", other.order("INV-2", externalStoreId="INTERNAL-7")), "4045408")
    assert answer["additionalInfo"]["debugMessage"] == "SHOP_NOT_EXIST"


def test_query__by_danas_number(dana: Simulator, shop: Shop) -> None:
    number = shop.create("INV-1")["referenceNo"]

    for changes in ({"originalPartnerReferenceNo": ""}, {"originalPartnerReferenceNo": None}, {}):
        body = shop.query("INV-1", originalReferenceNo=number, **changes)
        assert answered(shop.call("query", body), "2005500")["originalPartnerReferenceNo"] == "INV-1"
    answered(shop.call("query", shop.query("INV-1", originalReferenceNo="7")), "4045501")
    answered(shop.call("query", shop.query("INV-1", serviceCode="47")), "4045501")


def test_query__paying(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.order("INV-1").start_paying()

    answer = answered(shop.call("query", shop.query("INV-1")), "2005500")

    assert answer["latestTransactionStatus"] == "02"


def test_cancel__window_is_over(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.order("INV-1").pay()
    dana.advance(24 * 3600 + 1)

    answered(shop.call("cancel", shop.cancel("INV-1")), "4035700")


def test_cancel__again_as_the_behaviour_says(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    first = answered(shop.call("cancel", shop.cancel("INV-1")), "2005700")

    assert answered(shop.call("cancel", shop.cancel("INV-1")), "2005700") == first
    dana.change_behaviour(repeated_cancel="4045700")
    answered(shop.call("cancel", shop.cancel("INV-1")), "4045700")


def test_cancel__another_amount(shop: Shop) -> None:
    shop.create("INV-1")

    answered(shop.call("cancel", shop.cancel("INV-1", amount=rupiah("1.00"))), "4005701")
    answered(shop.call("cancel", shop.cancel("INV-1", originalReferenceNo="7")), "4045701")


def test_refund__in_parts(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.order("INV-1").pay()

    first = answered(shop.call("refund", shop.refund("INV-1", "5000.00")), "2005800")
    assert answered(shop.call("refund", shop.refund("INV-1", "5000.00")), "2005800") == first
    answered(shop.call("refund", shop.refund("INV-1", "10000.01", partnerRefundNo="R-2")), "4035802")
    answered(shop.call("refund", shop.refund("INV-1", "10000.00", partnerRefundNo="R-2")), "2005800")

    answer = answered(shop.call("query", shop.query("INV-1")), "2005500")
    assert answer["additionalInfo"]["amountDetail"]["refundAmount"] == rupiah("15000.00")


def test_create__api_form_without_a_way_to_pay(shop: Shop) -> None:
    ways: list[Any] = ["", [], None]
    for way in ways:
        body = {**shop.api_order("INV-1"), "payOptionDetails": way}
        answer = answered(shop.call("create", body), "4005402")
        assert answer["responseMessage"] == "Invalid Mandatory Field payOptionDetails"


def test_consult__buyer_as_danas_suite_sends_it(shop: Shop) -> None:
    body = shop.consult()
    body["additionalInfo"]["buyer"] = {"externalUserId": "8", "externalUserType": "", "nickname": "", "userId": ""}

    answered(shop.call("consult", body), "2005700")


def test_consult__qris_only_with_a_store(shop: Shop) -> None:
    def options(**changes: Any) -> set[str]:
        infos = answered(shop.call("consult", shop.consult(**changes)), "2005700")["paymentInfos"]
        return {info["payOption"] for info in infos}

    assert options(externalStoreId="STORE-1") - options() == {"NETWORK_PAY_PG_QRIS"}


def test_behaviour__clock_tolerance_limits_and_consult() -> None:
    from datetime import timedelta

    behaviour = Behaviour(
        clock_tolerance=timedelta(minutes=5), highest_amount=None, order_lifetime=None, consult_success="2000000"
    )
    with Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, behaviour=behaviour, clock=Clock()) as dana:
        shop = Shop(dana.base_url)
        with shop.session:
            answered(shop.call("query", shop.query("INV-1"), {"X-TIMESTAMP": now(-600)}), "4005501")
            answered(shop.call("consult", shop.consult()), "2000000")
            shop.create("INV-1", amount="9999999999999.99", validUpTo=now(6 * 24 * 3600))


def test_hints(dana: Simulator, shop: Shop) -> None:
    external_id = {"X-EXTERNAL-ID": "one", "CHANNEL-ID": "P-TEST-SERVER"}
    shop.call("create", shop.order("INV-1", disabledPaymentMethods="CARD"), external_id)
    shop.call("query", shop.query("INV-1"), external_id)

    first, second = dana.calls
    assert "disabledPaymentMethods is no field of DANA's page" in first.hints
    assert any("CHANNEL-ID" in hint for hint in first.hints)
    assert any("X-EXTERNAL-ID was used before" in hint for hint in second.hints)
