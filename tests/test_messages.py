"""What is said to DANA and what is understood of its answers, against the samples on DANA's own pages."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st

from django_dana import services
from django_dana.client.http import Client, Credentials
from django_dana.models import Order
from django_dana.protocol import notation, operations
from django_dana.protocol.messages import (
    CallResult,
    CancelOrder,
    CancelOrderReply,
    CreateOrder,
    CreateOrderReply,
    QueryPayment,
    RefundOrder,
    RefundOrderReply,
    StatusReport,
)
from django_dana.protocol.response_codes import Outcome
from tests import wire as w
from tests.keys import SHOP_PRIVATE_KEY
from tests.wire import Wire

# DANA, Create Order, sample request. The addresses are ours, since a sample has none that may be called.
SENT_AT = "2024-12-23T09:10:11+07:00"
CREATE_SAMPLE: dict[str, Any] = {
    "partnerReferenceNo": "2020102900000000000001",
    "merchantId": "23489182303312",
    "amount": {"value": "15000.00", "currency": "IDR"},
    # sixteen months after X-TIMESTAMP, as in the sample
    "validUpTo": "2026-04-23T09:10:11+07:00",
    "urlParams": [
        {"url": "https://shop.example/thanks", "type": "PAY_RETURN", "isDeeplink": "Y"},
        {"url": "https://shop.example/dana/v1.0/debit/notify", "type": "NOTIFICATION", "isDeeplink": "Y"},
    ],
    "additionalInfo": {
        "order": {"orderTitle": "Payment Gateway Order", "scenario": "REDIRECT"},
        "mcc": "5814",
        "envInfo": {"sourcePlatform": "IPG", "terminalType": "SYSTEM"},
    },
}
CREATE_REPLY = {
    "responseCode": "2005400",
    "responseMessage": "Successful",
    "referenceNo": "2020102977770000000009",
    "partnerReferenceNo": "2020102900000000000001",
    "webRedirectUrl": "https://pjsp.com/universal?bizNo=REF993883",
}

# DANA, Cancel Order, sample request and sample response.
CANCEL_SAMPLE: dict[str, Any] = {
    "originalPartnerReferenceNo": "2020102900000000000001",
    "originalReferenceNo": "2020102977770000000009",
    "originalExternalId": "30443786930722726463280097920912",
    "merchantId": "23489182303312",
    "subMerchantId": "23489182303312",
    "reason": "Network timeout",
    "externalStoreId": "124928924949487",
    "amount": {"value": "10000.00", "currency": "IDR"},
    "additionalInfo": {},
}
CANCEL_REPLY = {
    "responseCode": "2005700",
    "responseMessage": "Successful",
    "originalReferenceNo": "2020102977770000000009",
    "originalPartnerReferenceNo": "2020102900000000000001",
    "originalExternalId": "30443786930722726463280097920912",
    "cancelTime": "2020-12-21T17:07:25+07:00",
    "transactionDate": "2020-12-21T14:56:11+07:00",
    "additionalInfo": {},
}

CIMB_PAY_OPTION = {
    "payMethod": "VIRTUAL_ACCOUNT",
    "payOption": "VIRTUAL_ACCOUNT_CIMB",
    "transAmount": CREATE_SAMPLE["amount"],
}


def create(**changes: Any) -> CreateOrder:
    """Return DANA's sample as a message of ours, with some values changed."""
    values: dict[str, Any] = {
        "partner_reference_no": "2020102900000000000001",
        "merchant_id": "23489182303312",
        "amount": Decimal(15000),
        "currency": "IDR",
        "title": "Payment Gateway Order",
        "valid_up_to": datetime(2026, 4, 23, 2, 10, 11, tzinfo=UTC),
        "return_url": "https://shop.example/thanks",
        "notification_url": "https://shop.example/dana/v1.0/debit/notify",
        "mcc": "5814",
        "terminal_type": "SYSTEM",
    }
    return CreateOrder(**{**values, **changes})


def cancel(**changes: Any) -> CancelOrder:
    """Return DANA's sample as a message of ours, with some values changed."""
    values: dict[str, Any] = {
        "original_partner_reference_no": "2020102900000000000001",
        "original_reference_no": "2020102977770000000009",
        "original_external_id": "30443786930722726463280097920912",
        "merchant_id": "23489182303312",
        "sub_merchant_id": "23489182303312",
        "reason": "Network timeout",
        "external_store_id": "124928924949487",
        "amount": Decimal("10000.00"),
        "currency": "IDR",
    }
    return CancelOrder(**{**values, **changes})


