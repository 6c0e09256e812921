"""What DANA would refuse is refused first, by field, before anything is saved or sent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from django_dana import services, validation
from django_dana.models import Order
from django_dana.validation import Problems
from tests.factories import NOW, ODD_CONTEXTS, QRIS, account_with, new_order

MONEY = {"value": "15000.00", "currency": "IDR"}


def problems_of(check: Callable[..., Any], *arguments: Any, **options: Any) -> dict[str, list[str]]:
    """Run one check; return what it finds, by field."""
    problems = Problems()
    check(problems, *arguments, **options)
    try:
        problems.raise_if_any()
    except ValidationError as error:
        return error.message_dict
    return {}


def value_of(check: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Run one check that must find nothing; return the value it hands on."""
    problems = Problems()
    value = check(problems, *arguments, **options)
    problems.raise_if_any()
    return value


def refused(field: str, **arguments: Any) -> None:
    """Ask for an order as a shop does: the field is named, and nothing is saved."""
    with pytest.raises(ValidationError) as caught:
        new_order(**arguments)
    assert set(caught.value.message_dict) == {field}
    assert Order.objects.count() == 0


# -- the price ------------------------------------------------------------------------------------------------------

BAD_AMOUNTS = {
    "zero": Decimal(0),
    "zero as int": 0,
    "minus zero": Decimal("-0.00"),
    "below zero": Decimal("-1.00"),
    "three decimals": Decimal("1.005"),
    "very small": Decimal("1E-30"),
    "more digits than the context has": Decimal("1." + "0" * 40 + "1"),
    "too large": Decimal("10000000000000.00"),
    "far too large": Decimal("1E+1000"),
    "int far too large": 10**5000,
    "float": 15000.0,
    "text": "15000.00",
    "bytes": b"15000",
    "true": True,
    "none": None,
    "NaN": Decimal("NaN"),
    "signalling NaN": Decimal("sNaN"),
    "infinity": Decimal("Infinity"),
    "money object": MONEY,
}


@pytest.mark.parametrize("name", BAD_AMOUNTS)
def test_bad_amount(name: str) -> None:
    assert set(problems_of(validation.amount, BAD_AMOUNTS[name])) == {"amount"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_AMOUNTS)
def test_no_order_with_bad_amount(name: str) -> None:
    refused("amount", amount=BAD_AMOUNTS[name])


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (1, "1.00"),
        (Decimal("0.01"), "0.01"),
        (Decimal("15000.5"), "15000.50"),
        (Decimal("15000.500"), "15000.50"),
        (Decimal("1E+3"), "1000.00"),
        (Decimal("9999999999999.99"), "9999999999999.99"),
    ],
)
def test_good_amount(value: Decimal | int, amount: str) -> None:
    assert str(value_of(validation.amount, value)) == amount


@pytest.mark.parametrize("name", ODD_CONTEXTS)
def test_amount_in_any_decimal_context(name: str) -> None:
    with localcontext(ODD_CONTEXTS[name]):
        assert str(value_of(validation.amount, Decimal("9999999999999.99"))) == "9999999999999.99"
        assert str(value_of(validation.amount, Decimal("15000.5"))) == "15000.50"
        for bad in ("three decimals", "very small", "far too large", "signalling NaN"):
            assert set(problems_of(validation.amount, BAD_AMOUNTS[bad])) == {"amount"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ODD_CONTEXTS)
def test_order_in_any_decimal_context(name: str) -> None:
    with localcontext(ODD_CONTEXTS[name]):
        refused("amount", amount=Decimal("15000.005"))
        order = services.create_order(amount=Decimal("9999999999999.99"), title="Kopi Gayo")
    order.refresh_from_db()
    assert order.amount == Decimal("9999999999999.99")
    assert '"value":"9999999999999.99"' in order.request_body


@given(st.decimals() | st.integers())
def test_amount_never_raises(value: Decimal | int) -> None:
    problems = Problems()
    amount = validation.amount(problems, value)
    assert ("amount" in problems) == (amount == 0)


# -- texts ----------------------------------------------------------------------------------------------------------

