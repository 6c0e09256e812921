"""DANA's code tables, row by row: the one place that decides what an answer means.

Sources: the response code tables of DANA's pages *Create Order* (service 54), *Query Payment* (service 55) and
*Cancel Order* (service 57). The rows ``NO_REPLY`` and ``UNEXPECTED`` are the two last rows of each table; their
text is cut off in the copies of the first and last page at hand and filled from the same tables of DANA's
*Widget* product.

Plain Python: the sentences are marked for translation here and translated where they are shown.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Outcome(Enum):
    """What DANA says to record for the call itself."""

    SUCCESS = "success"
    FAILED = "failed"
    PENDING = "pending"
    ABORTED = "aborted"


class FollowUp(Enum):
    """What DANA says to do next."""

    NONE = "none"
    FIX = "fix the parameters, send anew"
    CHANGE_AMOUNT = "change the amount"
    SAME_PAYLOAD = "same payload again from time to time"
    TRY_AGAIN = "try again from time to time"
    ASK_DANA = "ask DANA"
    TELL_USER = "tell the user"
    ASK_AGAIN = "ask again later"
    SERIES = "same payload, three attempts at most"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table.

    Attributes:
        code: DANA's responseCode, or ``no_reply`` or ``unexpected``.
        name: DANA's name for it (its responseMessage without a variable tail).
        meaning: what happened, in a few words.
        outcome: what the call is recorded as.
        follow_up: what DANA advises, in DANA's order.
        advice: the sentence for staff.
        source: where the row stands.
        may_mask_success: after an attempt whose end nobody saw, this refusal may be the answer to our own
            earlier success, so DANA is asked before it is believed.
        order_unknown: DANA says that it does not have the order.
    """

    code: str
    name: str
    meaning: str
    outcome: Outcome
    follow_up: tuple[FollowUp, ...]
    advice: str
    source: str
    may_mask_success: bool = False
    order_unknown: bool = False

    @property
    def is_tried_again(self) -> bool:
        """Whether it is recorded Failed and yet tried again from time to time."""
        return self.outcome is Outcome.FAILED and FollowUp.TRY_AGAIN in self.follow_up

    @property
    def repeats_series(self) -> bool:
        """Whether it is one of the two rows that get further attempts within a series."""
        return self.code in (NO_REPLY, UNEXPECTED)

    @property
    def asks_for_patience(self) -> bool:
        """Whether DANA wants fewer calls (HTTP 429)."""
        return self.code.startswith("429")

    @property
    def is_definite_refusal(self) -> bool:
        """Whether DANA said that it has not acted and will not."""
        return self.outcome is Outcome.FAILED and not self.is_tried_again


NO_REPLY: Final = "no_reply"
UNEXPECTED: Final = "unexpected"


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of one service."""

    service: str
    rows: MappingProxyType[str, Rule]

    def find(self, code: str) -> Rule | None:
        """Return the row of a responseCode, or None for a code that DANA has not documented."""
        return None if code in (NO_REPLY, UNEXPECTED) else self.rows.get(code)

    @property
    def success(self) -> Rule:
        """The row of the one code that means success."""
        return next(row for row in self.rows.values() if row.outcome is Outcome.SUCCESS)

    @property
    def no_reply(self) -> Rule:
        """DANA's row *Total timeout*."""
        return self.rows[NO_REPLY]

    @property
    def unexpected(self) -> Rule:
        """DANA's row *Unexpected response*."""
        return self.rows[UNEXPECTED]


def _table(service: str, *rows: Rule) -> Table:
    return Table(service, MappingProxyType({row.code: row for row in rows}))


def _(sentence: str) -> str:
    """Mark a sentence for translation; Django's makemessages finds it by this name."""
    return sentence


_CREATE_PAGE = "DANA, Create Order, response codes"
_CANCEL_PAGE = "DANA, Cancel Order, response codes"
_QUERY_PAGE = "DANA Widget, Query Payment, response codes"
_PAYMENT_TWIN = "DANA Widget, Direct Debit Payment, response codes"
_CANCEL_TWIN = "DANA Widget, Cancel Order, response codes"

