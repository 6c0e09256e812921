"""The pages of the shop: what there is, buy it, pay for it, follow it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from store import checkout
from store.catalogue import CATALOGUE
from store.models import Purchase


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show what there is."""
    return render(request, "store/catalogue.html", {"products": CATALOGUE.values()})


@require_POST
def buy(request: HttpRequest, slug: str) -> HttpResponse:
    """Note the purchase; with DANA's own page the buyer goes straight on to pay."""
    if slug not in CATALOGUE:
        raise Http404
    purchase = Purchase.objects.create(product_slug=slug)
    if request.POST.get("method") == "choose":
        return redirect(purchase)
    return redirect("django_dana:pay", checkout.pay(purchase, "dana").public_id)


@require_safe
def purchase(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show where a purchase stands, and the ways to pay where it is not paid."""
    found = get_object_or_404(Purchase.objects.select_related("packed_for"), public_id=public_id)
    payment = found.payment
    state = payment.state if payment else "unpaid"
    context = {
        "purchase": found,
        "payment": payment,
        "state": state,
        "may_pay": checkout.may_pay(found),
        "may_turn_away": state in checkout.OPEN,
        "is_waiting": payment is not None and not payment.is_final and state != "paid",
        "banks": checkout.BANKS,
    }
    return render(request, "store/purchase.html", context)


@require_POST
def pay(request: HttpRequest, public_id: str) -> HttpResponse:
    """Begin an attempt to pay, and send the buyer on."""
    found = get_object_or_404(Purchase, public_id=public_id)
    try:
        payment = checkout.pay(found, request.POST.get("method", ""), request.POST.get("bank", ""))
    except ValidationError:
        messages.error(request, _("Please choose how to pay."))
        return redirect(found)
    return redirect("django_dana:pay", payment.public_id)


@require_POST
def turn_away(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give up the attempt that is open."""
    found = get_object_or_404(Purchase, public_id=public_id)
    checkout.turn_away(found)
    return redirect(found)
