"""One payment."""

import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self
from urllib.parse import urlsplit

from django.core.validators import MinValueValidator
from django.db import connections, models
from django.db.models import Exists, OuterRef, Prefetch, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.models.outbound import OutboundRequest
from django_dana.protocol import operations
from django_dana.protocol.messages import MAX_PAYMENT_CODE
from django_dana.protocol.payment_methods import Address, promised_address
from django_dana.timing import GRACE, OPEN_REST

#: No 0, O, 1, I, L, U: staff read references to DANA over the phone.
REFERENCE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """Return a partner reference of 24 characters: at most 25 may be used with QRIS (DANA, Create Order)."""
    date = timezone.now().strftime("%y%m%d")
    return f"{date}-{''.join(secrets.choice(REFERENCE_ALPHABET) for _ in range(17))}"


class OrderQuerySet(models.QuerySet["Order"]):
    """The vocabulary of the workers."""

    def lock(self, pk: int) -> "Order":
        """Return the order, locked until the transaction ends."""
        if not connections[self.db].features.has_select_for_update:
            # SQLite: only a write locks, and a transaction that reads first can't write once somebody else wrote
            self.filter(pk=pk).update(updated_at=timezone.now())
        # FOR UPDATE reads what is there now, also in a shop's transaction on MySQL that repeats its first read
        return self.select_for_update().get(pk=pk)

    def with_state(self) -> Self:
        """Read what ``state`` and ``is_final`` are made of together with the orders, so that a list asks no more."""
        acted = self._related("api_calls").of(self.model.operation).may_have_acted().filter(order=OuterRef("pk"))
        requests = [
            Prefetch(name, self._related(name).defer("request_body")) for name in ("cancel_requests", "refund_requests")
        ]
        return self.prefetch_related(*requests).annotate(create_may_have_acted=Exists(acted))

    def _related(self, name: str) -> Any:
        """Return the rows of a model that is defined after this one."""
        model: Any = self.model._meta.get_field(name).related_model
        return model.objects.all()

    def free(self, now: datetime) -> Self:
        """Orders that no call holds; a lease that ran out belongs to a worker that died."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=now))

    def due(self, now: datetime) -> Self:
        """Orders whose next create call is due, the longest overdue first."""
        return self.free(now).filter(next_attempt_at__lte=now).order_by("next_attempt_at")

    def sync_due(self, now: datetime) -> Self:
        """Orders about which a query to DANA is due."""
        return self.free(now).filter(next_sync_at__lte=now)

    def unanswered(self, now: datetime) -> Self:
        """Orders past their time without a final answer, about which DANA has not been asked yet."""
        return self._open(now).filter(valid_up_to__lte=now - GRACE)

    def long_open(self, now: datetime) -> Self:
        """Orders that can still be paid for, but have been for long, about which DANA was not asked lately."""
        rested = now - OPEN_REST
        # what DANA has under the reference of an order that was never sent is another's
        unsent = Q(create_status=self.model.CreateStatus.NEW)
        asked_lately = Q(last_sync_at__gt=rested)
        return self._open(now).filter(valid_up_to__gt=now, created_at__lte=rested).exclude(unsent).exclude(asked_lately)

    def _open(self, now: datetime) -> Self:
        """Orders that may get a final answer by themselves; what needs attention has a query of its own."""
        return (
            self.free(now)
            .filter(payment_status__in=self.model.OPEN_PAYMENT, next_sync_at=None, needs_attention="")
            .exclude(create_status=self.model.CreateStatus.FAILED)
        )


class OrderState(models.TextChoices):
    """Where an order stands, in one word for shops, buyers and the REST API."""

    PREPARING = "preparing", _("being prepared")
    PAYABLE = "payable", _("waiting for the buyer")
    CONFIRMING = "confirming", _("waiting for DANA")
    PAID = "paid", _("paid")
    IN_REVIEW = "in_review", _("being checked")
    CANCELLING = "cancelling", _("being cancelled")
    CANCELLED = "cancelled", _("cancelled")
    REFUNDED = "refunded", _("refunded")
    EXPIRED = "expired", _("expired")
    REFUSED = "refused", _("refused by DANA")
    START_AGAIN = "start_again", _("must be started again")


class Order(OutboundRequest):
    """One payment.

    ``create_status`` says what became of our call, ``payment_status`` what became of the money.
    """

    operation = operations.CREATE_ORDER

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
        """Why staff should look, most severe first. A milder reason never replaces a graver one."""

        PAID_AFTER_CLOSED = "paid_after_closed", _("paid after it was closed")
        AMOUNT_DIFFERS = "amount_differs", _("DANA reports another amount")
        CONFLICT = "conflict", _("DANA's messages contradict each other")
        UNKNOWN_STATUS = "unknown_status", _("unknown status")
        ACCOUNT = "account", _("the account can't be used")
        ACCOUNT_REFUSED = "account_refused", _("DANA refuses the account")
        NO_ADDRESS = "no_address", _("no address to pay at")
        UNSETTLED = "unsettled", _("no final answer from DANA")
        CANCEL = "cancel", _("a cancellation did not happen")
        REFUND = "refund", _("a refund did not happen")

    #: The states from which a payment can still go anywhere.
    OPEN_PAYMENT: Final = (PaymentStatus.NONE, PaymentStatus.INITIATED, PaymentStatus.PAYING)

    #: The columns that belong to the shop; all others are written by transitions alone.
    SHOP_FIELDS: Final = ("metadata", "return_url", "shop_reference")

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

    create_status = models.CharField(_("create"), max_length=7, choices=CreateStatus.choices, default=CreateStatus.NEW)
    payment_status = models.CharField(
        _("payment"), max_length=9, choices=PaymentStatus.choices, default=PaymentStatus.NONE
    )
    reference_no = models.CharField(_("DANA's reference"), max_length=64, blank=True)
    web_redirect_url = models.TextField(_("address of DANA's page"), blank=True)
    payment_code = models.CharField(_("payment code"), max_length=MAX_PAYMENT_CODE, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    pay_method = models.CharField(_("paid with"), max_length=64, blank=True)
    pay_option = models.CharField(_("payment option"), max_length=64, blank=True)
    reported_amount = models.DecimalField(
        _("amount that DANA reported"), max_digits=15, decimal_places=2, null=True, blank=True
    )
    refunded_amount = models.DecimalField(_("given back"), max_digits=15, decimal_places=2, default=Decimal("0.00"))
    needs_attention = models.CharField(_("needs attention"), max_length=20, choices=Attention.choices, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    settled_outside_at = models.DateTimeField(_("settled outside DANA at"), null=True, blank=True)
    settled_outside_note = models.CharField(_("how it was settled outside DANA"), max_length=500, blank=True)

    shop_reference = models.CharField(_("shop's number"), max_length=64, blank=True)
    return_url = models.CharField(_("return address"), max_length=2048, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    # The row is the queue.
    next_sync_at = models.DateTimeField(_("next query"), null=True, blank=True)
    last_sync_at = models.DateTimeField(_("last query"), null=True, blank=True, editable=False)
    answered_at = models.DateTimeField(_("last answer"), null=True, blank=True, editable=False)
    unsettled_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Who holds the order for a call, and a number that grows with each change, so that a query's answer that is
    # older than a change is seen to be.
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    revision = models.PositiveIntegerField(default=0, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [
            ("cancel_order", _("Can cancel and refund an order")),
            ("refund_order", _("Can refund part or all of an order")),
            ("settle_order_outside", _("Can note that an order was settled outside DANA")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["merchant_id", "partner_reference_no"], name="dana_order_reference"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="dana_order_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="dana_order_due"),
            models.Index(fields=["next_sync_at"], name="dana_order_sync_due"),
            models.Index(fields=["payment_status", "needs_attention", "valid_up_to"], name="dana_order_unanswered"),
            models.Index(fields=["payment_status", "paid_at"], name="dana_order_paid"),
            models.Index(fields=["payment_status", "-id"], name="dana_order_by_payment"),
            models.Index(fields=["needs_attention", "-id"], name="dana_order_attention"),
            models.Index(fields=["account", "-id"], name="dana_order_by_account"),
            models.Index(fields=["created_at"], name="dana_order_created"),
            models.Index(fields=["paid_at"], name="dana_order_paid_at"),
            # searched by their beginning, for which PostgreSQL takes no index in the order of a language
            *(
                models.Index(fields=[field], name=f"dana_order_by_{name}", opclasses=["varchar_pattern_ops"])
                for name, field in (
                    ("reference", "partner_reference_no"),
                    ("dana", "reference_no"),
                    ("shop", "shop_reference"),
                    ("code", "payment_code"),
                )
            ),
        ]

    def __str__(self) -> str:
        return self.partner_reference_no

    def save(
        self, *args: Any, force_insert: Any = False, update_fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        """Save a new order, or what is the shop's of an existing one.

        A stale instance in a shop's hands must not undo a payment, so DANA's columns are written only by name.
        """
        if update_fields is None and not self._state.adding and not force_insert:
            update_fields = (*self.SHOP_FIELDS, "updated_at")
        super().save(*args, force_insert=force_insert, update_fields=update_fields, **kwargs)

    @property
    def call_status(self) -> str:
        """The outcome of the Create Order call."""
        return self.create_status

    @property
    def tried_until(self) -> datetime:
        """When the periodic schedule ends."""
        return self.valid_up_to

    @property
    def is_open(self) -> bool:
        """Whether the payment can still go anywhere."""
        return self.payment_status in self.OPEN_PAYMENT

    @property
    def may_be_anothers(self) -> bool:
        """Whether what DANA has under our reference may be somebody else's order, which must not be cancelled.

        So it is once DANA reported another amount, or answered a create call of ours *Inconsistent Request*, until
        something proves it ours.
        """
        if self.create_status == self.CreateStatus.SUCCESS:
            return False
        if self.needs_attention == self.Attention.AMOUNT_DIFFERS:
            return True
        masking = [rule.code for rule in self.operation.codes.rows.values() if rule.may_mask_success]
        return self.api_calls.filter(operation=self.operation.key, rule_code__in=masking).exists()

    @property
    def is_being_cancelled(self) -> bool:
        """Whether a cancel may still reach DANA."""
        return any(cancel_request.unfinished for cancel_request in self.cancel_requests.all())

    @property
    def amount_left(self) -> Decimal:
        """What can still be refunded: refunds that are new or pending count as given."""
        given = self.refunded_amount
        for refund_request in self.refund_requests.all():
            if refund_request.unfinished:
                given += refund_request.amount
        return max(self.amount - given, Decimal("0.00"))

    @property
    def has_address(self) -> bool:
        """Whether the buyer can be told where to pay."""
        return bool(self.safe_redirect_url or self.payment_code)

    @property
    def lacks_address(self) -> bool:
        """Whether DANA has the order, but the address that its payment method promises is missing."""
        return not self.has_address and promised_address(self.pay_option_details) is not Address.NONE

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
        """Note why staff should look, unless a graver reason stands. Return whether this is news."""
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

    # -- where it stands ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> OrderState:
        """Where the order stands, in one word. Prefetch cancel_requests for lists."""
        if self.needs_attention in IN_REVIEW:
            return OrderState.IN_REVIEW
        if self.payment_status in (self.PaymentStatus.CANCELLED, self.PaymentStatus.REFUNDED):
            return OrderState(self.payment_status)
        if self.is_being_cancelled:
            return OrderState.CANCELLING
        if self.payment_status == self.PaymentStatus.PAID:
            return OrderState.IN_REVIEW if self._has_cancel_of_unknown_end() else OrderState.PAID
        return self._unpaid_state(timezone.now())

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more by itself."""
        return (
            self.state in _FINAL
            and self.next_attempt_at is None
            and self.next_sync_at is None
            and not any(refund_request.unfinished for refund_request in self.refund_requests.all())
        )

    def _unpaid_state(self, now: datetime) -> OrderState:
        if self.payment_status == self.PaymentStatus.EXPIRED:
            return OrderState.EXPIRED
        if self.payment_status == self.PaymentStatus.NOT_FOUND:
            return OrderState.START_AGAIN
        if self.payment_status == self.PaymentStatus.PAYING:
            return OrderState.CONFIRMING
        if self.create_status == self.CreateStatus.FAILED and self.next_attempt_at is None:
            return OrderState.REFUSED
        if now >= self.valid_up_to:
            # DANA is asked what became of it
            return OrderState.CONFIRMING if self._may_be_at_dana() else OrderState.EXPIRED
        if not self.can_be_paid(now):
            return OrderState.PREPARING
        return OrderState.START_AGAIN if self.lacks_address else OrderState.PAYABLE

    def _may_be_at_dana(self) -> bool:
        if self.create_status == self.CreateStatus.SUCCESS:
            return True
        known: bool | None = self.__dict__.get("create_may_have_acted")
        return self.api_calls.of(self.operation).may_have_acted().exists() if known is None else known

    def _has_cancel_of_unknown_end(self) -> bool:
        return any(cancel_request.is_end_unknown for cancel_request in self.cancel_requests.all())

    @property
    def next_step(self) -> str:
        """One sentence for staff: where this order stands and what to do next."""
        # "deliver it" is wrong advice while the money may be on its way back
        may_be_delivered = self.needs_attention in ("", self.Attention.PAID_AFTER_CLOSED, self.Attention.CANCEL)
        if may_be_delivered and (sentence := self._cancel_step()):
            return sentence
        if self.needs_attention == self.Attention.AMOUNT_DIFFERS and self.paid_at:
            return gettext("DANA now reports a different amount from the one that was paid. Look it up at DANA.")
        # why DANA refuses the account stands in the advice of the refusal
        is_refused = self.needs_attention == self.Attention.ACCOUNT_REFUSED and self.rule is not None
        if self.needs_attention and not is_refused:
            return str(_ATTENTION_STEPS[self.Attention(self.needs_attention)])
        if self.payment_status == self.PaymentStatus.INITIATED and self.lacks_address:
            return gettext("DANA has the order, but the buyer can't pay yet: the address is still to come.")
        if self.payment_status != self.PaymentStatus.NONE:
            return str(_PAYMENT_STEPS[self.PaymentStatus(self.payment_status)])
        return self._create_step()

    def _cancel_step(self) -> str:
        """Return what a cancel without a known end asks of the staff, else nothing."""
        if self.is_being_cancelled:
            return gettext("A cancel is under way. Do not deliver; wait until it ends.")
        if self.payment_status == self.PaymentStatus.PAID and self._has_cancel_of_unknown_end():
            return gettext("It is not yet known whether the cancel succeeded. Do not deliver until DANA answers.")
        return ""

    def _create_step(self) -> str:
        if self.create_status == self.CreateStatus.NEW:
            return gettext("The order is on its way to DANA; there is nothing to do.")
        if self.outcome_ambiguous:
            return gettext("DANA may already have this order. It is being asked; there is nothing to do but wait.")
        if self.create_status == self.CreateStatus.PENDING and not self.next_attempt_at:
            return gettext("It is not yet known whether DANA has this order. DANA is asked once its time is over.")
        if self.create_status == self.CreateStatus.FAILED:
            if not self.attempts and not self.rule_code:
                return gettext("This order was stopped before it was sent to DANA. For another try, create a new one.")
            return self.refusal_step()
        return gettext(self.rule.advice) if self.rule else ""