_FIX_ORDER = _("DANA refused the order's data. Correct it and create a new order.")
_FIX_CANCEL = _("DANA refused the request's data. Nothing was cancelled. Have the settings checked, then try again.")
_WAIT = _("DANA has not decided yet. The same request is repeated by itself; there is nothing to do but wait.")
_REFUSED_FOR_NOW = _(
    "DANA refuses it for now. It is tried again by itself; do not refund by other means meanwhile. "
    "If it goes on, ask DANA about the account."
)
_NOT_UNDERSTOOD = _(
    "DANA's answer could not be understood, so it is neither called a success nor a failure. "
    "The same request is repeated by itself; there is nothing to do but wait."
)

CREATE: Final = _table(
    "54",
    Rule(
        "2005400",
        "Successful",
        "order accepted",
        Outcome.SUCCESS,
        (FollowUp.NONE,),
        _("DANA has the order. The buyer can pay."),
        _CREATE_PAGE,
    ),
    Rule(
        "4005400",
        "Bad Request",
        "generic refusal",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _FIX_ORDER,
        _CREATE_PAGE,
    ),
    Rule(
        "4005401",
        "Invalid Field Format",
        "some field is malformed",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA found a malformed field (its message names it). Correct it and create a new order."),
        _CREATE_PAGE,
    ),
    Rule(
        "4005402",
        "Invalid Mandatory Field",
        "a mandatory field is missing or malformed",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA misses a mandatory field (its message names it). Correct it and create a new order."),
        _CREATE_PAGE,
    ),
    Rule(
        "4015400",
        "Unauthorized. Invalid Signature",
        "signature wrong",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA did not accept our signature. Have the account's keys checked, then create a new order."),
        _CREATE_PAGE,
    ),
    Rule(
        "4035402",
        "Exceeds Transaction Amount Limit",
        "amount over the limit",
        Outcome.FAILED,
        (FollowUp.CHANGE_AMOUNT,),
        _("The amount is over DANA's limit. Create a new order with a smaller amount."),
        _CREATE_PAGE,
    ),
    Rule(
        "4035405",
        "Do Not Honor",
        "account or user state abnormal",
        Outcome.FAILED,
        (FollowUp.FIX, FollowUp.ASK_DANA),
        _("DANA finds the state of the account or user abnormal. Ask DANA about the account, then create a new order."),
        _CREATE_PAGE,
    ),
    Rule(
        "4035415",
        "Transaction Not Permitted",
        "not permitted",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN, FollowUp.ASK_DANA),
        _REFUSED_FOR_NOW,
        _CREATE_PAGE,
    ),
    Rule(
        "4045408",
        "Invalid Merchant",
        "merchant unknown or abnormal",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _(
            "DANA does not know this merchant, store or division. Have the account's settings checked, "
            "then create a new order."
        ),
        _CREATE_PAGE,
    ),
    Rule(
        "4045418",
        "Inconsistent Request",
        "same reference, other content",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _(
            "DANA already has another order under this reference; a payment of that one is never counted here. "
            "Create a new order with a new reference."
        ),
        _CREATE_PAGE,
        may_mask_success=True,
    ),
    Rule(
        "4295400",
        "Too Many Requests",
        "limit reached",
        Outcome.PENDING,
        (FollowUp.SAME_PAYLOAD,),
        _WAIT,
        _CREATE_PAGE,
    ),
    Rule(
        "5005400",
        "General Error",
        "generic error",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN,),
        _REFUSED_FOR_NOW,
        _CREATE_PAGE,
    ),
    Rule(
        "5005401",
        "Internal Server Error",
        "unknown failure at DANA",
        Outcome.PENDING,
        (FollowUp.SAME_PAYLOAD,),
        _WAIT,
        _CREATE_PAGE,
    ),
    Rule(
        NO_REPLY,
        "Total timeout",
        "no whole reply came in time",
        Outcome.PENDING,
        (FollowUp.SERIES, FollowUp.SAME_PAYLOAD),
        _("DANA did not answer, so nobody knows yet whether it has the order. The same request is repeated by itself."),
        _CREATE_PAGE,
    ),
    Rule(
        UNEXPECTED,
        "Unexpected response",
        "a reply that can't be understood",
        Outcome.PENDING,
        (FollowUp.SERIES, FollowUp.SAME_PAYLOAD),
        _NOT_UNDERSTOOD,
        _PAYMENT_TWIN,
    ),
)

