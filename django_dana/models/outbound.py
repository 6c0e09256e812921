"""What everything has in common that is sent to DANA, tried again and concluded."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils import formats, timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.protocol.operations import Operation
from django_dana.protocol.response_codes import Rule


class OutboundRequest(models.Model):
    """A request with a frozen body: the series of attempts, the periodic schedule, and DANA's last answer."""

    #: Which operation of DANA it asks for.
    operation: ClassVar[Operation]

    request_body = models.TextField(_("request"), editable=False)
    response_code = models.CharField(_("response code"), max_length=7, blank=True)
    response_message = models.CharField(_("response message"), max_length=255, blank=True)
    rule_code = models.CharField(_("row of the table"), max_length=10, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, help_text=_("Calls since the series began."))
    retries = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def call_status(self) -> str:
        """The outcome of the call, in DANA's own words."""
        raise NotImplementedError

    @property
    def tried_until(self) -> datetime:
        """When the periodic schedule ends."""
        raise NotImplementedError

    @property
    def rule(self) -> Rule | None:
        """The row of DANA's table by which the last call was concluded."""
        return self.operation.codes.rows.get(self.rule_code)

    @property
    def outcome_ambiguous(self) -> bool:
        """Whether DANA refused in a way that may mask an earlier success of ours, so that it is asked first."""
        return self.call_status == "pending" and self.rule is not None and not self.rule.may_have_acted

    @property
    def series_is_running(self) -> bool:
        """Whether the first attempts, which follow each other within seconds, are not over."""
        return self.call_status == "new" and self.next_attempt_at is not None

    @property
    def is_retried(self) -> bool:
        """Whether it is on the periodic schedule."""
        return self.call_status in ("pending", "failed") and self.next_attempt_at is not None

    def restart(self, now: datetime) -> None:
        """Begin a new series of attempts with the same payload."""
        self.attempts = self.retries = 0
        self.next_attempt_at = now

    def refusal_step(self) -> str:
        """Return the sentence for staff about a refusal."""
        advice = gettext(self.rule.advice) if self.rule else ""
        if not self.rule or not self.rule.is_tried_again:
            return advice
        if self.next_attempt_at is None:
            return gettext("Refused by DANA; automatic retries have ended. You can send it again manually.")
        moment = formats.date_format(timezone.localtime(self.tried_until), "SHORT_DATETIME_FORMAT")
        sentence = gettext("Refused for now, trying again until %(moment)s; do not refund by other means.")
        return f"{sentence % {'moment': moment}} {advice}"
