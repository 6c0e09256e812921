"""The pages of the shop: what there is, buy it, follow it."""

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from django_dana import services
from store.catalogue import CATALOGUE
from store.models import Purchase


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show what there is."""
    return render(request, "store/catalogue.html", {"products": CATALOGUE.values()})


@require_POST
def buy(request: HttpRequest, slug: str) -> HttpResponse:
    """Note the purchase, ask for the payment, and send the buyer on to DANA."""
    if slug not in CATALOGUE:
        raise Http404
    product = CATALOGUE[slug]
    with transaction.atomic():
        purchase = Purchase.objects.create(product_slug=slug)
        purchase.payment = services.create_order(
            amount=product.price, title=product.name, return_url=purchase.get_absolute_url()
        )
        purchase.save()
    return redirect(reverse("django_dana:pay", args=[purchase.payment.public_id]))


@require_safe
def purchase(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show where a purchase stands."""
    found = get_object_or_404(Purchase.objects.select_related("payment"), public_id=public_id)
    return render(request, "store/purchase.html", {"purchase": found, "payment": found.payment})
