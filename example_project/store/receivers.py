"""What the shop does when DANA says something.

A signal may come more than once, so each receiver can run twice without harm: it sets a time only where none is set.
"""

from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from django_dana.models import Order
from django_dana.signals import order_cancelled, order_expired, order_failed, order_paid
from store.models import Purchase


@receiver(order_paid)
def pack(order: Order, **kwargs: Any) -> None:
    """Pack what was paid."""
    Purchase.objects.filter(payment=order, packed_at=None).update(packed_at=timezone.now())


@receiver([order_cancelled, order_expired, order_failed])
def call_off(order: Order, **kwargs: Any) -> None:
    """Put it back on the shelf."""
    Purchase.objects.filter(payment=order, called_off_at=None).update(called_off_at=timezone.now())
