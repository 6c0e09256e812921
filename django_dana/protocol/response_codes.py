"""DANA's code tables, row by row: the one place that decides what an answer means.

Sources: the response code tables of DANA's pages *Create Order* (service 54), *Query Payment* (55), *Cancel Order* (57)
and *Refund Order* (58). The last two rows of each table, ``NO_REPLY`` and ``UNEXPECTED``, are cut off in the copies of
the first and third page at hand; their text comes from the same tables of DANA's *Widget* product, as do those of 55
and 58.

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
    CONTACT_DANA = "contact DANA"
    TELL_USER = "tell the user"
    SYNC_AGAIN = "query again later"
    SERIES = "same payload, three attempts at most"


NO_REPLY: Final = "no_reply"
UNEXPECTED: Final = "unexpected"


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
        may_mask_success: this refusal can be the answer to an earlier success of our own.
        order_unknown: DANA says that it does not have the order.
        blames_account: the merchant's account or our settings are at fault, so every payment may be failing.
        calls_staff: staff can or must act at once, although the workers go on by themselves.
    """

    code: str
    name: str
    meaning: str
    outcome: Outcome
    follow_up: tuple[FollowUp, ...]
    advice: str
    may_mask_success: bool = False
    order_unknown: bool = False
    blames_account: bool = False
    calls_staff: bool = False

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
    def may_have_acted(self) -> bool:
        """Whether DANA may have acted on the call: only a refusal says that it has not."""
        return self.outcome is not Outcome.FAILED


@dataclass(frozen=True, slots=True)
class CodeTable:
    """All rows of one service, and DANA's pages on which they stand."""

    service_code: str
    sources: tuple[str, ...]
    rows: MappingProxyType[str, Rule]

    def find(self, code: str) -> Rule | None:
        """Return the row of a responseCode, or None for a code that DANA has not documented."""
        return None if code in (NO_REPLY, UNEXPECTED) else self.rows.get(code)

    @property
    def success(self) -> Rule:
        """The row of the one code that means success."""
        return next(rule for rule in self.rows.values() if rule.outcome is Outcome.SUCCESS)

    @property
    def no_reply(self) -> Rule:
        """DANA's row *Total timeout*."""
        return self.rows[NO_REPLY]

    @property
    def unexpected(self) -> Rule:
        """DANA's row *Unexpected response*."""
        return self.rows[UNEXPECTED]

    @property
    def refusals(self) -> frozenset[str]:
        """The codes by which DANA says that it has not acted."""
        return frozenset(rule.code for rule in self.rows.values() if not rule.may_have_acted)


def _table(service_code: str, sources: tuple[str, ...], *rules: Rule) -> CodeTable:
    return CodeTable(service_code, sources, MappingProxyType({rule.code: rule for rule in rules}))


def _(sentence: str) -> str:
    """Mark a sentence for translation; Django's makemessages finds it by this name."""
    return sentence


_SUCCESS, _FAILED, _PENDING, _ABORTED = Outcome.SUCCESS, Outcome.FAILED, Outcome.PENDING, Outcome.ABORTED

_NONE: Final = (FollowUp.NONE,)
_FIX: Final = (FollowUp.FIX,)
_FIX_CONTACT: Final = (FollowUp.FIX, FollowUp.CONTACT_DANA)
_CHANGE_AMOUNT: Final = (FollowUp.CHANGE_AMOUNT,)
_REPEAT: Final = (FollowUp.SAME_PAYLOAD,)
_LATER: Final = (FollowUp.TRY_AGAIN,)
_LATER_CONTACT: Final = (FollowUp.TRY_AGAIN, FollowUp.CONTACT_DANA)
_SERIES: Final = (FollowUp.SERIES, FollowUp.SAME_PAYLOAD)
_SYNC_AGAIN: Final = (FollowUp.SYNC_AGAIN,)