# -- Create Order ---------------------------------------------------------------------------------------------------


def test_create_is_danas_sample() -> None:
    assert json.loads(create().body()) == CREATE_SAMPLE


def test_create_has_the_keys_in_danas_order() -> None:
    assert list(json.loads(create().body())) == list(CREATE_SAMPLE)


@pytest.fixture
def sample_account(settings: Any) -> None:
    """The account of DANA's samples."""
    settings.DANA = {
        "default": {
            **django_settings.DANA["default"],
            "MERCHANT_ID": "23489182303312",
            "MCC": "5814",
            "RETURN_URL": "https://shop.example/thanks",
        }
    }


def sample_order(**changes: Any) -> Order:
    return services.create_order(
        **{
            "amount": Decimal(15000),
            "title": "Payment Gateway Order",
            "partner_reference_no": "2020102900000000000001",
            "valid_up_to": notation.parse_time(CREATE_SAMPLE["validUpTo"]),
            **changes,
        }
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_account")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Jakarta", "America/New_York"])
def test_create_through_services_is_danas_sample(settings: Any, zone: str) -> None:
    settings.TIME_ZONE = zone
    with time_machine.travel(SENT_AT, tick=False):
        order = sample_order()
    assert json.loads(order.request_body) == CREATE_SAMPLE


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_account")
def test_lifetime_of_the_account_across_midnight_in_jakarta() -> None:
    with time_machine.travel("2024-12-31T23:45:00+07:00", tick=False):
        order = sample_order(valid_up_to=None)
    assert json.loads(order.request_body)["validUpTo"] == "2025-01-01T00:15:00+07:00"


@pytest.mark.django_db
def test_return_page_is_ours_unless_set() -> None:
    order = services.create_order(amount=1, title="Kopi")
    [pay_return, _] = json.loads(order.request_body)["urlParams"]
    assert pay_return["url"] == f"https://shop.example/dana/return/{order.public_id}/"


def test_create_leaves_out_what_is_empty() -> None:
    full = json.loads(create(buyer={}, goods=[], shipping=[], env_info={}, sub_merchant_id="").body())
    assert full == CREATE_SAMPLE


def test_create_with_everything() -> None:
    item = {"name": "Kopi", "price": {"value": "1.00", "currency": "IDR"}}
    body = json.loads(
        create(
            sub_merchant_id="D-1",
            external_store_id="S-1",
            pay_option_details=[CIMB_PAY_OPTION],
            buyer={"nickname": "Budi"},
            goods=[item],
            shipping=[{"cityName": "Takengon"}],
            env_info={"terminalType": "WEB", "clientIp": "203.0.113.7"},
        ).body()
    )
    assert body == {
        **CREATE_SAMPLE,
        "subMerchantId": "D-1",
        "externalStoreId": "S-1",
        "payOptionDetails": [CIMB_PAY_OPTION],
        "additionalInfo": {
            "order": {
                "orderTitle": "Payment Gateway Order",
                "scenario": "API",
                "buyer": {"nickname": "Budi"},
                "goods": [item],
                "shippingInfo": [{"cityName": "Takengon"}],
            },
            "mcc": "5814",
            "envInfo": {"sourcePlatform": "IPG", "terminalType": "WEB", "clientIp": "203.0.113.7"},
        },
    }


@given(st.text(max_size=64))
def test_create_is_compact_ascii_and_always_the_same(title: str) -> None:
    body = create(title=title).body()
    assert body.isascii()
    assert body == create(title=title).body()
    assert body == json.dumps(json.loads(body), separators=(",", ":"))
    assert json.loads(body)["additionalInfo"]["order"].get("orderTitle", "") == title


# -- Cancel Order and Query Payment ---------------------------------------------------------------------------------


def test_cancel_is_danas_sample() -> None:
    body = json.loads(cancel().body())
    assert body == CANCEL_SAMPLE
    assert list(body) == list(CANCEL_SAMPLE)


def test_cancel_leaves_out_what_is_empty_but_additional_info() -> None:
    body = cancel(
        original_reference_no="", original_external_id="", sub_merchant_id="", reason="", external_store_id=""
    ).body()
    assert json.loads(body) == {
        "originalPartnerReferenceNo": "2020102900000000000001",
        "merchantId": "23489182303312",
        "amount": {"value": "10000.00", "currency": "IDR"},
        "additionalInfo": {},
    }