CANCEL: Final = _table(
    "57",
    Rule(
        "2005700",
        "Successful",
        "cancelled",
        Outcome.SUCCESS,
        (FollowUp.NONE,),
        _("DANA has cancelled the order. If it was paid, the money goes back to the buyer."),
        _CANCEL_PAGE,
    ),
    Rule(
        "2025700",
        "Request In Progress",
        "being cancelled",
        Outcome.PENDING,
        (FollowUp.SAME_PAYLOAD,),
        _(
            "DANA is cancelling the order. The same request is repeated by itself until it is done; "
            "do not refund by other means."
        ),
        _CANCEL_PAGE,
    ),
    Rule(
        "4005700",
        "Bad Request",
        "generic refusal",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _FIX_CANCEL,
        _CANCEL_PAGE,
    ),
    Rule(
        "4005701",
        "Invalid Field Format",
        "some field is malformed",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _FIX_CANCEL,
        _CANCEL_PAGE,
    ),
    Rule(
        "4005702",
        "Invalid Mandatory Field",
        "a mandatory field is missing or malformed",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _FIX_CANCEL,
        _CANCEL_PAGE,
    ),
    Rule(
        "4015700",
        "Unauthorized",
        "not authorised",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA did not accept our signature. Nothing was cancelled. Have the account's keys checked, then try again."),
        _CANCEL_PAGE,
    ),
    Rule(
        "4035700",
        "Transaction Expired",
        "the time in which it can be cancelled is over",
        Outcome.FAILED,
        (FollowUp.TELL_USER,),
        _(
            "The time for cancelling is over. Nothing was cancelled; if the buyer is to get money back, "
            "refund it in another way."
        ),
        _CANCEL_PAGE,
        may_mask_success=True,
    ),
    Rule(
        "4035705",
        "Do Not Honor",
        "account or user state abnormal",
        Outcome.FAILED,
        (FollowUp.FIX, FollowUp.ASK_DANA),
        _("DANA finds the state of the account or user abnormal. Nothing was cancelled. Ask DANA about the account."),
        _CANCEL_PAGE,
    ),
    Rule(
        "4035714",
        "Insufficient Funds",
        "the merchant's account cannot cover it",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN,),
        _(
            "Your balance at DANA does not cover the refund. Top it up: the request is tried again by itself. "
            "Do not refund by other means meanwhile."
        ),
        _CANCEL_PAGE,
    ),
    Rule(
        "4035715",
        "Transaction Not Permitted",
        "not permitted, for example by the agreement",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN, FollowUp.ASK_DANA),
        _REFUSED_FOR_NOW,
        _CANCEL_PAGE,
    ),
    Rule(
        "4045700",
        "Invalid Transaction Status",
        "wrong state, for example refunded",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN, FollowUp.ASK_DANA),
        _(
            "DANA says that the order is in no state to be cancelled; it may have been refunded already. "
            "It is tried again by itself; do not refund by other means before you have looked it up at DANA."
        ),
        _CANCEL_PAGE,
        may_mask_success=True,
    ),
    Rule(
        "4045701",
        "Transaction Not Found",
        "unknown order",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA does not know this order, so there is nothing to cancel and nothing was paid."),
        _CANCEL_PAGE,
        may_mask_success=True,
        order_unknown=True,
    ),
    Rule(
        "4045708",
        "Invalid Merchant",
        "merchant unknown or abnormal",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _(
            "DANA does not know this merchant. Nothing was cancelled. Have the account's settings checked, "
            "then try again."
        ),
        _CANCEL_PAGE,
    ),
    Rule(
        "4295700",
        "Too Many Requests",
        "limit reached",
        Outcome.PENDING,
        (FollowUp.SAME_PAYLOAD,),
        _WAIT,
        _CANCEL_PAGE,
    ),
    Rule(
        "5005700",
        "General Error",
        "generic error",
        Outcome.FAILED,
        (FollowUp.TRY_AGAIN,),
        _REFUSED_FOR_NOW,
        _CANCEL_PAGE,
    ),
    Rule(
        "5005701",
        "Internal Server Error",
        "unknown failure at DANA",
        Outcome.PENDING,
        (FollowUp.SAME_PAYLOAD,),
        _WAIT,
        _CANCEL_PAGE,
    ),
    Rule(
        NO_REPLY,
        "Total timeout",
        "no whole reply came in time",
        Outcome.ABORTED,
        (FollowUp.SERIES, FollowUp.TELL_USER),
        _(
            "DANA did not answer, so the cancel was given up without knowing its end. DANA is being asked what became "
            "of the order; do not refund by other means before the answer is here."
        ),
        _CANCEL_PAGE,
    ),
    Rule(
        UNEXPECTED,
        "Unexpected response",
        "a reply that can't be understood",
        Outcome.PENDING,
        (FollowUp.SERIES, FollowUp.SAME_PAYLOAD),
        _NOT_UNDERSTOOD,
        _CANCEL_TWIN,
    ),
)

