"""One wish to cancel an order."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.models.orders import Order, not_tried_again, refused_for_now
from django_dana.protocol import response_codes
from django_dana.protocol.response_codes import Rule


class CancelRequestQuerySet(models.QuerySet["CancelRequest"]):
    """The vocabulary of the workers."""

    def due(self, now: datetime) -> Self:
        """Requests whose next call is due."""
        return self.filter(next_attempt_at__lte=now)

    def unfinished(self) -> Self:
        """Requests that may still reach DANA; at most one per order."""
        return self.filter(unfinished=True)

    def of_unknown_end(self) -> Self:
        """Requests that were given up without knowing what became of them; only DANA can tell."""
        return self.filter(needs_attention=CancelRequest.Attention.END_UNKNOWN)


class CancelRequest(models.Model):
    """One wish to cancel an order, which gives the money back where it was paid."""

    class Status(models.TextChoices):
        """The outcome of the Cancel Order call in DANA's own words."""

        NEW = "new", _("new")
        SUCCESS = "success", _("success")
        PENDING = "pending", _("pending")
        FAILED = "failed", _("failed")
        ABORTED = "aborted", _("aborted")

    class Attention(models.TextChoices):
        """Why a person should look."""

        END_UNKNOWN = "end_unknown", _("DANA did not answer")
        NOT_CANCELLED = "not_cancelled", _("not cancelled at DANA")
        REFUSED = "refused", _("refused by DANA")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="cancel_requests")
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
    request_body = models.TextField(_("request"), editable=False)
    status = models.CharField(_("status"), max_length=7, choices=Status.choices, default=Status.NEW)
    cancel_time = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    transaction_date = models.DateTimeField(_("transaction date"), null=True, blank=True)
    response_code = models.CharField(_("response code"), max_length=7, blank=True)
    response_message = models.CharField(_("response message"), max_length=255, blank=True)
    rule_code = models.CharField(_("row of the table"), max_length=10, blank=True)
    needs_attention = models.CharField(_("needs attention"), max_length=20, choices=Attention.choices, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    attempts = models.PositiveIntegerField(_("attempts"), default=0, help_text=_("Calls since the series began."))
    retries = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    give_up_at = models.DateTimeField(_("given up at"))
    # True or NULL, never False: NULLs are distinct in a unique constraint of every engine, so this holds
    # "at most one unfinished request per order" where conditional constraints don't exist (MariaDB, MySQL).
    unfinished = models.BooleanField(null=True, default=True, editable=False)

    objects = CancelRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("cancel request")
        verbose_name_plural = _("cancel requests")
        constraints = [
            models.UniqueConstraint(fields=["order", "unfinished"], name="dana_cancel_one_unfinished"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="dana_cancel_due"),
            models.Index(fields=["needs_attention", "-id"], name="dana_cancel_attention"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def rule(self) -> Rule | None:
        """The row of DANA's table by which the last call was concluded."""
        return response_codes.CANCEL.rows.get(self.rule_code)

    @property
    def outcome_ambiguous(self) -> bool:
        """Whether DANA refused in words that may answer our own earlier success."""
        return self.status == self.Status.PENDING and bool(self.rule and self.rule.may_mask_success)

    @property
    def is_end_unknown(self) -> bool:
        """Whether only a question to DANA can tell what became of it."""
        return self.needs_attention == self.Attention.END_UNKNOWN or self.outcome_ambiguous

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
        if self.needs_attention == self.Attention.NOT_CANCELLED:
            return gettext("DANA says that the order is not cancelled. The same request may be sent again.")
        if self.outcome_ambiguous:
            return gettext(
                "DANA's answer may mean that the order is already cancelled. DANA is being asked; "
                "do not refund by other means."
            )
        return self._step_by_rule()

    def _step_by_rule(self) -> str:
        # A question may have ended it otherwise than its last call did.
        if self.status == self.Status.SUCCESS:
            return gettext(response_codes.CANCEL.success.advice)
        if self.status == self.Status.ABORTED:
            return gettext(response_codes.CANCEL.no_reply.advice)
        advice = gettext(self.rule.advice) if self.rule else ""
        if self.status == self.Status.FAILED and self.rule and self.rule.is_tried_again:
            return f"{refused_for_now(self.give_up_at)} {advice}" if self.next_attempt_at else not_tried_again()
        return advice
