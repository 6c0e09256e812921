"""What the shop knows of a purchase; what became of the money is the payment's own matter."""

import uuid

from django.db import models
from django.urls import reverse

from django_dana.models import Order
from store.catalogue import CATALOGUE, Product


class Purchase(models.Model):
    """One buyer's wish to have one product: a cart, for which there may be several attempts to pay."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product_slug = models.SlugField()
    packed_at = models.DateTimeField(null=True)
    packed_for = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="+")
    called_off_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.product.name} #{self.pk}"

    def get_absolute_url(self) -> str:
        """Return the page on which the buyer follows the purchase."""
        return reverse("purchase", args=[self.public_id])

    @property
    def product(self) -> Product:
        """What was bought."""
        return CATALOGUE[self.product_slug]

    @property
    def payment(self) -> Order | None:
        """The attempt that counts: the one that was packed for, else the last one."""
        if self.packed_for is not None:
            return self.packed_for
        attempt = self.attempts.select_related("payment").order_by("-pk").first()
        return attempt.payment if attempt else None


class Attempt(models.Model):
    """One attempt to pay a purchase.

    ``paid_twice_at`` is set where a payment came although another one had paid for the same goods: the money has to go
    back, and a person has to see to it.
    """

    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, related_name="attempts")
    payment = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="attempt")
    paid_twice_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.payment)