LONGEST = {"title": 64, "partner_reference_no": 64, "sub_merchant_id": 32, "external_store_id": 64}
BAD_TEXTS: dict[str, Any] = {
    "NUL": "a\x00b",
    "line break": "a\nb",
    "escape": "\x1b[31m",
    "half a surrogate pair": "a\ud83d",
    "number": 5,
    "bytes": b"a",
    "list": ["a"],
}


@pytest.mark.django_db
@pytest.mark.parametrize("field", LONGEST)
def test_text_too_long(field: str) -> None:
    refused(field, **{field: "x" * (LONGEST[field] + 1)})


@pytest.mark.django_db
@pytest.mark.parametrize("field", LONGEST)
def test_text_as_long_as_may_be(field: str) -> None:
    assert getattr(new_order(**{field: "x" * LONGEST[field]}), field) == "x" * LONGEST[field]


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_TEXTS)
@pytest.mark.parametrize("field", LONGEST)
def test_bad_text(field: str, name: str) -> None:
    refused(field, **{field: BAD_TEXTS[name]})


@pytest.mark.parametrize(
    "value",
    ["Kopi Gayo", "Kopi\u00a0Gayo", "☕", "\U0001f468\u200d\U0001f469\u200d\U0001f467 keluarga", "قهوة", "a\u0301"],
)
def test_text_in_any_script(value: str) -> None:
    assert value_of(validation.text, "title", value, 64) == value


@pytest.mark.django_db
@pytest.mark.parametrize("title", ["", "   ", None])
def test_no_title(title: str | None) -> None:
    refused("title", title=title)


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["", " "])
def test_empty_reference(value: str) -> None:
    refused("partner_reference_no", partner_reference_no=value)


def test_reason_too_long() -> None:
    order = Order()
    for reason in ("x" * 257, "a\x00b", 5):
        with pytest.raises(ValidationError) as caught:
            services.cancel_order(order, reason=reason)  # type: ignore[arg-type]
        assert set(caught.value.message_dict) == {"reason"}


# -- currency, time, addresses, the shop's own data -------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["", "idr", "Rp", "RUPIAH", "ID1", "ÎDR", " IDR", None, 360])
def test_bad_currency(value: Any) -> None:
    refused("currency", currency=value)


BAD_TIMES: dict[str, Any] = {
    "past": datetime(2020, 1, 1, tzinfo=UTC),
    "naive": datetime(2099, 1, 1),  # noqa: DTZ001
    "end of the calendar": datetime.max.replace(tzinfo=UTC),
    "end of the calendar, west": datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    "text": "2099-01-01T00:00:00+07:00",
    "number": 4_070_908_800,
    "lifetime": timedelta(minutes=30),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_TIMES)
def test_bad_valid_up_to(name: str) -> None:
    refused("valid_up_to", valid_up_to=BAD_TIMES[name])


def test_valid_up_to_is_now() -> None:
    assert problems_of(validation.valid_up_to, NOW, NOW)


def test_valid_up_to_is_within_this_second() -> None:
    assert problems_of(validation.valid_up_to, NOW + timedelta(milliseconds=999), NOW)


def test_valid_up_to_in_whole_seconds() -> None:
    moment = NOW + timedelta(minutes=30, microseconds=999_999)
    assert value_of(validation.valid_up_to, moment, NOW) == NOW + timedelta(minutes=30)


