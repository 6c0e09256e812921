"""What was sent, answered and heard, kept as it was."""

from typing import Final, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_dana.models.cancel_requests import CancelRequest
from django_dana.models.orders import Order
from django_dana.models.refund_requests import RefundRequest
from django_dana.protocol import operations
from django_dana.protocol.operations import Operation
from django_dana.protocol.response_codes import Rule

#: Characters of a reply that are kept; DANA's own replies are far shorter.
MAX_KEPT: Final = 16_384


class ApiCallQuerySet(models.QuerySet["ApiCall"]):
    """What the calls of an order say together."""

    def open(self) -> Self:
        """Calls whose end nobody has recorded (yet)."""
        return self.filter(duration_ms=None)

    def of(self, operation: Operation) -> Self:
        """Calls of one operation."""
        return self.filter(operation=operation.key)

    def may_have_acted(self) -> Self:
        """Calls on which DANA may have acted: all but those that it refused."""
        return self.exclude(rule_code__in=_REFUSALS)

    def not_refused_for_good(self) -> Self:
        """Calls on which DANA may act yet: a refusal that it wants tried again is none for good."""
        return self.exclude(rule_code__in=_FINAL_REFUSALS)

    def end_unseen(self) -> Self:
        """Calls that may have acted though DANA has not said so: without a clear reply, or in progress."""
        return self.may_have_acted().exclude(rule_code__in=_SUCCESSES)


class ApiCall(models.Model):
    """One HTTP attempt. The row is written before the call and closed after it.

    So an open row (no ``duration_ms``) is the trace of a call whose end nobody saw.
    """

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="api_calls")
    cancel_request = models.ForeignKey(
        CancelRequest,
        verbose_name=_("cancel request"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_calls",
    )
    refund_request = models.ForeignKey(
        RefundRequest,
        verbose_name=_("refund request"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_calls",
    )
    operation = models.CharField(
        _("operation"), max_length=6, choices=[(operation.key, operation.name) for operation in operations.ALL]
    )
    external_id = models.CharField(_("X-EXTERNAL-ID"), max_length=36, unique=True)
    started_at = models.DateTimeField(_("started at"))
    duration_ms = models.PositiveIntegerField(_("milliseconds"), null=True, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    response_code = models.CharField(_("response code"), max_length=7, blank=True)
    response_message = models.CharField(_("response message"), max_length=255, blank=True)
    response_body = models.TextField(_("response"), blank=True)
    rule_code = models.CharField(_("row of the table"), max_length=10, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    objects = ApiCallQuerySet.as_manager()

    class Meta:
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        indexes = [
            models.Index(fields=["order", "operation"], name="dana_call_operation"),
            models.Index(fields=["started_at"], name="dana_call_started"),
            models.Index(fields=["duration_ms"], name="dana_call_open"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.external_id}"

    @property
    def rule(self) -> Rule | None:
        """The row of DANA's table by which the call was concluded."""
        return operations.BY_KEY[self.operation].codes.rows.get(self.rule_code)


class NotificationQuerySet(models.QuerySet["Notification"]):
    """What came from DANA, and what did not."""

    def refused(self) -> Self:
        """Messages that nobody proved to be DANA's."""
        # not verified=False, which becomes NOT verified, for which SQLite takes no index
        return self.filter(verified__in=[False])

    def unmatched(self) -> Self:
        """Messages of DANA about no order of ours."""
        return self.filter(order=None, verified__in=[True])

    def failed_for(self, order_id: int) -> Self:
        """Messages about an order that our side did not apply."""
        return self.filter(order=order_id, verified__in=[True], outcome=Notification.Outcome.FAILED)


class Notification(models.Model):
    """One message from DANA. Of a verified one the text is kept that the signature covers, else what came."""

    class Outcome(models.TextChoices):
        """What became of it."""

        APPLIED = "applied", _("applied")
        KNOWN = "known", _("nothing new")
        ATTENTION = "attention", _("kept for a person to look at")
        UNKNOWN_ORDER = "unknown_order", _("unknown order")
        BAD_SIGNATURE = "bad_signature", _("signature refused")
        BAD_SHAPE = "bad_shape", _("message not understood")
        INCOMPLETE = "incomplete", _("a mandatory field is missing")
        FAILED = "failed", _("our side failed")
        TEST = "test", _("acceptance test")

    account = models.CharField(_("account"), max_length=100, blank=True)
    received_at = models.DateTimeField(_("received at"), auto_now_add=True)
    body = models.TextField(_("body"))
    headers = models.JSONField(_("headers"), default=dict)
    verified = models.BooleanField(_("verified"), default=False)
    verified_by = models.CharField(
        _("key"), max_length=16, blank=True, help_text=_("The beginning of the SHA-256 of the key that fitted.")
    )
    # An exact repetition adds no row. Empty where DANA may send the very same again, since our side failed.
    signature_hash = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="notifications",
        # the index on order, verified and id serves
        db_index=False,
    )
    merchant_id = models.CharField(
        _("merchant id"), max_length=64, blank=True, help_text=_("As the message has it, known or not.")
    )
    partner_reference_no = models.CharField(
        _("reference"), max_length=64, blank=True, help_text=_("As the message has it, known or not.")
    )
    outcome = models.CharField(_("outcome"), max_length=13, choices=Outcome.choices, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        permissions = [("view_evidence", _("Can read raw messages"))]
        indexes = [
            models.Index(fields=["verified", "-id"], name="dana_notification_verified"),
            models.Index(fields=["order", "verified", "-id"], name="dana_notification_order"),
            models.Index(fields=["partner_reference_no"], name="dana_notification_claimed"),
            models.Index(fields=["received_at"], name="dana_notification_received"),
            models.Index(fields=["outcome", "reviewed_at"], name="dana_notification_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.received_at:%Y-%m-%d %H:%M:%S} {self.outcome}"


_REFUSALS: Final = sorted(code for operation in operations.ALL for code in operation.codes.refusals)
_FINAL_REFUSALS: Final = sorted(
    rule.code
    for operation in operations.ALL
    for rule in operation.codes.rows.values()
    if not rule.may_have_acted and not rule.is_tried_again
)
_SUCCESSES: Final = [operation.codes.success.code for operation in operations.ALL]
