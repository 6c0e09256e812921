"""What was sent, answered and heard, kept as it was."""

from typing import Final, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_dana.models.cancel_requests import CancelRequest
from django_dana.models.orders import Order
from django_dana.protocol import response_codes
from django_dana.protocol.response_codes import Rule

#: Characters of a reply that are kept; DANA's own replies are far shorter.
MAX_KEPT: Final = 16_384


class ApiCallQuerySet(models.QuerySet["ApiCall"]):
    """What the calls of an order say together."""

    def open(self) -> Self:
        """Calls whose end nobody has recorded (yet)."""
        return self.filter(duration_ms=None)

    def not_refused(self, operation: "ApiCall.Operation") -> Self:
        """Calls on which DANA may have acted: all but those it answered with a Failed row."""
        return self.filter(operation=operation).exclude(rule_code__in=_FAILED)

    def not_definitely_refused(self, operation: "ApiCall.Operation") -> Self:
        """As not_refused, but a refusal that is tried again counts as open."""
        return self.filter(operation=operation).exclude(rule_code__in=_DEFINITELY_REFUSED)


class ApiCall(models.Model):
    """One HTTP attempt. The row is written before the call and closed after it.

    So an open row (no ``duration_ms``) is the trace of a call whose end nobody saw.
    """

    class Operation(models.TextChoices):
        """DANA's operations that we call."""

        CREATE = "create", _("Create Order")
        QUERY = "query", _("Query Payment")
        CANCEL = "cancel", _("Cancel Order")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="api_calls")
    cancel_request = models.ForeignKey(
        CancelRequest,
        verbose_name=_("cancel request"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_calls",
    )
    operation = models.CharField(_("operation"), max_length=6, choices=Operation.choices)
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
        return _TABLES[self.Operation(self.operation)].rows.get(self.rule_code)


_TABLES: Final = {
    ApiCall.Operation.CREATE: response_codes.CREATE,
    ApiCall.Operation.QUERY: response_codes.QUERY,
    ApiCall.Operation.CANCEL: response_codes.CANCEL,
}


class NotificationQuerySet(models.QuerySet["Notification"]):
    """What came from DANA, and what did not."""

    def refused(self) -> Self:
        """Messages that nobody proved to be DANA's."""
        # not verified=False, which becomes NOT verified, for which SQLite takes no index
        return self.filter(verified__in=[False])


class Notification(models.Model):
    """One message from DANA, kept as it came."""

    class Outcome(models.TextChoices):
        """What became of it."""

        APPLIED = "applied", _("applied")
        KNOWN = "known", _("nothing new")
        ATTENTION = "attention", _("kept for a person to look at")
        UNKNOWN_ORDER = "unknown_order", _("unknown order")
        BAD_SIGNATURE = "bad_signature", _("signature refused")
        BAD_SHAPE = "bad_shape", _("message not understood")
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
    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="notifications",
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
            models.Index(fields=["received_at"], name="dana_notification_received"),
            models.Index(fields=["outcome", "reviewed_at"], name="dana_notification_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.received_at:%Y-%m-%d %H:%M:%S} {self.outcome}"


def _codes(*, definite_only: bool) -> list[str]:
    return [
        rule.code
        for table in (response_codes.CREATE, response_codes.CANCEL)
        for rule in table.rows.values()
        if (rule.is_definite_refusal if definite_only else rule.outcome is response_codes.Outcome.FAILED)
    ]


_FAILED: Final = _codes(definite_only=False)
_DEFINITELY_REFUSED: Final = _codes(definite_only=True)
