"""One payment."""

import secrets
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self
from urllib.parse import urlsplit

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import formats, timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.protocol import response_codes
from django_dana.protocol.response_codes import Rule

# After validUpTo DANA may still be settling a payment made in the last second.
GRACE: Final = timedelta(minutes=5)

# No 0, O, 1, I, L, U: staff read references to DANA over the phone.
_REFERENCE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """Return a partner reference of 24 characters: at most 25 may be used with QRIS (DANA, Create Order)."""
    date = timezone.now().strftime("%y%m%d")
    return f"{date}-{''.join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(17))}"


class OrderQuerySet(models.QuerySet["Order"]):
    """The vocabulary of the workers."""

    def lock(self, pk: int) -> "Order":
        """Return the order, locked until the transaction ends.

        By a write, since a write locks on every engine; on SQLite, SELECT … FOR UPDATE does nothing, and a
        transaction that reads first can't write any more once somebody else wrote.
        """
        self.filter(pk=pk).update(updated_at=timezone.now())
        # FOR UPDATE reads what is there now, also in a shop's transaction on MySQL that repeats its first read
        return self.select_for_update().get(pk=pk)

    def free(self, now: datetime) -> Self:
        """Orders that no call holds; a lease that ran out belongs to a worker that died."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=now))

    def due(self, now: datetime) -> Self:
        """Orders whose next create call is due."""
        return self.free(now).filter(next_attempt_at__lte=now)

    def to_ask(self, now: datetime) -> Self:
        """Orders about which a question to DANA is due."""
        return self.free(now).filter(next_sync_at__lte=now)

    def unanswered(self, now: datetime) -> Self:
        """Orders past their time without a final answer, about which nobody has asked yet."""
        return (
            self.free(now)
            .filter(
                payment_status__in=self.model.OPEN_PAYMENT,
                valid_up_to__lte=now - GRACE,
                next_sync_at=None,
                needs_attention="",
            )
            .exclude(create_status=self.model.CreateStatus.FAILED)
        )


class Order(models.Model):
    """One payment.

    ``create_status`` says what became of our call, ``payment_status`` what became of the money.
    """

    class CreateStatus(models.TextChoices):
        """The outcome of the Create Order call in DANA's own words."""

        NEW = "new", _("new")
        SUCCESS = "success", _("success")
        PENDING = "pending", _("pending")
        FAILED = "failed", _("failed")

    class PaymentStatus(models.TextChoices):
        """What became of the money."""

        NONE = "none", _("nothing known")
        INITIATED = "initiated", _("waiting for the buyer")
        PAYING = "paying", _("being paid")
        PAID = "paid", _("paid")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")
        REFUNDED = "refunded", _("refunded")
        NOT_FOUND = "not_found", _("unknown at DANA")

    class Attention(models.TextChoices):
        """Why a person should look; a graver reason, further up, is never replaced by a lesser one."""

        PAID_AFTER_CLOSED = "paid_after_closed", _("paid after it was closed")
        AMOUNT_DIFFERS = "amount_differs", _("DANA reports another amount")
        CONFLICT = "conflict", _("DANA's messages contradict each other")
        UNKNOWN_STATUS = "unknown_status", _("unknown status")
        ACCOUNT = "account", _("the account can't be used")
        NO_ADDRESS = "no_address", _("no address to pay at")
        UNSETTLED = "unsettled", _("no final answer from DANA")

    #: The states from which a payment can still go anywhere.
    OPEN_PAYMENT: Final = (PaymentStatus.NONE, PaymentStatus.INITIATED, PaymentStatus.PAYING)

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    account = models.CharField(_("account"), max_length=100)
    environment = models.CharField(_("environment"), max_length=10)
    partner_reference_no = models.CharField(_("our reference"), max_length=64, default=new_reference)
    merchant_id = models.CharField(_("merchant id"), max_length=64)
    sub_merchant_id = models.CharField(_("sub-merchant id"), max_length=32, blank=True)
    external_store_id = models.CharField(_("store id"), max_length=64, blank=True)
    amount = models.DecimalField(
        _("amount"), max_digits=15, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    currency = models.CharField(_("currency"), max_length=3, default="IDR")
    title = models.CharField(_("title"), max_length=64)
    valid_up_to = models.DateTimeField(_("valid up to"))
    pay_option_details = models.JSONField(_("payment methods"), default=list, blank=True)
    request_body = models.TextField(_("request"), editable=False)

    create_status = models.CharField(_("create"), max_length=7, choices=CreateStatus.choices, default=CreateStatus.NEW)
    payment_status = models.CharField(
        _("payment"), max_length=9, choices=PaymentStatus.choices, default=PaymentStatus.NONE
    )
    reference_no = models.CharField(_("DANA's reference"), max_length=64, blank=True)
    web_redirect_url = models.TextField(_("address of DANA's page"), blank=True)
    payment_code = models.TextField(_("payment code"), blank=True)
    response_code = models.CharField(_("response code"), max_length=7, blank=True)
    response_message = models.CharField(_("response message"), max_length=255, blank=True)
    rule_code = models.CharField(_("row of the table"), max_length=10, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    needs_attention = models.CharField(_("needs attention"), max_length=20, choices=Attention.choices, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    settled_outside_at = models.DateTimeField(_("settled outside DANA at"), null=True, blank=True)
    settled_outside_note = models.CharField(_("how it was settled outside DANA"), max_length=500, blank=True)

    return_url = models.CharField(_("return address"), max_length=2048, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    # The row is the queue.
    attempts = models.PositiveIntegerField(_("attempts"), default=0, help_text=_("Calls since the series began."))
    retries = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    next_sync_at = models.DateTimeField(_("next question"), null=True, blank=True)
    asked_at = models.DateTimeField(_("last question"), null=True, blank=True, editable=False)
    questions = models.PositiveIntegerField(default=0, editable=False)
    unsettled_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Who holds the order for a call, and the number of facts applied, so that an answer older than a fact is seen.
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    fact_count = models.PositiveIntegerField(default=0, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [
            ("cancel_order", _("Can cancel and refund an order")),
            ("settle_order_outside", _("Can note that an order was settled outside DANA")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["merchant_id", "partner_reference_no"], name="dana_order_reference"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="dana_order_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="dana_order_due"),
            models.Index(fields=["next_sync_at"], name="dana_order_to_ask"),
            models.Index(fields=["payment_status", "needs_attention", "valid_up_to"], name="dana_order_unanswered"),
            models.Index(fields=["payment_status", "paid_at"], name="dana_order_paid"),
            models.Index(fields=["needs_attention", "-id"], name="dana_order_attention"),
            models.Index(fields=["created_at"], name="dana_order_created"),
            models.Index(fields=["paid_at"], name="dana_order_paid_at"),
            models.Index(fields=["partner_reference_no"], name="dana_order_by_reference"),
            models.Index(fields=["reference_no"], name="dana_order_by_dana"),
        ]

    def __str__(self) -> str:
        return self.partner_reference_no

    @property
    def rule(self) -> Rule | None:
        """The row of DANA's table by which the last create call was concluded."""
        return response_codes.CREATE.rows.get(self.rule_code)

    @property
    def is_open(self) -> bool:
        """Whether the payment can still go anywhere."""
        return self.payment_status in self.OPEN_PAYMENT

    @property
    def outcome_ambiguous(self) -> bool:
        """Whether DANA refused a create in words that may answer our own earlier success (design rule: echo)."""
        return self.create_status == self.CreateStatus.PENDING and bool(self.rule and self.rule.may_mask_success)

    @property
    def is_being_cancelled(self) -> bool:
        """Whether a cancel may still reach DANA."""
        return self.cancel_requests.unfinished().exists()

    @property
    def has_address(self) -> bool:
        """Whether the buyer can be told where to pay."""
        return bool(self.safe_redirect_url or self.payment_code)

    @property
    def safe_redirect_url(self) -> str:
        """DANA's page if its address is http(s), else nothing: a javascript: address is never followed."""
        try:
            parts = urlsplit(self.web_redirect_url)
        except ValueError:
            return ""
        return self.web_redirect_url if parts.scheme in ("http", "https") and parts.netloc else ""

    def can_be_paid(self, now: datetime | None = None) -> bool:
        """Whether it makes sense to send the buyer to DANA."""
        return (
            self.create_status == self.CreateStatus.SUCCESS
            and self.payment_status in (self.PaymentStatus.NONE, self.PaymentStatus.INITIATED)
            and (now or timezone.now()) < self.valid_up_to
        )

    def is_held(self, now: datetime) -> bool:
        """Whether a call is under way."""
        return self.lease_until is not None and self.lease_until > now

    def flag_attention(self, reason: "Order.Attention") -> bool:
        """Note why a person should look, unless a graver reason stands. Return whether this is news."""
        gravity = list(self.Attention)
        standing = self.needs_attention
        if standing and gravity.index(self.Attention(standing)) <= gravity.index(reason):
            return False
        self.needs_attention = reason
        return True

    def clear_attention(self, *reasons: "Order.Attention") -> None:
        """Take back one of these reasons, if it is the standing one."""
        if self.needs_attention in reasons:
            self.needs_attention = ""

    @property
    def next_step(self) -> str:
        """One sentence for staff: where this order stands and what to do next."""
        # "deliver it" is wrong advice while the money may be on its way back
        may_be_delivered = self.needs_attention in ("", self.Attention.PAID_AFTER_CLOSED)
        if may_be_delivered and (sentence := self._cancel_step()):
            return sentence
        if self.needs_attention:
            return str(_ATTENTION_STEPS[self.Attention(self.needs_attention)])
        if self.payment_status != self.PaymentStatus.NONE:
            return str(_PAYMENT_STEPS[self.PaymentStatus(self.payment_status)])
        return self._create_step()

    def _cancel_step(self) -> str:
        """Return what a cancel without a known end asks of the staff, else nothing."""
        if self.is_being_cancelled:
            return gettext("A cancel is under way. Do not deliver; wait for its end.")
        if self.payment_status == self.PaymentStatus.PAID and self.cancel_requests.of_unknown_end().exists():
            return gettext("Nobody knows yet whether the cancel went through. Do not deliver before DANA has answered.")
        return ""

    def _create_step(self) -> str:
        if self.create_status == self.CreateStatus.NEW:
            return gettext("The order is on its way to DANA; there is nothing to do.")
        if self.outcome_ambiguous:
            return gettext("DANA may already have this order. It is being asked; there is nothing to do but wait.")
        if self.create_status == self.CreateStatus.PENDING and not self.next_attempt_at:
            return gettext("Nobody knows yet whether DANA has this order. DANA is asked once its time is over.")
        advice = gettext(self.rule.advice) if self.rule else ""
        if self.create_status == self.CreateStatus.FAILED and self.rule and self.rule.is_tried_again:
            return f"{refused_for_now(self.valid_up_to)} {advice}" if self.next_attempt_at else not_tried_again()
        return advice


def refused_for_now(until: datetime) -> str:
    """Return the sentence for a refusal that is tried again by itself until a moment."""
    moment = formats.date_format(timezone.localtime(until), "SHORT_DATETIME_FORMAT")
    sentence = gettext("Refused for now, trying again until %(moment)s; do not refund by other means.")
    return sentence % {"moment": moment}


def not_tried_again() -> str:
    """Return the sentence for a refusal that was tried again by itself, and is no more."""
    return gettext("Refused by DANA, and not tried again by itself any more. It may be sent again by hand.")


_ATTENTION_STEPS: Final = {
    Order.Attention.PAID_AFTER_CLOSED: _(
        "The buyer paid after the order was closed. Deliver it, or cancel it to give the money back."
    ),
    Order.Attention.AMOUNT_DIFFERS: _(
        "DANA reports another amount than this order's, so it is not called paid. "
        "Look it up at DANA before you deliver or refund."
    ),
    Order.Attention.CONFLICT: _("DANA's messages contradict each other. DANA is being asked; wait for its answer."),
    Order.Attention.UNKNOWN_STATUS: _(
        "DANA reports a status that is not documented. Look the order up at DANA before you deliver or refund."
    ),
    Order.Attention.ACCOUNT: _(
        "The account of this order is gone, was changed or lacks its key, so nothing can be sent. "
        "Have the DANA setting checked."
    ),
    Order.Attention.NO_ADDRESS: _(
        "DANA has the order, but the address to pay at was lost. Ask the buyer to start again with a new order."
    ),
    Order.Attention.UNSETTLED: _(
        "DANA gave no final answer for seven days. Look the order up at DANA, then ask DANA again from here."
    ),
}

_PAYMENT_STEPS: Final = {
    Order.PaymentStatus.INITIATED: _("DANA has the order. The buyer has not paid yet."),
    Order.PaymentStatus.PAYING: _("The buyer is paying, but it is not final. Do not deliver yet."),
    Order.PaymentStatus.PAID: _("Paid. Deliver it; to give the money back, cancel it within 24 hours."),
    Order.PaymentStatus.CANCELLED: _("Cancelled at DANA. If it was paid, the money goes back to the buyer."),
    Order.PaymentStatus.EXPIRED: _("The time to pay is over. For another try, create a new order."),
    Order.PaymentStatus.REFUNDED: _("The money was given back at DANA. There is nothing to do."),
    Order.PaymentStatus.NOT_FOUND: _("DANA does not have this order. For another try, create a new order."),
}
