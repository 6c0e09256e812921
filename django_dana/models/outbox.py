"""What the shop is still to be told."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana.models.cancel_requests import CancelRequest
from django_dana.models.evidence import Notification
from django_dana.models.orders import Order
from django_dana.models.refund_requests import RefundRequest


class OutboxEventQuerySet(models.QuerySet["OutboxEvent"]):
    """The vocabulary of the workers."""

    def due(self, now: datetime) -> Self:
        """Events to send now, oldest first, so that order_created comes before order_paid."""
        return self.filter(due_at__lte=now).order_by("id")


class OutboxEvent(models.Model):
    """A signal that is due, about an order or about a notification that has none.

    Written in the transaction of the change, deleted when every receiver has returned.
    """

    name = models.CharField(max_length=30)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, null=True, related_name="outbox")
    cancel_request = models.ForeignKey(CancelRequest, on_delete=models.CASCADE, null=True, related_name="+")
    refund_request = models.ForeignKey(RefundRequest, on_delete=models.CASCADE, null=True, related_name="+")
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    objects = OutboxEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [models.Index(fields=["due_at"], name="dana_outbox_due")]

    def __str__(self) -> str:
        about = f"order {self.order_id}" if self.order_id else f"notification {self.notification_id}"
        return f"{self.name} for {about}"
