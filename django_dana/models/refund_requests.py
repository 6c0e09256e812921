"""Requests to give money back by Refund Order."""

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.models.orders import REFERENCE_ALPHABET, Order
from django_dana.models.requests import OrderRequest, OrderRequestQuerySet
from django_dana.protocol import operations


def new_refund_number() -> str:
    """Return a partnerRefundNo of 25 characters."""
    return f"R{timezone.now():%y%m%d}-{''.join(secrets.choice(REFERENCE_ALPHABET) for _ in range(17))}"


class RefundRequest(OrderRequest):
    """One request to give part or all of a payment back."""

    operation = operations.REFUND_ORDER

    class Status(models.TextChoices):
        """The outcome of the Refund Order call in DANA's own words."""

        NEW = "new", _("new")
        SUCCESS = "success", _("success")
        PENDING = "pending", _("pending")
        FAILED = "failed", _("failed")

    class Attention(models.TextChoices):
        """Why staff should look."""

        END_UNKNOWN = "end_unknown", _("DANA gave no final answer")
        INCONSISTENT = "inconsistent", _("DANA has another refund under this number")
        NOT_REFUNDED = "not_refunded", _("not refunded at DANA")
        REFUSED = "refused", _("refused by DANA")
        BALANCE = "balance", _("your balance at DANA is too low")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="refund_requests")
    merchant_id = models.CharField(_("merchant id"), max_length=64)
    partner_refund_no = models.CharField(_("our refund number"), max_length=64, default=new_refund_number)
    refund_no = models.CharField(_("DANA's refund number"), max_length=64, blank=True)
    refund_time = models.DateTimeField(_("refunded at"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=7, choices=Status.choices, default=Status.NEW)
    needs_attention = models.CharField(_("needs attention"), max_length=20, choices=Attention.choices, blank=True)
    unfinished = models.BooleanField(default=True, editable=False)

    objects = OrderRequestQuerySet["RefundRequest"].as_manager()

    class Meta:
        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        constraints = [
            models.UniqueConstraint(fields=["merchant_id", "partner_refund_no"], name="dana_refund_number"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="dana_refund_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="dana_refund_due"),
            models.Index(fields=["needs_attention", "-id"], name="dana_refund_attention"),
        ]

    @property
    def was_never_sent(self) -> bool:
        """Whether it ended before any call was made."""
        return self.status == self.Status.FAILED and not self.attempts and not self.rule_code

    @property
    def is_end_unknown(self) -> bool:
        """Whether only DANA's answer to a query can tell what became of it."""
        unknown = (self.Attention.END_UNKNOWN, self.Attention.INCONSISTENT)
        return self.outcome_ambiguous or self.needs_attention in unknown

    def finish(self, status: "RefundRequest.Status", attention: str = "") -> None:
        """Set a state from which nothing is sent any more by itself."""
        self.status = status
        self.needs_attention = attention
        self.next_attempt_at = None
        self.unfinished = False

    @property
    def next_step(self) -> str:
        """One sentence for staff: where this request stands and what to do next."""
        if self.status == self.Status.NEW:
            return gettext("The request is on its way to DANA; there is nothing to do.")
        if self.was_never_sent:
            return gettext("This request was never sent to DANA. The order had already ended in another way.")
        if self.needs_attention == self.Attention.NOT_REFUNDED:
            return gettext("DANA says that this refund was not made. You can send the same request again.")
        if self.outcome_ambiguous:
            return gettext(
                "DANA's refusal may mean that the refund was already made. DANA is being asked; "
                "do not refund by other means."
            )
        if self.needs_attention == self.Attention.END_UNKNOWN:
            return gettext(
                "DANA gave no final answer about this refund. Look it up at DANA before you refund by other means."
            )
        if self.status == self.Status.SUCCESS:
            return gettext(self.operation.codes.success.advice)
        if self.status == self.Status.FAILED:
            return self.refusal_step()
        return gettext(self.rule.advice) if self.rule else ""