# DANA, Refund Order: the fields of request and response. Its page at hand has no sample of them.
REFUND_REQUEST: dict[str, Any] = {
    "merchantId": "23489182303312",
    "subMerchantId": "23489182303312",
    "originalPartnerReferenceNo": "2020102900000000000001",
    "originalReferenceNo": "2020102977770000000009",
    "partnerRefundNo": "2020102900000000000002",
    "refundAmount": {"value": "10000.00", "currency": "IDR"},
    "externalStoreId": "124928924949487",
    "reason": "Out of stock",
    "additionalInfo": {},
}
REFUND_REPLY = {
    "responseCode": "2005800",
    "responseMessage": "Successful",
    "originalPartnerReferenceNo": "2020102900000000000001",
    "originalReferenceNo": "2020102977770000000009",
    "originalExternalId": "30443786930722726463280097920912",
    "refundNo": "2020102977770000000010",
    "partnerRefundNo": "2020102900000000000002",
    "refundAmount": {"value": "10000.00", "currency": "IDR"},
    "refundTime": "2020-12-21T17:07:25+07:00",
}


def refund(**changes: Any) -> RefundOrder:
    values: dict[str, Any] = {
        "original_partner_reference_no": "2020102900000000000001",
        "original_reference_no": "2020102977770000000009",
        "merchant_id": "23489182303312",
        "sub_merchant_id": "23489182303312",
        "partner_refund_no": "2020102900000000000002",
        "amount": Decimal("10000.00"),
        "currency": "IDR",
        "external_store_id": "124928924949487",
        "reason": "Out of stock",
    }
    return RefundOrder(**{**values, **changes})


def test_refund_has_the_fields_of_danas_page() -> None:
    assert json.loads(refund().body()) == REFUND_REQUEST


def test_refund_leaves_out_what_is_empty_but_additional_info() -> None:
    body = json.loads(refund(original_reference_no="", sub_merchant_id="", external_store_id="", reason="").body())
    assert set(REFUND_REQUEST) - set(body) == {"originalReferenceNo", "subMerchantId", "externalStoreId", "reason"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"partnerRefundNo": None},
        {"refundAmount": None},
        {"refundAmount": {"value": "Rp10.000", "currency": "IDR"}},
        {"refundAmount": "10000.00"},
    ],
    ids=str,
)
def test_answer_to_refund_with_its_number_and_time(wire: Wire, client: Client, changes: dict[str, Any]) -> None:
    wire.play(w.answer({**REFUND_REPLY, **changes}))
    result = client.call(operations.REFUND_ORDER, refund().body(), external_id="1")
    time = datetime(2020, 12, 21, 10, 7, 25, tzinfo=UTC)
    assert result.reply == RefundOrderReply(refund_no="2020102977770000000010", refund_time=time)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partnerRefundNo": "2020102900000000000003"}, "another order's"),
        ({"refundAmount": {"value": "9999.99", "currency": "IDR"}}, "refundAmount is another one"),
        ({"refundAmount": {"value": "10000.00", "currency": "USD"}}, "refundAmount is another one"),
    ],
    ids=str,
)
def test_answer_to_refund_about_another_one(wire: Wire, client: Client, changes: dict[str, Any], reason: str) -> None:
    wire.play(w.answer({**REFUND_REPLY, **changes}))
    result = client.call(operations.REFUND_ORDER, refund().body(), external_id="1")
    assert (result.rule.code, result.reply) == ("unexpected", None)
    assert reason in result.error


def test_query_asks_for_what_works() -> None:
    """DANA's acceptance suite asks with no more than these three."""
    body = QueryPayment(original_partner_reference_no="INV-1", merchant_id="M-1").body()
    assert json.loads(body) == {"originalPartnerReferenceNo": "INV-1", "serviceCode": "54", "merchantId": "M-1"}


def test_query_names_division_and_store() -> None:
    query = QueryPayment(
        original_partner_reference_no="INV-1", merchant_id="M-1", sub_merchant_id="D-1", external_store_id="S-1"
    )
    assert json.loads(query.body()) == {
        "originalPartnerReferenceNo": "INV-1",
        "serviceCode": "54",
        "merchantId": "M-1",
        "subMerchantId": "D-1",
        "externalStoreId": "S-1",
    }


# -- answers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(wire: Wire) -> Client:
    """A client that speaks to the scripted DANA."""
    return Client(
        Credentials(
            base_url=wire.url,
            partner_id="82150823919040624621823174737537",
            private_key=SHOP_PRIVATE_KEY,
            channel_id="95221",
            origin="",
            timeout=5.0,
            proxy=None,
            debug_mode=False,
        )
    )


