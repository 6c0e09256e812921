"""What every request about an order has in common: who asks DANA for what, why, and until when."""

from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_dana.models.outbound import OutboundRequest

RequestT = TypeVar("RequestT", bound=models.Model)


class OrderRequestQuerySet(models.QuerySet[RequestT]):
    """The vocabulary of services and sweeps."""

    def unfinished(self) -> Self:
        """Requests that may still reach DANA."""
        return self.filter(unfinished=True)

    def due(self, now: datetime) -> Self:
        """Requests whose next call is due, the longest overdue first."""
        return self.filter(next_attempt_at__lte=now).order_by("next_attempt_at")


class OrderRequest(OutboundRequest):
    """One request about an order that exists: a call of its own, tried again on a schedule of its own.

    A model of this kind also has ``order`` (related as ``cancel_requests``, by its operation's key), ``status`` with
    ``new``, ``success``, ``pending`` and ``failed``, ``needs_attention`` and ``unfinished``.
    """

    Attention: ClassVar[type[models.TextChoices]]

    status: str
    needs_attention: str
    unfinished: bool | None
    order: Any
    order_id: int

    amount = models.DecimalField(_("amount"), max_digits=15, decimal_places=2)
    reason = models.CharField(_("reason"), max_length=256, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requested by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    give_up_at = models.DateTimeField(_("given up at"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"#{self.pk}"

    @classmethod
    def of(cls, order: Any) -> models.QuerySet[Self]:
        """Return the requests about an order, which may also be an OuterRef."""
        about: dict[str, Any] = {"order": order}
        return cls._default_manager.filter(**about)

    @property
    def argument(self) -> str:
        """What it is called as an argument of a signal, and as a column."""
        return f"{self.operation.key}_request"

    @property
    def call_status(self) -> str:
        """The outcome of the call."""
        return self.status

    @property
    def tried_until(self) -> datetime:
        """When it is given up."""
        return self.give_up_at

    @property
    def next_step(self) -> str:
        """One sentence for staff: where this request stands and what to do next."""
        raise NotImplementedError

    @property
    def is_end_unknown(self) -> bool:
        """Whether only DANA's answer to a query can tell what became of it."""
        raise NotImplementedError