_FIX_ORDER = _("DANA refused the order's data. Correct it and create a new order.")
_FIX_CANCEL = _(
    "DANA refused the request's data. Nothing was cancelled. Have the settings checked, then send it again."
)
_FIX_REFUND = _("DANA refused the request's data. Nothing was refunded. Have the settings checked, then ask again.")
_CHECK_KEYS = _("DANA did not accept our signature. Have the account's keys checked, then create a new order.")
_CHECK_KEYS_CANCEL = _(
    "DANA did not accept our signature. Nothing was cancelled. Have the account's keys checked, then send it again."
)
_CHECK_KEYS_REFUND = _(
    "DANA did not accept our signature. Nothing was refunded. Have the account's keys checked, then ask again."
)
_WAIT = _("DANA has not decided yet. The same request is repeated automatically; there is nothing to do but wait.")
_REFUSED_FOR_NOW = _(
    "DANA refuses it for now. It is tried again automatically; do not refund by other means meanwhile. "
    "If this persists, ask DANA about the account."
)
_TOP_UP = _(
    "Your balance at DANA does not cover the refund. Top it up: the request is tried again automatically. "
    "Do not refund by other means meanwhile."
)
_NOT_UNDERSTOOD = _(
    "DANA's answer could not be understood, so it counts neither as a success nor as a failure. "
    "The same request is repeated automatically; there is nothing to do but wait."
)
_QUERY_REFUSED = _("DANA refused to answer, which says nothing about the payment. It is asked again later.")
_QUERY_OPEN = _("DANA did not answer, which says nothing about the payment. It is asked again later.")

_CREATE_PAGES: Final = ("DANA, Create Order", "DANA Widget, Direct Debit Payment (last row)")
_CANCEL_PAGES: Final = ("DANA, Cancel Order", "DANA Widget, Cancel Order (last row)")
_QUERY_PAGES: Final = ("DANA Widget, Query Payment",)
_REFUND_PAGES: Final = ("DANA Widget, Refund Order", "DANA's sandbox acceptance suite (4045801)")

CREATE: Final = _table(
    "54",
    _CREATE_PAGES,
    Rule("2005400", "Successful", "order accepted", _SUCCESS, _NONE, _("DANA has the order. The buyer can pay.")),
    Rule("4005400", "Bad Request", "generic refusal", _FAILED, _FIX, _FIX_ORDER),
    Rule("4005401", "Invalid Field Format", "some field is malformed", _FAILED, _FIX,
         _("A field is malformed (see DANA's message). Correct it and create a new order.")),
    Rule("4005402", "Invalid Mandatory Field", "a mandatory field is missing or malformed", _FAILED, _FIX,
         _("A mandatory field is missing (see DANA's message). Correct it and create a new order.")),
    Rule("4015400", "Unauthorized. Invalid Signature", "signature wrong", _FAILED, _FIX, _CHECK_KEYS,
         blames_account=True),
    Rule("4035402", "Exceeds Transaction Amount Limit", "amount over the limit", _FAILED, _CHANGE_AMOUNT,
         _("The amount is over DANA's limit. Create a new order with a smaller amount.")),
    Rule("4035405", "Do Not Honor", "account or user state abnormal", _FAILED, _FIX_CONTACT,
         _("DANA reports an abnormal account or user status. Ask DANA about the account, then create a new order.")),
    Rule("4035415", "Transaction Not Permitted", "not permitted", _FAILED, _LATER_CONTACT, _REFUSED_FOR_NOW),
    Rule("4045408", "Invalid Merchant", "merchant unknown or abnormal", _FAILED, _FIX,
         _("DANA does not know this merchant, store or division. Have the settings checked, then create a new order."),
         blames_account=True),
    Rule("4045418", "Inconsistent Request", "same reference, other content", _FAILED, _FIX,
         _("DANA already has another order under this reference; a payment of that one is never counted here. "
           "Create a new order with a new reference."),
         may_mask_success=True),
    Rule("4295400", "Too Many Requests", "limit reached", _PENDING, _REPEAT, _WAIT),
    Rule("5005400", "General Error", "generic error", _FAILED, _LATER, _REFUSED_FOR_NOW),
    Rule("5005401", "Internal Server Error", "unknown failure at DANA", _PENDING, _REPEAT, _WAIT),
    Rule(NO_REPLY, "Total timeout", "no whole reply came in time", _PENDING, _SERIES,
         _("DANA did not answer, so it is not yet known whether it has the order. "
           "The same request is repeated automatically.")),
    Rule(UNEXPECTED, "Unexpected response", "a reply that can't be understood", _PENDING, _SERIES, _NOT_UNDERSTOOD),
)  # fmt: skip

