"""The two pages a buyer sees of us: on the way to DANA and on the way back.

They need no login, no JavaScript and no file from anywhere else, and they run outside ATOMIC_REQUESTS, since the one
on the way back may ask DANA. To change their looks, a shop puts its own ``django_dana/base.html``,
``django_dana/pay.html`` or ``django_dana/return.html`` into its templates.
"""

import logging
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import db
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from django_dana import services, validation
from django_dana.display import price
from django_dana.models import Order
from django_dana.pages import codes, states
from django_dana.pages.states import State

logger = logging.getLogger(__name__)

#: DANA is asked about one order no more often than this, however often its page is loaded.
ASK_EVERY: Final = timedelta(seconds=10)

#: After so many reloads, about half an hour, a page waits for its reader: a forgotten tab must not go on for ever.
MAX_RELOADS: Final = 100

# Longer where the buyer is busy copying a number or scanning a code.
_RELOAD_CODE_AFTER: Final = 15
_LONGEST_RELOAD: Final = 30
_FORWARD_AFTER: Final = 5


@method_decorator([transaction.non_atomic_requests, login_not_required, never_cache], name="dispatch")
class BuyerPage(View):
    """What both pages share: find the order, say its state, load itself again while that may change."""

    http_method_names = ["get", "head"]
    template_name: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Keep the address, by which anybody can see the order, from the sites that a buyer goes on to."""
        response = super().dispatch(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        return response

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponseBase:
        """Show the state of the order."""
        order = get_object_or_404(Order, public_id=public_id)
        return self.show(order, states.state_of(order, timezone.now()))

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Render the page; ``reload_after`` is the shortest time in seconds until it is loaded again."""
        reloads = _count(self.request.GET.get("n", ""))
        if not state.is_final and reloads < MAX_RELOADS:
            seconds = max(reload_after, min(2 + reloads // 3, _LONGEST_RELOAD))
            context["refresh"] = f"{seconds};url=?n={reloads + 1}"
        context |= {
            "order": order,
            "state": state,
            "price": price(order.amount, order.currency),
            "return_url": _return_url(order),
        }
        return render(self.request, self.template_name, context)


class PayView(BuyerPage):
    """On to DANA as soon as the address is there; until then, and where there is no way on, say so."""

    template_name = "django_dana/pay.html"

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Send the buyer to DANA, show the code to pay with, or say the state."""
        if state is not states.PAYABLE:
            return super().show(order, state, reload_after=reload_after, **context)
        if order.safe_redirect_url:
            return HttpResponseRedirect(order.safe_redirect_url)
        return super().show(
            order,
            state,
            reload_after=_RELOAD_CODE_AFTER,
            bank=codes.bank(order),
            qr=codes.qr_svg(order.payment_code) if codes.is_qris(order) else "",
        )


class ReturnView(BuyerPage):
    """Where DANA sends the buyer back. What the address says beyond the order's id is not signed and not believed."""

    template_name = "django_dana/return.html"

    def show(self, order: Order, state: State, *, reload_after: int = 0, **context: Any) -> HttpResponse:
        """Say what is known, after asking DANA where that is nothing final yet."""
        if self.request.method == "GET" and _is_worth_asking(order, state):
            order = _ask(order)
            state = states.state_of(order, timezone.now())
        if state is states.PAYABLE:
            # they come from paying: if DANA has not said so yet, it may be about to
            state, context["may_still_pay"] = states.CONFIRMING, True
        if state.is_final and _return_url(order):
            context["refresh"] = f"{_FORWARD_AFTER};url={_return_url(order)}"
        return super().show(order, state, reload_after=reload_after, **context)


def _is_worth_asking(order: Order, state: State) -> bool:
    has_order = order.create_status == Order.CreateStatus.SUCCESS
    return order.is_open and has_order and state in (states.PAYABLE, states.CONFIRMING)


def _ask(order: Order) -> Order:
    try:
        return services.sync_order(order, not_within=ASK_EVERY)
    except db.Error:
        raise
    except Exception:
        # the page says what is known anyway; the workers go on asking
        logger.exception("DANA could not be asked about order %s", order.pk)
        return order


def _return_url(order: Order) -> str:
    """Return the shop's address if it is one to lead a buyer to; the row may be older than the check of it."""
    problems = validation.Problems()
    url = validation.return_url(problems, order.return_url)
    return "" if "return_url" in problems else url


def _count(text: str) -> int:
    """Return the number of reloads that an address carries; anybody may write anything there."""
    return int(text) if len(text) <= 3 and text.isascii() and text.isdigit() else 0
