"""The pages of the buyer: on the way to DANA and on the way back.

They need no login and no JavaScript, load nothing but the app's own static files, and run outside ATOMIC_REQUESTS,
since they may ask DANA. The documentation page *The buyer's pages* lists what templates are given and which blocks
they can replace.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID
from zlib import crc32

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.templatetags.static import static
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from django_dana import conf, validation
from django_dana.conf import Account
from django_dana.display import payment_method, price
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.pages import codes, states, syncing
from django_dana.pages.states import State
from django_dana.protocol import payment_methods
from django_dana.protocol.payment_methods import Address, PaymentMethod, ShownAs, promised_address

#: After so many reloads, about half an hour, a page waits for its reader: a forgotten tab must not go on for ever.
MAX_RELOADS: Final = 100

# Seconds. Longer where the buyer is busy copying a number or scanning a code and has no script.
_RELOAD_CODE_AFTER: Final = 15
_LONGEST_RELOAD: Final = 30
_FORWARD_AFTER: Final = 5


@method_decorator([transaction.non_atomic_requests, login_not_required, never_cache], name="dispatch")
class BuyerPage(View):
    """What all pages share: find the order, say its state, and tell the script when that has changed.

    Attributes:
        content_security_policy: the header of that name; None sends none, for a shop whose own templates load more.
    """

    http_method_names = ["get", "head"]
    template_name: str
    content_security_policy: str | None = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Keep the address, by which anybody can see the order, from the sites that a buyer goes on to."""
        response = super().dispatch(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        if self.content_security_policy is not None:
            response["Content-Security-Policy"] = self.content_security_policy or _own_files_only()
        return response

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponseBase:
        """Show the state of the order."""
        order = get_object_or_404(Order, public_id=public_id)
        state = states.state_of(order)
        if request.method == "GET" and self.is_worth_a_sync(order, state):
            order = syncing.sync(order)
            state = states.state_of(order)
        if "poll" in request.GET:
            return JsonResponse({"key": self.key(order, state)})
        return self.show(order, state)

    def is_worth_a_sync(self, order: Order, state: State) -> bool:
        """Whether DANA may know more about the payment than we do."""
        raise NotImplementedError

    def key(self, order: Order, state: State) -> str:
        """Return a word that changes when the page has something else to say."""
        return f"{state.name}-{crc32(str(state.sentence).encode()):08x}"

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Render the page; ``reload_after`` is the shortest time in seconds until it is loaded again."""
        reloads = _count(self.request.GET.get("n", ""))
        if not state.is_final and reloads < MAX_RELOADS:
            seconds = max(reload_after, min(2 + reloads // 3, _LONGEST_RELOAD))
            context["refresh"] = f"{seconds};url=?n={reloads + 1}"
        account = _account(order)
        context |= {
            "key": "" if state.is_final else self.key(order, state),
            "order": order,
            "state": state,
            "price": price(order.amount, order.currency),
            "shop_name": account.shop_name if account else "",
            "shop_url": _return_url(order) or get_script_prefix(),
            "method": payment_methods.shown(order.pay_option_details),
            "paid_with": _paid_with(order),
            "given_back_at": _given_back_at(order),
            "refunded": price(order.refunded_amount, order.currency) if order.refunded_amount else "",
        }
        return render(self.request, self.template_name, context)


class PayView(BuyerPage):
    """On to DANA as soon as the address is there; until then, and where there is no way on, say so."""

    template_name = "django_dana/pay.html"

    def is_worth_a_sync(self, order: Order, state: State) -> bool:
        """Whether the buyer confirms on a phone, so that nothing leads through the return page."""
        is_prompted = promised_address(order.pay_option_details) is Address.NONE
        return is_prompted and state.name in ("payable", "confirming") and syncing.is_worth_a_sync(order)

    def key(self, order: Order, state: State) -> str:
        """Return another word where the page is about to send the buyer on."""
        return "redirect" if _leads_to_dana(order, state) else super().key(order, state)

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Send the buyer to DANA, show what to pay with, or say the state."""
        if _leads_to_dana(order, state):
            return HttpResponseRedirect(order.safe_redirect_url)
        if state.name == "payable":
            reload_after = _RELOAD_CODE_AFTER
            context |= {
                "code": order.payment_code,
                "code_groups": codes.groups(order.payment_code),
                "qr": codes.qr_svg(order.payment_code) if _is_qris(order) else "",
                "phone": _end_of_phone(order),
                "seconds_left": max(0, int((order.valid_up_to - timezone.now()).total_seconds())),
            }
        return super().show(order, state, reload_after=reload_after, **context)


class ReturnView(BuyerPage):
    """Where DANA sends the buyer back. What the address says beyond the order's id is not signed and not believed."""

    template_name = "django_dana/return.html"

    def is_worth_a_sync(self, order: Order, state: State) -> bool:
        """Whether the buyer may have paid."""
        return state.name in ("payable", "confirming") and syncing.is_worth_a_sync(order)

    def key(self, order: Order, state: State) -> str:
        """Return the word for what this page makes of the state."""
        return super().key(order, states.CONFIRMING if state is states.PAYABLE else state)

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Say what is known."""
        if state is states.PAYABLE:
            # they come from paying: if DANA has not said so yet, it may be about to
            state, context["may_still_pay"] = states.CONFIRMING, True
        # never away from bad news, which the shop may say differently or not at all
        if state.tone == "good" and (url := _return_url(order)):
            context["refresh"] = f"{_FORWARD_AFTER};url={url}"
            context["forward_after"] = _FORWARD_AFTER
        return super().show(order, state, reload_after=reload_after, **context)


class QrView(BuyerPage):
    """The QR code as a file, for who opens the wallet on the same phone."""

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponseBase:
        """Send the picture while the order can be paid."""
        order = get_object_or_404(Order, public_id=public_id)
        if states.state_of(order) is not states.PAYABLE or not _is_qris(order):
            raise Http404
        picture = codes.qr_png(order.payment_code)
        name = f"qris-{order.public_id}.png"
        return HttpResponse(
            picture, content_type="image/png", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )


def _own_files_only() -> str:
    """Return a policy under which nothing runs or is loaded but the app's static files."""
    parts = urlsplit(static("django_dana/pages.js"))
    # the static files of many shops have a host of their own
    files = f"'self' {parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else "'self'"
    return (
        f"default-src 'none'; script-src {files}; style-src {files}; img-src {files} data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _leads_to_dana(order: Order, state: State) -> bool:
    return state is states.PAYABLE and bool(order.safe_redirect_url)


def _is_qris(order: Order) -> bool:
    method = payment_methods.shown(order.pay_option_details)
    return bool(order.payment_code) and method is not None and method.shown_as is ShownAs.QR


def _end_of_phone(order: Order) -> str:
    """Return the end of the number whose phone is asked to confirm, enough to know it by."""
    method: PaymentMethod | None = payment_methods.shown(order.pay_option_details)
    if method is None or method.shown_as is not ShownAs.PROMPT:
        return ""
    details: list[dict[str, Any]] = order.pay_option_details
    number = next((d["additionalInfo"].get("phoneNumber", "") for d in details if "additionalInfo" in d), "")
    return str(number)[-3:]


def _paid_with(order: Order) -> str:
    return payment_method(order.pay_method, order.pay_option) if order.paid_at else ""


def _given_back_at(order: Order) -> datetime | None:
    """Return when DANA gave the money back, or the last part of it, if it did."""
    if not order.paid_at:
        return None
    cancelled = order.cancel_requests.filter(status=CancelRequest.Status.SUCCESS).order_by("-id").first()
    if cancelled:
        return cancelled.cancel_time or cancelled.updated_at
    refunded = order.refund_requests.filter(status=RefundRequest.Status.SUCCESS).order_by("-id").first()
    return (refunded.refund_time or refunded.updated_at) if refunded else None


def _account(order: Order) -> Account | None:
    # for ornaments: an account that can't be used must not take the page with it
    with suppress(Exception):
        return conf.account(order.account)
    return None


def _return_url(order: Order) -> str:
    """Return the shop's address if it is one to lead a buyer to; the row may be older than the check of it."""
    problems, account = validation.Problems(), _account(order)
    url = validation.return_url(problems, order.return_url, account.return_schemes if account else ())
    return "" if "return_url" in problems else url


def _count(text: str) -> int:
    """Return the number of reloads that an address carries; anybody may write anything there."""
    return int(text) if len(text) <= 3 and text.isascii() and text.isdigit() else 0