CANCEL: Final = _table(
    "57",
    _CANCEL_PAGES,
    Rule("2005700", "Successful", "cancelled", _SUCCESS, _NONE,
         _("DANA has cancelled the order. If it was paid, the money goes back to the buyer.")),
    Rule("2025700", "Request In Progress", "being cancelled", _PENDING, _REPEAT,
         _("DANA is cancelling the order. The same request is repeated automatically until it is done; "
           "do not refund by other means.")),
    Rule("4005700", "Bad Request", "generic refusal", _FAILED, _FIX, _FIX_CANCEL),
    Rule("4005701", "Invalid Field Format", "some field is malformed", _FAILED, _FIX, _FIX_CANCEL),
    Rule("4005702", "Invalid Mandatory Field", "a mandatory field is missing or malformed", _FAILED, _FIX, _FIX_CANCEL),
    Rule("4015700", "Unauthorized", "not authorised", _FAILED, _FIX, _CHECK_KEYS_CANCEL, blames_account=True),
    Rule("4035700", "Transaction Expired", "the time in which it can be cancelled is over", _FAILED,
         (FollowUp.TELL_USER,),
         _("DANA's cancellation period has ended. Nothing was cancelled; give the money back with a refund instead.")),
    Rule("4035705", "Do Not Honor", "account or user state abnormal", _FAILED, _FIX_CONTACT,
         _("DANA reports an abnormal account or user status. Nothing was cancelled. Ask DANA about the account.")),
    Rule("4035714", "Insufficient Funds", "the merchant's account cannot cover it", _FAILED, _LATER, _TOP_UP,
         calls_staff=True),
    Rule("4035715", "Transaction Not Permitted", "not permitted, for example by the agreement", _FAILED, _LATER_CONTACT,
         _REFUSED_FOR_NOW),
    Rule("4045700", "Invalid Transaction Status", "wrong state, for example refunded", _FAILED, _LATER_CONTACT,
         _("DANA says that the order cannot be cancelled in its present state; it may have been refunded already. "
           "It is tried again automatically; do not refund by other means before you have looked it up at DANA.")),
    Rule("4045701", "Transaction Not Found", "unknown order", _FAILED, _FIX,
         _("DANA does not know this order, so it could not be cancelled."), order_unknown=True),
    Rule("4045708", "Invalid Merchant", "merchant unknown or abnormal", _FAILED, _FIX,
         _("DANA does not know this merchant. Nothing was cancelled. Have the settings checked, then send it again."),
         blames_account=True),
    Rule("4295700", "Too Many Requests", "limit reached", _PENDING, _REPEAT, _WAIT),
    Rule("5005700", "General Error", "generic error", _FAILED, _LATER, _REFUSED_FOR_NOW),
    Rule("5005701", "Internal Server Error", "unknown failure at DANA", _PENDING, _REPEAT, _WAIT),
    Rule(NO_REPLY, "Total timeout", "no whole reply came in time", _ABORTED, (FollowUp.SERIES, FollowUp.TELL_USER),
         _("DANA did not answer, so the cancel was given up and its outcome is unknown. DANA is being asked what "
           "became of the order; do not refund by other means until it answers.")),
    Rule(UNEXPECTED, "Unexpected response", "a reply that can't be understood", _PENDING, _SERIES, _NOT_UNDERSTOOD),
)  # fmt: skip

QUERY: Final = _table(
    "55",
    _QUERY_PAGES,
    Rule("2005500", "Successful", "the payment's state is in the answer", _SUCCESS, _NONE,
         _("DANA has told the state of the payment.")),
    Rule("4005500", "Bad Request", "generic refusal", _FAILED, (*_FIX, *_SYNC_AGAIN), _QUERY_REFUSED),
    Rule("4005501", "Invalid Field Format", "some field is malformed", _FAILED, (*_FIX, *_SYNC_AGAIN), _QUERY_REFUSED),
    Rule("4005502", "Invalid Mandatory Field", "a mandatory field is missing or malformed", _FAILED,
         (*_FIX, *_SYNC_AGAIN), _QUERY_REFUSED),
    Rule("4015500", "Unauthorized", "not authorised", _FAILED, (*_FIX, *_SYNC_AGAIN), _QUERY_REFUSED,
         blames_account=True),
    Rule("4045501", "Transaction Not Found", "DANA does not have the order", _FAILED, _FIX,
         _("DANA does not know this order."), order_unknown=True),
    Rule("4295500", "Too Many Requests", "limit reached", _PENDING, _SYNC_AGAIN, _QUERY_OPEN),
    Rule("5005500", "General Error", "generic error", _FAILED, _SYNC_AGAIN, _QUERY_OPEN),
    Rule("5005501", "Internal Server Error", "unknown failure at DANA", _PENDING, _SYNC_AGAIN, _QUERY_OPEN),
    Rule(NO_REPLY, "Total timeout", "no whole reply came in time", _PENDING, _SYNC_AGAIN, _QUERY_OPEN),
    Rule(UNEXPECTED, "Unexpected response", "a reply that can't be understood", _PENDING, _SYNC_AGAIN, _QUERY_OPEN),
)  # fmt: skip

