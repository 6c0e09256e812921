"""Requests to cancel an order."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.models.orders import Order
from django_dana.models.requests import OrderRequest, OrderRequestQuerySet
from django_dana.protocol import operations


class CancelRequest(OrderRequest):
    """One request to cancel an order, which gives the money back where it was paid."""

    operation = operations.CANCEL_ORDER

    class Status(models.TextChoices):
        """The outcome of the Cancel Order call in DANA's own words."""

        NEW = "new", _("new")
        SUCCESS = "success", _("success")
        PENDING = "pending", _("pending")
        FAILED = "failed", _("failed")
        ABORTED = "aborted", _("aborted")

    class Attention(models.TextChoices):
        """Why staff should look."""

        END_UNKNOWN = "end_unknown", _("DANA did not answer")
        NOT_CANCELLED = "not_cancelled", _("not cancelled at DANA")
        REFUSED = "refused", _("refused by DANA")
        BALANCE = "balance", _("your balance at DANA is too low")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="cancel_requests")
    status = models.CharField(_("status"), max_length=7, choices=Status.choices, default=Status.NEW)
    cancel_time = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    transaction_date = models.DateTimeField(_("transaction date"), null=True, blank=True)
    needs_attention = models.CharField(_("needs attention"), max_length=20, choices=Attention.choices, blank=True)
    # True or NULL, never False: NULLs are distinct in a unique constraint of every engine, so this holds
    # "at most one unfinished request per order" where conditional constraints don't exist (MariaDB, MySQL).
    unfinished = models.BooleanField(null=True, default=True, editable=False)

    objects = OrderRequestQuerySet["CancelRequest"].as_manager()

    class Meta:
        verbose_name = _("cancel request")
        verbose_name_plural = _("cancel requests")
        constraints = [
            models.UniqueConstraint(fields=["unfinished", "order"], name="dana_cancel_one_unfinished"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="dana_cancel_due"),
            models.Index(fields=["needs_attention", "-id"], name="dana_cancel_attention"),
        ]

    @property
    def was_never_sent(self) -> bool:
        """Whether it ended before any call was made."""
        return self.status == self.Status.ABORTED and not self.attempts and not self.rule_code

    @property
    def is_end_unknown(self) -> bool:
        """Whether only DANA's answer to a query can tell what became of it."""
        return self.outcome_ambiguous or self.needs_attention == self.Attention.END_UNKNOWN

    def finish(self, status: "CancelRequest.Status", attention: str = "") -> None:
        """Set a state from which nothing is sent any more by itself."""
        self.status = status
        self.needs_attention = attention
        self.next_attempt_at = None
        self.unfinished = None

    @property
    def next_step(self) -> str:
        """One sentence for staff: where this request stands and what to do next."""
        if self.status == self.Status.NEW:
            return gettext("The request is on its way to DANA; there is nothing to do.")
        if self.was_never_sent:
            return gettext("This request was never sent to DANA. The order had already ended in another way.")
        if self.needs_attention == self.Attention.NOT_CANCELLED:
            return gettext("DANA says that the order is not cancelled. You can send the same request again.")
        if self.outcome_ambiguous:
            return gettext(
                "DANA's refusal may mean that the order is already cancelled. DANA is being asked; "
                "do not refund by other means."
            )
        return self._step_by_rule()

    def _step_by_rule(self) -> str:
        # A query may have settled it otherwise than its last call did.
        if self.status == self.Status.SUCCESS:
            return gettext(self.operation.codes.success.advice)
        if self.status == self.Status.ABORTED:
            return gettext(self.operation.codes.no_reply.advice)
        if self.status == self.Status.FAILED:
            return self.refusal_step()
        return gettext(self.rule.advice) if self.rule else ""
