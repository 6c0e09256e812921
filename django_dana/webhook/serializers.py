"""The shape that DANA sends (DANA's page *Finish Notify*, request body).

Liberal: only what is needed to book a payment is required; unknown keys and values, missing optional keys and both
forms of time are fine, since a verified payment must never fail to be recorded for a detail.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from django_dana.protocol import notation
from django_dana.protocol.messages import StatusReport


class MoneyField(serializers.Field):  # type: ignore[type-arg]
    """DANA's money object as amount and currency."""

    def to_internal_value(self, data: Any) -> tuple[Decimal, str]:
        """Return amount and currency."""
        money = notation.parse_money(data)
        if money is None:
            raise serializers.ValidationError("not DANA's money object", code="invalid")
        return money


class NotificationSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One Finish Notify."""

    originalPartnerReferenceNo = serializers.CharField(max_length=64, trim_whitespace=False)  # noqa: N815
    merchantId = serializers.CharField(max_length=64, trim_whitespace=False)  # noqa: N815
    latestTransactionStatus = serializers.CharField(max_length=50)  # noqa: N815
    amount = MoneyField()

    @property
    def lacks_mandatory_field(self) -> bool:
        """Whether, of all that is wrong, something is missing altogether."""
        details = [detail for field in self.errors.values() for detail in field]
        return any(getattr(detail, "code", "") in ("required", "null", "blank") for detail in details)

    def report(self) -> StatusReport:
        """Return what the message says about the payment."""
        amount, currency = self.validated_data["amount"]
        reference_no = self.initial_data.get("originalReferenceNo")
        return StatusReport(
            status=self.validated_data["latestTransactionStatus"],
            amount=amount,
            currency=currency,
            reference_no=reference_no if isinstance(reference_no, str) else "",
            paid_at=self._paid_at(),
        )

    def _paid_at(self) -> datetime | None:
        """The time of payment stands in one of three places, depending on the method (captured notifications)."""
        message = self.initial_data
        additional = message.get("additionalInfo")
        additional = additional if isinstance(additional, dict) else {}
        payment = additional.get("paymentInfo")
        payment = payment if isinstance(payment, dict) else {}
        times = (additional.get("paidTime"), payment.get("paidTime"), message.get("finishedTime"))
        return next((moment for value in times if (moment := notation.parse_time(value))), None)