REFUND: Final = _table(
    "58",
    _REFUND_PAGES,
    Rule("2005800", "Successful", "refunded", _SUCCESS, _NONE,
         _("DANA has made the refund. The money goes back to the buyer.")),
    Rule("2025800", "Request In Progress", "being refunded", _PENDING, _REPEAT,
         _("DANA is making the refund. The same request is repeated automatically until it is done; "
           "do not refund by other means.")),
    Rule("4005800", "Bad Request", "generic refusal", _FAILED, _FIX, _FIX_REFUND),
    Rule("4005801", "Invalid Field Format", "some field is malformed", _FAILED, _FIX, _FIX_REFUND),
    Rule("4005802", "Invalid Mandatory Field", "a mandatory field is missing or malformed", _FAILED, _FIX, _FIX_REFUND),
    Rule("4015800", "Unauthorized", "not authorised", _FAILED, _FIX, _CHECK_KEYS_REFUND, blames_account=True),
    Rule("4035802", "Exceeds Transaction Amount Limit", "amount over the limit", _FAILED, _CHANGE_AMOUNT,
         _("The amount exceeds what DANA allows for this order. Nothing was refunded. Ask for a smaller amount.")),
    Rule("4035805", "Do Not Honor", "account or user state abnormal", _FAILED, _FIX_CONTACT,
         _("DANA reports an abnormal account or user status. Nothing was refunded. Ask DANA about the account.")),
    Rule("4035814", "Insufficient Funds", "the merchant's account cannot cover it", _FAILED, _LATER, _TOP_UP,
         calls_staff=True),
    Rule("4035815", "Transaction Not Permitted", "not permitted, for example by the agreement", _FAILED, _LATER_CONTACT,
         _REFUSED_FOR_NOW),
    Rule("4045800", "Invalid Transaction Status", "wrong state, for example unpaid or expired", _FAILED, _FIX,
         _("DANA says that the order cannot be refunded in its present state. Nothing was refunded.")),
    Rule("4045801", "Transaction Not Found", "unknown order", _FAILED, _FIX,
         _("DANA does not know this order, so it could not be refunded.")),
    Rule("4045808", "Invalid Merchant", "merchant unknown or abnormal", _FAILED, _FIX,
         _("DANA does not know this merchant. Nothing was refunded. Have the settings checked, then ask again."),
         blames_account=True),
    Rule("4045812", "Invalid Bill", "the order's bill is not valid", _FAILED, _FIX,
         _("DANA finds no valid payment to refund. Nothing was refunded. Look the order up at DANA.")),
    Rule("4045813", "Invalid Amount", "the amount is not valid for this order", _FAILED, _CHANGE_AMOUNT,
         _("DANA does not accept this amount. Nothing was refunded. Look up what is left, then ask for less.")),
    Rule("4045818", "Inconsistent Request", "same refund number, other content", _PENDING, (FollowUp.CONTACT_DANA,),
         _("DANA has a refund under this number with other content. Look it up at DANA; "
           "do not refund by other means before that."),
         calls_staff=True),
    Rule("4295800", "Too Many Requests", "limit reached", _PENDING, _REPEAT, _WAIT),
    Rule("5005800", "General Error", "generic error", _FAILED, _LATER, _REFUSED_FOR_NOW),
    Rule("5005801", "Internal Server Error", "unknown failure at DANA", _PENDING, _REPEAT, _WAIT),
    Rule(NO_REPLY, "Total timeout", "no whole reply came in time", _PENDING, _SERIES,
         _("DANA did not answer, so it is not yet known whether the refund was made. The same request is repeated "
           "automatically; do not refund by other means.")),
    Rule(UNEXPECTED, "Unexpected response", "a reply that can't be understood", _PENDING, _SERIES, _NOT_UNDERSTOOD),
)  # fmt: skip


class PaymentState(Enum):
    """DANA's latestTransactionStatus, in notifications and in Query Payment (DANA's page Query Payment)."""

    PAID = "00"
    INITIATED = "01"
    PAYING = "02"
    CLOSED = "05"
    NOT_FOUND = "07"