_QUESTION_REFUSED = _("DANA refused our question, which says nothing about the payment. It is asked again later.")
_QUESTION_OPEN = _("DANA did not answer our question, which says nothing about the payment. It is asked again later.")

QUERY: Final = _table(
    "55",
    Rule(
        "2005500",
        "Successful",
        "the payment's state is in the answer",
        Outcome.SUCCESS,
        (FollowUp.NONE,),
        _("DANA has told the state of the payment."),
        _QUERY_PAGE,
    ),
    *(
        Rule(
            code,
            name,
            meaning,
            Outcome.FAILED,
            (FollowUp.FIX, FollowUp.ASK_AGAIN),
            _QUESTION_REFUSED,
            _QUERY_PAGE,
        )
        for code, name, meaning in (
            ("4005500", "Bad Request", "generic refusal"),
            ("4005501", "Invalid Field Format", "some field is malformed"),
            ("4005502", "Invalid Mandatory Field", "a mandatory field is missing or malformed"),
            ("4015500", "Unauthorized", "not authorised"),
        )
    ),
    Rule(
        "4045501",
        "Transaction Not Found",
        "DANA does not have the order",
        Outcome.FAILED,
        (FollowUp.FIX,),
        _("DANA does not know this order."),
        _QUERY_PAGE,
        order_unknown=True,
    ),
    Rule(
        "4295500",
        "Too Many Requests",
        "limit reached",
        Outcome.PENDING,
        (FollowUp.ASK_AGAIN,),
        _QUESTION_OPEN,
        _QUERY_PAGE,
    ),
    Rule(
        "5005500",
        "General Error",
        "generic error",
        Outcome.FAILED,
        (FollowUp.ASK_AGAIN,),
        _QUESTION_OPEN,
        _QUERY_PAGE,
    ),
    Rule(
        "5005501",
        "Internal Server Error",
        "unknown failure at DANA",
        Outcome.PENDING,
        (FollowUp.ASK_AGAIN,),
        _QUESTION_OPEN,
        _QUERY_PAGE,
    ),
    Rule(
        NO_REPLY,
        "Total timeout",
        "no whole reply came in time",
        Outcome.PENDING,
        (FollowUp.ASK_AGAIN,),
        _QUESTION_OPEN,
        _QUERY_PAGE,
    ),
    Rule(
        UNEXPECTED,
        "Unexpected response",
        "a reply that can't be understood",
        Outcome.PENDING,
        (FollowUp.ASK_AGAIN,),
        _QUESTION_OPEN,
        _QUERY_PAGE,
    ),
)


class PaymentState(Enum):
    """DANA's latestTransactionStatus, in notifications and in Query Payment (DANA's page Query Payment)."""

    PAID = "00"
    INITIATED = "01"
    PAYING = "02"
    CLOSED = "05"
    NOT_FOUND = "07"
