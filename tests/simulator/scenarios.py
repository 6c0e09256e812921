"""DANA's test scenarios: what is sent, and which code comes back. The names are those of DANA's acceptance suite.

The same list is sent by a stranger's plain HTTP and by our client, to the simulator or, for those who have an account,
to DANA's sandbox; docs/contributing.rst says how.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.simulator.shop import ABSENT, rupiah

HEX = "85be817c55b2c135157c7e89f52499bf0c25ad6eeebe04a986e8c862561b19a5"


@dataclass(frozen=True)
class Scenario:
    """One call and what DANA makes of it.

    Attributes:
        prepare: what happens before: create, create_va, pay, cancel, refund, expire.
        body: dotted fields to change in an ordinary body; ABSENT removes one. ``api`` chooses the API form by
            (payMethod, payOption).
        holds: dotted fields of the answer; a type means any value of it, ABSENT that it is not there.
        everywhere: whether it can run at the real sandbox as well.
    """

    name: str
    operation: str
    code: str
    prepare: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    api: tuple[str, str] | None = None
    message: str = ""
    holds: dict[str, Any] = field(default_factory=dict)
    everywhere: bool = True


NO_TIMESTAMP = {"X-TIMESTAMP": ABSENT}
BAD_SIGNATURE = {"X-SIGNATURE": HEX}

CREATE = [
    Scenario(
        "CreateOrderRedirect",
        "create",
        "2005400",
        body={"amount": rupiah("1.00")},
        message="Successful",
        holds={"referenceNo": str, "webRedirectUrl": str},
    ),
    Scenario(
        "CreateOrderApi",
        "create",
        "2005400",
        api=("BALANCE", ""),
        body={"amount": rupiah("1.00")},
        holds={"webRedirectUrl": str},
    ),
    Scenario(
        "CreateOrderNetworkPayPgOtherVaBank",
        "create",
        "2005400",
        api=("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_CIMB"),
        holds={"additionalInfo.paymentCode": str, "webRedirectUrl": ABSENT},
    ),
    Scenario(
        "CreateOrderNetworkPayPgOtherWallet",
        "create",
        "2005400",
        api=("NETWORK_PAY", "NETWORK_PAY_PG_OVO"),
        body={"payOptionDetails.0.additionalInfo": {"phoneNumber": "081234567890"}},
        holds={"webRedirectUrl": ABSENT},
        everywhere=False,
    ),
    Scenario(
        "CreateOrderNetworkPayPgQris",
        "create",
        "2005400",
        api=("NETWORK_PAY", "NETWORK_PAY_PG_QRIS"),
        body={"externalStoreId": "STORE-1"},
        holds={"additionalInfo.paymentCode": str, "webRedirectUrl": ABSENT},
        everywhere=False,
    ),
    Scenario(
        "CreateOrderInvalidFieldFormat",
        "create",
        "4005401",
        body={"amount.value": "1500"},
        message="Invalid Field Format amount",
        holds={"partnerReferenceNo": str},
    ),
    Scenario(
        "CreateOrderInvalidMandatoryField",
        "create",
        "4005402",
        headers=NO_TIMESTAMP,
        message="Invalid Mandatory Field X-TIMESTAMP",
    ),
    Scenario(
        "CreateOrderNoChannelId",
        "create",
        "4005402",
        headers={"CHANNEL-ID": ABSENT},
        message="Invalid Mandatory Field CHANNEL-ID",
    ),
    Scenario(
        "CreateOrderUnauthorized",
        "create",
        "4015400",
        headers=BAD_SIGNATURE,
        message="Unauthorized. Invalid Signature",
        holds={"partnerReferenceNo": ABSENT},
    ),
    Scenario(
        "CreateOrderInconsistentRequest",
        "create",
        "4045418",
        prepare=("create",),
        body={"amount": rupiah("16000.00")},
        message="Inconsistent Request",
        holds={"partnerReferenceNo": str},
    ),
    Scenario("CreateOrderSameContentAgain", "create", "2005400", prepare=("create",), everywhere=False),
    Scenario(
        "CreateOrderExceedsLimit",
        "create",
        "4035402",
        body={"amount": rupiah("10000000.01")},
        everywhere=False,
    ),
    Scenario("CreateOrderInvalidMerchant", "create", "4045408", body={"merchantId": "M-OTHER"}, everywhere=False),
    Scenario(
        "CreateOrderAlreadyExpired",
        "create",
        "4005401",
        body={"validUpTo": "2020-01-01T00:00:00+07:00"},
        message="Invalid Field Format validUpTo",
        everywhere=False,
    ),
]

QUERY = [
    Scenario(
        "QueryPaymentCreatedOrder",
        "query",
        "2005500",
        prepare=("create",),
        holds={
            "latestTransactionStatus": "01",
            "transactionStatusDesc": "INIT",
            "additionalInfo.statusDetail.acquirementStatus": "INIT",
        },
    ),
    Scenario(
        "QueryPaymentPaidOrder",
        "query",
        "2005500",
        prepare=("create_va", "pay"),
        holds={"latestTransactionStatus": "00", "additionalInfo.statusDetail.acquirementStatus": "SUCCESS"},
    ),
    Scenario(
        "QueryPaymentCanceledOrder",
        "query",
        "2005500",
        prepare=("create", "cancel"),
        holds={"latestTransactionStatus": "05", "additionalInfo.statusDetail.acquirementStatus": "CANCELLED"},
    ),
    Scenario(
        "QueryPaymentExpiredOrder",
        "query",
        "2005500",
        prepare=("create", "expire"),
        holds={"latestTransactionStatus": "05", "additionalInfo.statusDetail.acquirementStatus": "CLOSED"},
        everywhere=False,
    ),
    Scenario(
        "QueryPaymentRefundedOrder",
        "query",
        "2005500",
        prepare=("create_va", "pay", "refund"),
        holds={"additionalInfo.amountDetail.refundAmount.value": "15000.00"},
    ),
    Scenario(
        "QueryPaymentInvalidFormat",
        "query",
        "4005501",
        prepare=("create",),
        headers={"X-TIMESTAMP": "2026-03-02 10:20:30+07:00"},
        message="Invalid Field Format X-TIMESTAMP",
    ),
    Scenario("QueryPaymentInvalidMandatoryField", "query", "4005502", prepare=("create",), headers=NO_TIMESTAMP),
    Scenario("QueryPaymentUnauthorized", "query", "4015500", prepare=("create",), headers=BAD_SIGNATURE),
    Scenario("QueryPaymentTransactionNotFound", "query", "4045501", message="Transaction Not Found"),
    Scenario(
        "QueryPaymentGeneralError",
        "query",
        "5005501",
        prepare=("create",),
        body={"serviceCode": "AZ"},
    ),
    Scenario(
        "QueryPaymentNoReference",
        "query",
        "4005502",
        body={"originalPartnerReferenceNo": ABSENT},
        everywhere=False,
    ),
]

CANCEL = [
    Scenario(
        "CancelOrderValidScenario",
        "cancel",
        "2005700",
        prepare=("create",),
        message="Success",
        holds={"originalReferenceNo": str, "cancelTime": str},
    ),
    Scenario(
        "CancelOrderPaid",
        "cancel",
        "2005700",
        prepare=("create_va", "pay"),
        body={"amount": rupiah("15000.00"), "reason": "stock ran out"},
    ),
    Scenario(
        "CancelOrderInProgress",
        "cancel",
        "2025700",
        body={"originalPartnerReferenceNo": "2025700"},
        message="Request In Progress",
    ),
    Scenario("CancelOrderUserStatusAbnormal", "cancel", "4035705", body={"originalPartnerReferenceNo": "4035705"}),
    Scenario("CancelOrderAccountStatusAbnormal", "cancel", "4035705", body={"originalPartnerReferenceNo": "4035705"}),
    Scenario("CancelOrderMerchantStatusAbnormal", "cancel", "4045708", body={"originalPartnerReferenceNo": "4045708"}),
    Scenario("CancelOrderInsufficientFunds", "cancel", "4035714", body={"originalPartnerReferenceNo": "4035714"}),
    Scenario("CancelOrderNotAllowed", "cancel", "4035715", body={"originalPartnerReferenceNo": "4035715"}),
    Scenario("CancelOrderTransactionExpired", "cancel", "4035700", body={"originalPartnerReferenceNo": "4035700"}),
    Scenario("CancelOrderTimeout", "cancel", "5005701", body={"originalPartnerReferenceNo": "5005701"}),
    Scenario(
        "CancelOrderTransactionNotFound",
        "cancel",
        "4045701",
        holds={"originalPartnerReferenceNo": str},
    ),
    Scenario(
        "CancelOrderInvalidTransactionStatus",
        "cancel",
        "4045700",
        prepare=("create_va", "pay", "refund"),
        message="Invalid Transaction Status",
    ),
    Scenario("CancelOrderInvalidMandatoryField", "cancel", "4005702", prepare=("create",), headers=NO_TIMESTAMP),
    Scenario("CancelOrderUnauthorized", "cancel", "4015700", prepare=("create",), headers=BAD_SIGNATURE),
    Scenario("CancelOrderExpiredUnpaid", "cancel", "4045700", prepare=("create", "expire"), everywhere=False),
    Scenario("CancelOrderAgain", "cancel", "2005700", prepare=("create", "cancel"), everywhere=False),
    Scenario(
        "CancelOrderReasonTooLong",
        "cancel",
        "4005701",
        prepare=("create",),
        body={"reason": "x" * 257},
        message="Invalid Field Format reason",
        everywhere=False,
    ),
]

REFUND = [
    Scenario(
        "RefundOrderValidScenario",
        "refund",
        "2005800",
        prepare=("create_va", "pay"),
        body={"refundAmount": rupiah("1.00")},
        holds={"refundNo": str, "refundTime": str},
    ),
    Scenario("RefundOrderInProgress", "refund", "2025800", body={"refundAmount": rupiah("225800.00")}),
    Scenario("RefundOrderNotAllowed", "refund", "4035815", body={"refundAmount": rupiah("435815.00")}),
    Scenario("RefundOrderInsufficientFunds", "refund", "4035814", body={"refundAmount": rupiah("435814.00")}),
    Scenario("RefundOrderMerchantStatusAbnormal", "refund", "4045808", body={"refundAmount": rupiah("445808.00")}),
    Scenario("RefundOrderTimeout", "refund", "5005801", body={"refundAmount": rupiah("505801.00")}),
    Scenario("RefundOrderIllegalParameter", "refund", "4005801", body={"refundAmount.value": "10000"}),
    Scenario("RefundOrderNotPaid", "refund", "4045800", prepare=("create",)),
    Scenario("RefundOrderInvalidBill", "refund", "4045801"),
    Scenario(
        "RefundOrderDuplicateRequest",
        "refund",
        "4045818",
        prepare=("create_va", "pay", "refund"),
        body={"refundAmount": rupiah("1.00")},
    ),
    Scenario(
        "RefundOrderInvalidMandatoryParameter",
        "refund",
        "4005802",
        headers={"X-SIGNATURE": ABSENT},
        message="Invalid Mandatory Field X-SIGNATURE",
    ),
    Scenario("RefundOrderDueToExceedRefundWindowTime", "refund", "4035815", body={"refundAmount": rupiah("435816.00")}),
    Scenario("RefundOrderMultipleRefund", "refund", "4035815", body={"refundAmount": rupiah("435817.00")}),
    Scenario("RefundOrderNoTimestamp", "refund", "4005802", headers=NO_TIMESTAMP),
    Scenario("RefundOrderUnauthorized", "refund", "4015800", headers=BAD_SIGNATURE),
    Scenario(
        "RefundOrderSameContentAgain",
        "refund",
        "2005800",
        prepare=("create_va", "pay", "refund"),
        everywhere=False,
    ),
    Scenario(
        "RefundOrderExceedsTransactionAmountLimit",
        "refund",
        "4035802",
        prepare=("create_va", "pay"),
        body={"refundAmount": rupiah("15000.01")},
        everywhere=False,
    ),
]

CONSULT = [
    Scenario("ConsultPayBalancedSuccess", "consult", "2005700", holds={"paymentInfos": list}),
    Scenario(
        "ConsultPayBalancedInvalidFieldFormat",
        "consult",
        "4000001",
        body={"merchantId": ""},
        message="Invalid Field Format",
    ),
    Scenario("ConsultPayBalancedInvalidMandatoryField", "consult", "4000002", headers=NO_TIMESTAMP),
    Scenario("ConsultPayBalancedUnauthorized", "consult", "4010000", headers=BAD_SIGNATURE),
]

ALL = [*CREATE, *QUERY, *CANCEL, *REFUND, *CONSULT]