#: DANA or a person still has to say what is true; paying (again) or delivering could only make it worse.
IN_REVIEW: Final = (
    Order.Attention.PAID_AFTER_CLOSED,
    Order.Attention.CONFLICT,
    Order.Attention.AMOUNT_DIFFERS,
    Order.Attention.UNKNOWN_STATUS,
    Order.Attention.UNSETTLED,
)

_FINAL: Final = (
    OrderState.PAID,
    OrderState.CANCELLED,
    OrderState.REFUNDED,
    OrderState.EXPIRED,
    OrderState.REFUSED,
    OrderState.START_AGAIN,
)

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
    Order.Attention.ACCOUNT_REFUSED: _(
        "DANA refuses the account or its signature, so every payment may be failing. Have the DANA setting checked now."
    ),
    Order.Attention.NO_ADDRESS: _(
        "DANA has the order, but the address to pay at was lost. Ask the buyer to start again with a new order."
    ),
    Order.Attention.UNSETTLED: _(
        "DANA gave no final answer for seven days. Look the order up at DANA, then ask DANA again from here."
    ),
    Order.Attention.CANCEL: _("This order was not cancelled as requested. See the cancel request for what to do."),
    Order.Attention.REFUND: _("A refund of this order did not happen. See the refund request for what to do."),
}

_PAYMENT_STEPS: Final = {
    Order.PaymentStatus.INITIATED: _("DANA has the order. The buyer has not paid yet."),
    Order.PaymentStatus.PAYING: _("The buyer is paying, but it is not final. Do not deliver yet."),
    Order.PaymentStatus.PAID: _("Paid. Deliver it."),
    Order.PaymentStatus.CANCELLED: _("Cancelled at DANA. If it was paid, the money goes back to the buyer."),
    Order.PaymentStatus.EXPIRED: _("The time to pay is over. For another try, create a new order."),
    Order.PaymentStatus.REFUNDED: _("Refunded at DANA. There is nothing to do."),
    Order.PaymentStatus.NOT_FOUND: _("DANA does not have this order. For another try, create a new order."),
}