BAD_RETURN_URLS = [
    *(
        "orders/7",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://shop.example/",
    ),
    *("https://", "http:///path", "https://[::1", "/a\nb", "/\tx", "/" + "x" * 2048, 5, b"/"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("value", BAD_RETURN_URLS, ids=lambda value: ascii(value)[:30])
def test_bad_return_url(value: Any) -> None:
    refused("return_url", return_url=value)


@pytest.mark.parametrize(
    "value", ["", "/", "/orders/7?a=b#c", "https://shop.example/orders/7", "http://localhost:8000/"]
)
def test_good_return_url(value: str) -> None:
    assert value_of(validation.return_url, value) == value


def test_an_app_of_the_shop_may_be_returned_to() -> None:
    assert value_of(validation.return_url, "shopapp://orders/7", ["shopapp"]) == "shopapp://orders/7"
    assert problems_of(validation.return_url, "otherapp://orders/7", ["shopapp"])
    assert problems_of(validation.return_url, "shopapp:orders", ["shopapp"])


@pytest.mark.django_db
def test_the_account_says_which_apps_are_the_shops(settings: Any) -> None:
    refused("return_url", return_url="shopapp://orders/7")
    settings.DANA = account_with(RETURN_SCHEMES=["shopapp"])
    assert new_order(return_url="shopapp://orders/7").return_url == "shopapp://orders/7"


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def circle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value
    return value


BAD_METADATA: dict[str, Any] = {
    "list": [1],
    "text": "a",
    "decimal": {"a": Decimal(1)},
    "set": {"a": {1}},
    "tuple as key": {(1, 2): 1},
    "NaN": {"a": float("nan")},
    "NUL": {"a": ["\x00"]},
    "NUL in a key": {"\x00": 1},
    "half a surrogate pair": {"a": "\ud83d"},
    "too deep": deep(70),
    "far too deep": deep(5_000),
    "circle": circle(),
    "int of 5000 digits": {"a": 10**5000},
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_METADATA)
def test_bad_metadata(name: str) -> None:
    refused("metadata", metadata=BAD_METADATA[name])


@pytest.mark.django_db
def test_good_metadata() -> None:
    metadata = {"cart": 7, "tags": ["a", None, True, 0.5], "note": "line\nbreak ☕", "deep": deep(25)}
    order = new_order(metadata=metadata)
    order.refresh_from_db()
    assert order.metadata == metadata


# -- buyer, goods, shipping, device ---------------------------------------------------------------------------------

GOOD_BUYER = {"externalUserType": "MEMBER", "externalUserId": "7", "nickname": "Budi", "userId": ""}
GOOD_ITEM = {
    "name": "Kopi Gayo",
    "merchantGoodsId": "K-1",
    "description": "250 g\nArabica",
    "category": "coffee",
    "quantity": "2",
    "price": {"value": "7500.00", "currency": "IDR"},
}
GOOD_SHIPPING = {
    "merchantShippingId": "S-1",
    "countryName": "Indonesia",
    "stateName": "Aceh",
    "cityName": "Takengon",
    "address1": "Jalan Merdeka 1",
    "firstName": "Budi",
    "lastName": "Santoso",
    "zipCode": "24512",
}
BAD_MONEY = [
    *("1500.00", 1500, [], {"value": "1500", "currency": "IDR"}, {"value": "1500.5", "currency": "IDR"}),
    *({"value": 1500, "currency": "IDR"}, {"value": "1500.00"}, {"value": "1500.00", "currency": "rupiah"}),
    *({"value": "-1.00", "currency": "IDR"}, {**MONEY, "cents": 0}, {1: "1500.00", "currency": "IDR"}),
]


def fields_without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "buyer",
    [
        *({"externalUserType": "MEMBER"}, {"externalUserId": "7"}, {**GOOD_BUYER, "externalUserId": "x" * 33}),
        *({"nickname": "x" * 65}, {"name": "Budi"}, {"nickname": 5}, {"nickname": "\x00"}, [], "Budi", 5),
        {"externalUserType": [], "externalUserId": []},
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_buyer(buyer: Any) -> None:
    refused("buyer", buyer=buyer)


def test_good_buyer_loses_what_is_empty() -> None:
    assert value_of(validation.buyer, GOOD_BUYER) == fields_without(GOOD_BUYER, "userId")
    assert value_of(validation.buyer, None) == value_of(validation.buyer, {}) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("name", GOOD_ITEM)
@pytest.mark.parametrize("value", [None, "", "x" * 1025, "a\x00", 5, []], ids=lambda value: ascii(value)[:10])
def test_bad_goods(name: str, value: Any) -> None:
    refused("goods", goods=[GOOD_ITEM, {**GOOD_ITEM, name: value}])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "goods", [[None], [{}], ["Kopi"], {"name": "Kopi"}, "Kopi", 5, [{**GOOD_ITEM, "colour": "red"}]], ids=ascii
)
def test_goods_of_another_shape(goods: Any) -> None:
    refused("goods", goods=goods)


@pytest.mark.parametrize("price", BAD_MONEY, ids=ascii)
def test_bad_price_of_goods(price: Any) -> None:
    assert set(problems_of(validation.goods, [{**GOOD_ITEM, "price": price}])) == {"goods"}


def test_good_goods() -> None:
    assert value_of(validation.goods, (GOOD_ITEM,)) == [GOOD_ITEM]
    assert value_of(validation.goods, None) == value_of(validation.goods, []) == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", GOOD_SHIPPING)
def test_shipping_lacks_a_field(name: str) -> None:
    refused("shipping", shipping=[fields_without(GOOD_SHIPPING, name)])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "shipping",
    [[None], GOOD_SHIPPING, [[]], [{**GOOD_SHIPPING, "zipCode": "1" * 33}]],
    ids=lambda value: ascii(value)[:20],
)
def test_bad_shipping(shipping: Any) -> None:
    refused("shipping", shipping=shipping)


@pytest.mark.parametrize("charge", BAD_MONEY, ids=ascii)
def test_bad_charge_of_shipping(charge: Any) -> None:
    assert set(problems_of(validation.shipping, [{**GOOD_SHIPPING, "chargeAmount": charge}])) == {"shipping"}


def test_good_shipping() -> None:
    address = {**GOOD_SHIPPING, "chargeAmount": MONEY, "email": "budi@example.com"}
    assert value_of(validation.shipping, [address]) == [address]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "env_info",
    [
        *({"terminalType": "PHONE"}, {"orderTerminalType": "web"}, {"terminalType": ["WEB"]}, {"clientIp": "x" * 33}),
        *(
            {"clientIp": 5},
            {"websiteLanguage": "x" * 17},
            {"sourcePlatform": "OTHER"},
            {"sessionId": "x" * 129},
            [],
            "WEB",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_env_info(env_info: Any) -> None:
    refused("env_info", env_info=env_info)


@pytest.mark.parametrize(
    ("given_ip", "sent"),
    [
        ("203.0.113.7", {"clientIp": "203.0.113.7"}),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", {"clientIp": "2001:db8::1"}),
        ("2001:db8:1111:2222:3333:4444:5555:6666", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_client_ip_is_shortened_or_left_out(given_ip: str | None, sent: dict[str, str]) -> None:
    assert value_of(validation.env_info, {"clientIp": given_ip}) == sent


# -- payment methods ------------------------------------------------------------------------------------------------

CIMB = {"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_CIMB"}
PHONE = {"additionalInfo": {"phoneNumber": "081234567890"}}


def pay_options(details: Any, *, reference: str = "INV-1", store_id: str = "") -> dict[str, list[str]]:
    return problems_of(validation.pay_option_details, details, amount=MONEY, reference=reference, store_id=store_id)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "details",
    [
        *("BALANCE", CIMB, 5, [None], [{}], ["BALANCE"], [{"payOption": "VIRTUAL_ACCOUNT_CIMB"}]),
        *([{**CIMB, "payMethod": ["VIRTUAL_ACCOUNT"]}], [{**CIMB, "payOption": {}}], [{**CIMB, "payOption": "x" * 65}]),
        *([{**CIMB, "bank": "CIMB"}], [{**CIMB, "transAmount": "15000.00"}], [{**CIMB, "feeAmount": 0}]),
        *([{**CIMB, "additionalInfo": "x"}], [{**CIMB, "additionalInfo": {"a": Decimal(1)}}]),
        *([{**CIMB, "additionalInfo": {"a": float("nan")}}], [{**CIMB, "additionalInfo": {"a": "\x00"}}]),
        [{**CIMB, "additionalInfo": {"phoneNumber": "0" * 16}}],
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_bad_pay_option(details: Any) -> None:
    refused("pay_option_details", pay_option_details=details)


@pytest.mark.parametrize("price", BAD_MONEY, ids=ascii)
def test_bad_amount_of_pay_option(price: Any) -> None:
    assert set(pay_options([{**CIMB, "transAmount": price}])) == {"pay_option_details"}


def test_pay_option_gets_the_amount_of_the_order() -> None:
    [detail] = value_of(validation.pay_option_details, [CIMB], amount=MONEY, reference="INV-1", store_id="")
    assert detail == {**CIMB, "transAmount": MONEY}


def test_pay_option_keeps_its_own_amount_and_extras() -> None:
    full = {**CIMB, "transAmount": {"value": "1.00", "currency": "IDR"}, **PHONE}
    assert value_of(validation.pay_option_details, [full], amount=MONEY, reference="INV-1", store_id="") == [full]


def test_balance_is_sent_with_an_empty_pay_option() -> None:
    [detail] = value_of(
        validation.pay_option_details, [{"payMethod": "BALANCE"}], amount=MONEY, reference="INV-1", store_id=""
    )
    assert detail == {"payMethod": "BALANCE", "payOption": "", "transAmount": MONEY}


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_pay_option_is_danas_own_page(nothing: Any) -> None:
    assert value_of(validation.pay_option_details, nothing, amount=MONEY, reference="", store_id="") == []


def with_phone() -> Iterator[dict[str, str]]:
    for name in ("SPAY", "OVO", "GOPAY", "LINKAJA", "CARD"):
        yield {"payMethod": "NETWORK_PAY", "payOption": f"NETWORK_PAY_PG_{name}"}
    for name in ("CARD", "CREDIT_CARD", "DEBIT_CARD"):
        yield {"payMethod": name, "payOption": ""}


@pytest.mark.parametrize("detail", [*with_phone()], ids=lambda detail: detail["payOption"] or detail["payMethod"])
def test_phone_number_is_needed(detail: dict[str, Any]) -> None:
    assert set(pay_options([detail])) == {"pay_option_details"}
    assert set(pay_options([{**detail, "additionalInfo": {"phoneNumber": ""}}])) == {"pay_option_details"}
    assert set(pay_options([{**detail, "additionalInfo": {"phoneNumber": 81234567890}}])) == {"pay_option_details"}
    assert pay_options([{**detail, **PHONE}]) == {}


@pytest.mark.parametrize("detail", [{"payMethod": "BALANCE"}, CIMB], ids=["balance", "virtual account"])
def test_phone_number_is_not_needed(detail: dict[str, Any]) -> None:
    assert pay_options([detail]) == {}


def test_qris_needs_a_store() -> None:
    assert set(pay_options([QRIS])) == {"external_store_id"}
    assert pay_options([QRIS], store_id="S-1") == {}


def test_qris_needs_a_short_reference() -> None:
    assert pay_options([QRIS], store_id="S-1", reference="x" * 25) == {}
    assert set(pay_options([QRIS], store_id="S-1", reference="x" * 26)) == {"partner_reference_no"}
    assert pay_options([CIMB], reference="x" * 26) == {}


@pytest.mark.django_db
def test_no_qris_order_without_store_or_with_long_reference() -> None:
    refused("external_store_id", pay_option_details=[QRIS])
    refused("partner_reference_no", pay_option_details=[QRIS], external_store_id="S", partner_reference_no="x" * 26)


# -- together -------------------------------------------------------------------------------------------------------

junk_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=5)
    | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
junk_pay_options = st.lists(
    st.dictionaries(st.sampled_from([*CIMB, *PHONE, "transAmount"]), junk_value | st.just(MONEY)), max_size=3
)


@given(value=junk_value)
def test_no_check_raises(value: Any) -> None:
    for check in (
        validation.amount,
        validation.reference,
        validation.currency,
        validation.return_url,
        validation.metadata,
        validation.buyer,
        validation.goods,
        validation.shipping,
        validation.env_info,
    ):
        problems_of(check, value)
    problems_of(validation.text, "title", value, 64, required=True)
    problems_of(validation.valid_up_to, value, NOW)


@given(value=junk_value | junk_pay_options)
def test_no_pay_option_raises(value: Any) -> None:
    pay_options(value, store_id="S-1")
