"""What the shop knows of a purchase; what became of the money is the payment's own matter."""

import uuid

from django.db import models
from django.urls import reverse

from django_dana.models import Order
from store.catalogue import CATALOGUE, Product


class Purchase(models.Model):
    """One buyer's wish to have one product."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product_slug = models.SlugField()
    payment = models.OneToOneField(Order, on_delete=models.PROTECT, null=True, related_name="purchase")
    packed_at = models.DateTimeField(null=True)
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
