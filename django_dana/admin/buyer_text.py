"""What staff tell the buyer about an order: a text to copy, in each language that a buyer may read."""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from django_dana import conf
from django_dana.display import price
from django_dana.models import Order
from django_dana.services.summary import Summary

LANGUAGES: Final = {"en": "English", "id": "Bahasa Indonesia"}


class BuyerText(NamedTuple):
    """A text in one language."""

    code: str
    language: str
    text: str


def buyer_page(request: HttpRequest, order: Order) -> str:
    """Return the address of the buyer's own page, or nothing where the shop has not included our URLs."""
    try:
        path = reverse("django_dana:return", args=[order.public_id])
    except NoReverseMatch:
        return ""
    try:
        return conf.account(order.account).site + path
    except Exception:  # noqa: BLE001  a wrong setting, or a callable in it, may raise anything; this host will do
        return request.build_absolute_uri(path)


def buyer_texts(summary: Summary, page: str) -> list[BuyerText]:
    """Return what to tell the buyer, the reader's language first."""
    texts = []
    for code, language in LANGUAGES.items():
        with translation.override(code):
            parts = [_text(summary), page and gettext("Your order: %s") % page]
            texts.append(BuyerText(code, language, " ".join(part for part in parts if part)))
    current = translation.get_language() or ""
    return sorted(texts, key=lambda text: not current.startswith(text.code))


def _text(summary: Summary) -> str:
    order = summary.order
    facts = {
        "amount": price(order.amount, order.currency),
        "title": order.title,
        "paid": _moment(order.paid_at) if order.paid_at else "",
        "until": _moment(order.valid_up_to),
        "back": price(order.refunded_amount, order.currency),
        "asked": price(summary.request.amount, order.currency) if summary.request else "",
    }
    if summary.code in _PART_TEXTS and summary.request and summary.request.amount < order.amount:
        return _part_under_way() % facts
    write = _PAID_TEXTS.get(summary.code, _in_review) if order.paid_at else _TEXTS.get(summary.code, _in_review)
    return write() % facts


def _moment(when: object) -> str:
    return date_format(timezone.localtime(when), "j F Y, H:i")  # type: ignore[arg-type]


def _paid() -> str:
    return gettext("Your payment of %(amount)s for %(title)s arrived on %(paid)s. Thank you!")


def _partly_given_back() -> str:
    return gettext(
        "Your payment of %(amount)s for %(title)s arrived on %(paid)s. We have given %(back)s of it back to you "
        "through DANA."
    )


def _settled_outside() -> str:
    return gettext("We have given your payment of %(amount)s for %(title)s back to you, not through DANA.")


def _refund_under_way() -> str:
    return gettext(
        "Your payment of %(amount)s for %(title)s arrived on %(paid)s. We have asked DANA to give it back; it is not "
        "confirmed yet. We will write to you when it is."
    )


def _part_under_way() -> str:
    return gettext(
        "Your payment of %(amount)s for %(title)s arrived on %(paid)s. We have asked DANA to give %(asked)s of it "
        "back; it is not confirmed yet. We will write to you when it is."
    )


def _given_back() -> str:
    return gettext(
        "We have given %(amount)s for %(title)s back to you through DANA. It may take a few days until you see it "
        "where you paid from."
    )


def _to_be_paid() -> str:
    return gettext("Your order of %(title)s for %(amount)s can be paid until %(until)s.")


def _cancel_under_way() -> str:
    return gettext("We are cancelling your order of %(title)s for %(amount)s. Please do not pay for it any more.")


def _cancelled() -> str:
    return gettext(
        "Your order of %(title)s for %(amount)s was cancelled. If you have paid, your money goes back to where you "
        "paid from."
    )


def _closed() -> str:
    return gettext(
        "The time to pay your order of %(title)s for %(amount)s is over, and no payment has reached us. "
        "Please order again."
    )


def _start_again() -> str:
    return gettext("Your order of %(title)s for %(amount)s could not be sent to DANA. Please order again.")


def _preparing() -> str:
    return gettext(
        "We are preparing the payment for your order of %(title)s for %(amount)s. This will only take a moment."
    )


def _in_review() -> str:
    return gettext(
        "We are checking your payment of %(amount)s for %(title)s with DANA. Please do not pay again. "
        "We will write to you."
    )


#: Where the text of a part differs.
_PART_TEXTS: Final = ("refund_under_way", "refund_refused_for_now", "refund_unknown", "refund_not_done")
_PAID_TEXTS: Final[dict[str, Callable[[], str]]] = {
    "paid": _paid,
    "partly_given_back": _partly_given_back,
    "settled_outside": _settled_outside,
    "refund_under_way": _refund_under_way,
    "refund_refused_for_now": _refund_under_way,
    "refund_unknown": _refund_under_way,
    "refund_not_done": _refund_under_way,
    "given_back": _given_back,
    "refunded": _given_back,
}
_TEXTS: Final[dict[str, Callable[[], str]]] = {
    "preparing": _preparing,
    "not_confirmed": _preparing,
    "refused_for_now": _preparing,
    "refused": _start_again,
    "no_address": _start_again,
    "not_found": _start_again,
    "initiated": _to_be_paid,
    "cancel_under_way": _cancel_under_way,
    "refund_refused_for_now": _cancel_under_way,
    "cancel_unknown": _cancel_under_way,
    "cancel_not_done": _cancel_under_way,
    "cancelled": _cancelled,
    "expired": _closed,
    "refunded": _given_back,
}
