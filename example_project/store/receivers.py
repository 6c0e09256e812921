"""What the shop does when DANA says something.

A signal may come more than once, so each receiver can run twice without harm: it sets a time only where none is set.
A purchase may have several payments, and one that had expired may still be paid, so the goods are packed once.
"""

from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from django_dana.models import Order
from django_dana.signals import order_cancelled, order_paid
from store.models import Attempt, Purchase


@receiver(order_paid)
def pack(order: Order, **kwargs: Any) -> None:
    """Pack what was paid, or note that it was paid twice."""
    now = timezone.now()
    unpacked = Purchase.objects.filter(attempts__payment=order, packed_at=None)
    if not unpacked.update(packed_at=now, packed_for=order):
        again = Attempt.objects.filter(payment=order, paid_twice_at=None)
        again.exclude(purchase__packed_for=order).update(paid_twice_at=now)


@receiver(order_cancelled)
def call_off(order: Order, **kwargs: Any) -> None:
    """Put back on the shelf what was packed for this payment; an attempt that was given up changes nothing."""
    Purchase.objects.filter(packed_for=order, called_off_at=None).update(called_off_at=timezone.now())