def create_order(client: Client, message: CreateOrder | None = None) -> CallResult:
    return client.call(operations.CREATE_ORDER, (message or create()).body(), external_id="1")


def cancel_order(client: Client) -> CallResult:
    return client.call(operations.CANCEL_ORDER, cancel().body(), external_id="1")


def query_payment(client: Client) -> CallResult:
    return client.call(operations.QUERY_PAYMENT, QUERY.body(), external_id="1")


def assert_unexpected(result: CallResult, reason: str) -> None:
    assert (result.rule.code, result.code, result.reply) == ("unexpected", "", None)
    assert reason in result.error


def test_answer_to_create(wire: Wire, client: Client) -> None:
    wire.play(w.answer(CREATE_REPLY))
    result = create_order(client)
    assert (result.rule.outcome, result.message, result.http_status) == (Outcome.SUCCESS, "Successful", 200)
    assert result.reply == CreateOrderReply(
        reference_no="2020102977770000000009", web_redirect_url="https://pjsp.com/universal?bizNo=REF993883"
    )
    assert json.loads(result.text) == CREATE_REPLY
    assert wire.heard[0].body == create().body().encode()


def test_answer_to_create_of_a_virtual_account(wire: Wire, client: Client) -> None:
    answer = {name: value for name, value in CREATE_REPLY.items() if name != "webRedirectUrl"}
    wire.play(w.answer({**answer, "additionalInfo": {"paymentCode": "8099990012345678"}}))
    reply = create_order(client, create(pay_option_details=[CIMB_PAY_OPTION])).reply
    assert reply == CreateOrderReply(reference_no="2020102977770000000009", payment_code="8099990012345678")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"referenceNo": ""}, "without referenceNo"),
        ({"referenceNo": None}, "without referenceNo"),
        ({"referenceNo": 2020102977770000000009}, "without referenceNo"),
        ({"webRedirectUrl": ""}, "without webRedirectUrl"),
        ({"webRedirectUrl": None}, "without webRedirectUrl"),
        ({"webRedirectUrl": ["https://pjsp.com/"]}, "without webRedirectUrl"),
        ({"partnerReferenceNo": "2020102900000000000002"}, "another order's"),
        ({"partnerReferenceNo": 2020102900000000000001}, "another order's"),
        ({"responseCode": 2005400}, "no responseCode"),
        ({"responseCode": None}, "no responseCode"),
        ({"responseCode": "2005700"}, "not in the table of service 54"),
        ({"responseCode": ""}, "not in the table"),
        ({"responseCode": "no_reply"}, "not in the table"),
    ],
    ids=str,
)
def test_answer_to_create_that_cannot_be_understood(
    wire: Wire, client: Client, changes: dict[str, Any], reason: str
) -> None:
    wire.play(w.answer({**CREATE_REPLY, **changes}, status=200))
    result = create_order(client)
    assert_unexpected(result, reason)
    assert result.http_status == 200


def test_answer_to_create_with_only_a_code_where_a_page_is_promised(wire: Wire, client: Client) -> None:
    wire.play(w.answer({**CREATE_REPLY, "webRedirectUrl": "", "additionalInfo": {"paymentCode": "8099"}}))
    result = create_order(client)
    assert_unexpected(result, "without webRedirectUrl")


@pytest.mark.parametrize("status", [202, 299])
def test_success_on_another_2xx(wire: Wire, client: Client, status: int) -> None:
    wire.play(w.answer(CREATE_REPLY, status=status))
    assert create_order(client).http_status == status


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_success_on_another_status_is_not_believed(wire: Wire, client: Client, status: int) -> None:
    wire.play(w.answer(CREATE_REPLY, status=status))
    result = create_order(client)
    assert_unexpected(result, f"success code 2005400 on HTTP {status}")


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_refusal_counts_on_any_status(wire: Wire, client: Client, status: int) -> None:
    wire.play(
        w.answer({"responseCode": "4015400", "responseMessage": "Unauthorized. Invalid Signature"}, status=status)
    )
    result = create_order(client)
    assert (result.rule.code, result.http_status, result.reply) == ("4015400", status, None)


def test_answer_to_cancel(wire: Wire, client: Client) -> None:
    wire.play(w.answer(CANCEL_REPLY))
    result = cancel_order(client)
    assert (result.rule.code, result.rule.outcome) == ("2005700", Outcome.SUCCESS)
    assert result.reply == CancelOrderReply(
        cancel_time=datetime(2020, 12, 21, 10, 7, 25, tzinfo=UTC),
        transaction_date=datetime(2020, 12, 21, 7, 56, 11, tzinfo=UTC),
    )
    assert wire.heard[0].body == cancel().body().encode()


def test_answer_to_cancel_without_times(wire: Wire, client: Client) -> None:
    wire.play(w.answer({**CANCEL_REPLY, "cancelTime": "soon", "transactionDate": None}))
    assert cancel_order(client).reply == CancelOrderReply()


@pytest.mark.parametrize("name", ["originalPartnerReferenceNo", "originalReferenceNo"])
def test_answer_to_cancel_of_another_order(wire: Wire, client: Client, name: str) -> None:
    wire.play(w.answer({**CANCEL_REPLY, name: "2020102900000000000009"}))
    result = cancel_order(client)
    assert_unexpected(result, name)


QUERY = QueryPayment(original_partner_reference_no="2020102900000000000001", merchant_id="23489182303312")
QUERY_REPLY: dict[str, Any] = {
    "responseCode": "2005500",
    "responseMessage": "Successful",
    "originalPartnerReferenceNo": "2020102900000000000001",
    "originalReferenceNo": "2020102977770000000009",
    "latestTransactionStatus": "05",
    "amount": {"value": "15000.00", "currency": "IDR"},
    "paidTime": "2020-12-21T14:56:11+07:00",
    "additionalInfo": {
        "amountDetail": {
            "orderAmount": {"value": "15000.00", "currency": "IDR"},
            "refundAmount": {"value": "5000.00", "currency": "IDR"},
        },
        "statusDetail": {"acquirementStatus": "CANCELLED"},
    },
}


def test_answer_to_query(wire: Wire, client: Client) -> None:
    wire.play(w.answer(QUERY_REPLY))
    reply = query_payment(client).reply
    assert isinstance(reply, StatusReport)
    assert (reply.status, reply.acquirement_status) == ("05", "CANCELLED")
    assert (reply.amount, reply.currency, reply.refund_amount) == (Decimal("15000.00"), "IDR", Decimal("5000.00"))
    assert reply.paid_at == datetime(2020, 12, 21, 7, 56, 11, tzinfo=UTC)
    assert reply.reference_no == "2020102977770000000009"


def test_answer_to_query_with_the_amount_in_its_detail_only(wire: Wire, client: Client) -> None:
    wire.play(w.answer({name: value for name, value in QUERY_REPLY.items() if name != "amount"}))
    reply = query_payment(client).reply
    assert isinstance(reply, StatusReport)
    assert reply.amount == Decimal("15000.00")


@pytest.mark.parametrize("odd", [None, [], "x", 5, {}])
def test_answer_to_query_with_odd_optional_fields(wire: Wire, client: Client, odd: object) -> None:
    wire.play(w.answer({**QUERY_REPLY, "amount": odd, "paidTime": odd, "additionalInfo": odd}))
    reply = query_payment(client).reply
    assert isinstance(reply, StatusReport)
    assert (reply.status, reply.acquirement_status) == ("05", "")
    assert (reply.amount, reply.currency, reply.refund_amount, reply.paid_at) == (None, "", None, None)


@pytest.mark.parametrize("status", ["", None, 5])
def test_answer_to_query_without_status(wire: Wire, client: Client, status: object) -> None:
    wire.play(w.answer({**QUERY_REPLY, "latestTransactionStatus": status}))
    result = query_payment(client)
    assert_unexpected(result, "without latestTransactionStatus")


def test_answer_to_query_about_another_order(wire: Wire, client: Client) -> None:
    wire.play(w.answer({**QUERY_REPLY, "originalPartnerReferenceNo": "INV-9"}))
    result = query_payment(client)
    assert_unexpected(result, "another order's")


@pytest.mark.parametrize("name", ["originalReferenceNo", "originalPartnerReferenceNo"])
def test_echo_may_be_missing(wire: Wire, client: Client, name: str) -> None:
    """DANA leaves it out of answers to header errors."""
    wire.play(w.answer({key: value for key, value in CANCEL_REPLY.items() if key != name}))
    assert cancel_order(client).rule.code == "2005700"


def test_number_with_an_exponent_out_of_range_is_unexpected(wire: Wire, client: Client) -> None:
    wire.play(w.body(b'{"responseCode":"2005400","fee":1e99999999999999999999}'))
    result = create_order(client)
    assert_unexpected(result, "no JSON object")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("0", 0.0), ("-5", None), ("1.5", None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after(wire: Wire, client: Client, header: str, seconds: float | None) -> None:
    wire.play(w.answer({"responseCode": "4295400"}, headers={"Retry-After": header}))
    assert create_order(client).retry_after == seconds
