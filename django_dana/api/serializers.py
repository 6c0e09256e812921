"""What goes in and what comes out. Every field is spelled out, so that no DRF setting of the shop changes an answer."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from django_dana import services
from django_dana.models import CancelRequest, Order, OrderState, RefundRequest
from django_dana.pages import codes, states
from django_dana.protocol import payment_methods
from django_dana.protocol.payment_methods import ShownAs

# -- in ---------------------------------------------------------------------------------------------------------------


class Text(serializers.CharField):
    """A string, and nothing that could be turned into one. What it may hold is checked by the services."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is no string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Amount(serializers.Field[Decimal, str, str, Any]):
    """A decimal number as a string: JSON's own numbers are floats for many a program."""

    default_error_messages = {
        "invalid": _('Give it as a string of digits with at most two decimals, such as "15000.00".')
    }

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the number; its limits are checked by the services."""
        if not isinstance(data, str) or not data.isascii() or not data.replace(".", "", 1).isdigit() or len(data) > 32:
            self.fail("invalid")
        try:
            return Decimal(data)
        except InvalidOperation:
            self.fail("invalid")

    def to_representation(self, value: Decimal) -> str:
        """Return it with two decimals."""
        return f"{value:.2f}"


class Object(serializers.DictField):
    """A JSON object, which is checked by the services."""

    initial: Any = {}


class Input(serializers.Serializer[Any]):
    """A body. A name that we don't know is refused: it may be one of ours, misspelled."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown names together with all else that is wrong."""
        try:
            result = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **self._unknown(data)}) from None  # type: ignore[dict-item]
        if unknown := self._unknown(data):
            raise serializers.ValidationError(unknown)
        return result

    def _unknown(self, data: Any) -> dict[str, Any]:
        names = [name for name in data if name not in self.fields] if isinstance(data, dict) else []
        return {name: [_("There is no such field.")] for name in names}


class OrderInput(Input):
    """What ``services.create_order`` takes."""

    amount = Amount(help_text="With at most two decimals.")
    title = Text(max_length=64, help_text="Shown on DANA's page.")
    account = Text(required=False, help_text='An alias of the DANA setting; left out, "default".')
    partner_reference_no = Text(
        required=False, max_length=64, help_text="Your own reference (25 characters with QRIS); left out, generated."
    )
    shop_reference = Text(
        required=False, allow_blank=True, max_length=64, help_text="Your own number of it, need not be unique."
    )
    currency = Text(required=False, help_text='Three capital letters; left out, "IDR".')
    valid_up_to = serializers.DateTimeField(
        required=False, input_formats=["iso-8601"], help_text="Left out, ORDER_LIFETIME from now."
    )
    return_url = Text(
        required=False, allow_blank=True, max_length=2048, help_text="Where our return page leads the buyer afterwards."
    )
    pay_option_details = serializers.ListField(
        child=Object(),
        required=False,
        help_text="Payment methods in DANA's field names; left out, DANA shows its page.",
    )
    buyer = Object(required=False, help_text="In DANA's field names, like the three that follow.")
    goods = serializers.ListField(child=Object(), required=False)
    shipping = serializers.ListField(child=Object(), required=False)
    env_info = Object(required=False)
    sub_merchant_id = Text(required=False, allow_blank=True, max_length=32)
    external_store_id = Text(required=False, allow_blank=True, max_length=64)
    metadata = Object(required=False, help_text="Your own data, kept and not sent.")


class CancelInput(Input):
    """What ``services.cancel_order`` takes."""

    reason = Text(required=False, allow_blank=True, max_length=256, help_text="DANA gets it.")


class RefundInput(Input):
    """What ``services.refund_order`` takes."""

    amount = Amount(required=False, help_text="Left out, all that is left.")
    reason = Text(required=False, allow_blank=True, max_length=256, help_text="DANA gets it.")


class Nothing(Input):
    """An empty object, or no body at all."""


class OrderFilter(serializers.Serializer[Any]):
    """What a list of orders can be narrowed by; each has an index."""

    account = Text(required=False, max_length=100, help_text="An alias of the DANA setting.")
    partner_reference_no = Text(required=False, max_length=64)
    shop_reference = Text(required=False, max_length=64)
    reference_no = Text(required=False, max_length=64, help_text="DANA's reference.")
    payment_status = serializers.ChoiceField(choices=Order.PaymentStatus.choices, required=False)
    needs_attention = serializers.ChoiceField(choices=Order.Attention.choices, required=False)


class _RequestFilter(serializers.Serializer[Any]):
    partner_reference_no = Text(
        required=False, max_length=64, help_text="The order's.", source="order__partner_reference_no"
    )


class CancelRequestFilter(_RequestFilter):
    """What a list of cancel requests can be narrowed by; each has an index."""

    needs_attention = serializers.ChoiceField(choices=CancelRequest.Attention.choices, required=False)


class RefundRequestFilter(_RequestFilter):
    """What a list of refund requests can be narrowed by; each has an index."""

    needs_attention = serializers.ChoiceField(choices=RefundRequest.Attention.choices, required=False)


# -- out --------------------------------------------------------------------------------------------------------------


def _text(source: str | None = None, **options: Any) -> Any:
    if source:
        options["source"] = source
    return serializers.CharField(read_only=True, **options)


def _choice(choices: Any, **options: Any) -> Any:
    return serializers.ChoiceField(choices=choices, read_only=True, **options)


def _moment(**options: Any) -> Any:
    return serializers.DateTimeField(read_only=True, format="iso-8601", **options)


def _maybe(**options: Any) -> Any:
    return _moment(allow_null=True, **options)


class _Computed(serializers.Field[Any, Any, Any, Any]):
    """What is computed from the whole row."""

    def __init__(self, compute: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(read_only=True, source="*", **options)
        self._compute = compute

    def to_representation(self, value: Any) -> Any:
        """Compute it."""
        return self._compute(value)


class Sentence(_Computed):
    """A sentence in the reader's language, or null."""

    def to_representation(self, value: Any) -> str | None:
        """Translate it."""
        sentence = super().to_representation(value)
        return None if sentence is None else str(sentence)


class Address(_Computed):
    """The absolute address of a route, null where the shop does not include it."""

    def __init__(self, route: str, field: str, **options: Any) -> None:
        self._route, self._field = route, field
        super().__init__(lambda row: None, **options)

    def to_representation(self, value: Any) -> str | None:
        """Return it as the request's host has it."""
        argument: Any = value
        for name in self._field.split("."):
            argument = getattr(argument, name)
        try:
            path = reverse(self._route, args=[argument])
        except NoReverseMatch:
            return None
        return str(self.context["request"].build_absolute_uri(path))


class OrderOutput(serializers.Serializer[Order]):
    """An order, as a list has it."""

    url = Address("django_dana_api:order", "public_id")
    public_id = serializers.UUIDField(read_only=True)
    partner_reference_no = _text()
    shop_reference = _text()
    account = _text()
    environment = _text()
    title = _text()
    amount = Amount(read_only=True)
    currency = _text()
    state = _choice(OrderState.choices, help_text="Where it stands, in one word.")
    is_final = serializers.BooleanField(read_only=True, help_text="Nothing will change any more by itself.")
    create_status = _choice(Order.CreateStatus.choices)
    payment_status = _choice(Order.PaymentStatus.choices)
    refunded_amount = Amount(read_only=True)
    pay_page = Address("django_dana:pay", "public_id", help_text="Where to send the buyer.")
    web_redirect_url = _text("safe_redirect_url", help_text="DANA's page, once DANA has the order; empty with a code.")
    payment_code = _text(help_text="The number of a virtual account, or the content of a QR code.")
    valid_up_to = _moment()
    paid_at = _maybe()
    pay_method = _text(help_text="What the buyer paid with, as DANA says.")
    pay_option = _text()
    reference_no = _text(help_text="DANA's reference.")
    response_code = _text(help_text="DANA's answer to the create call.")
    response_message = _text()
    needs_attention = _choice([("", ""), *Order.Attention.choices])
    return_url = _text()
    metadata = serializers.DictField(read_only=True)
    last_sync_at = _maybe(help_text="When DANA was last asked about it.")
    created_at = _moment()
    updated_at = _moment()


class OrderDetailOutput(OrderOutput):
    """An order by itself: also what comes next, and what may be done with it."""

    next_step = _text(help_text="One sentence for staff.")
    why_not_cancel = Sentence(services.why_not_cancel, help_text="Why it can't be cancelled; null if it can.")
    why_not_refund = Sentence(services.why_not_refund, help_text="Why nothing of it can be refunded; null if it can.")
    amount_left = Amount(read_only=True, help_text="What can still be refunded.")


class _RequestOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField(read_only=True)
    order = Address("django_dana_api:order", "order.public_id")
    partner_reference_no = _text("order.partner_reference_no")
    amount = Amount(read_only=True)
    currency = _text("order.currency")
    reason = _text()
    next_step = _text(help_text="One sentence for staff.")
    requested_by = _text("requested_by_id", allow_null=True, help_text="The user's id.")
    response_code = _text(help_text="DANA's answer to the last call.")
    response_message = _text()
    attempts = serializers.IntegerField(read_only=True, help_text="Calls since the series began.")
    next_attempt_at = _maybe()
    created_at = _moment()
    updated_at = _moment()


class CancelRequestOutput(_RequestOutput):
    """One request to cancel an order."""

    url = Address("django_dana_api:cancel-request", "pk")
    status = _choice(CancelRequest.Status.choices)
    needs_attention = _choice([("", ""), *CancelRequest.Attention.choices])
    cancel_time = _maybe()
    transaction_date = _maybe()


class RefundRequestOutput(_RequestOutput):
    """One request to give part or all of a payment back."""

    url = Address("django_dana_api:refund-request", "pk")
    status = _choice(RefundRequest.Status.choices)
    needs_attention = _choice([("", ""), *RefundRequest.Attention.choices])
    partner_refund_no = _text(help_text="Our number of it.")
    refund_no = _text(help_text="DANA's number of it.")
    refund_time = _maybe()


class Shown:
    """What a buyer's app is told about an order: what the page tells a browser, and no more."""

    def __init__(self, order: Order, state: states.State) -> None:
        is_payable = order.state == OrderState.PAYABLE
        method = payment_methods.shown(order.pay_option_details)
        is_qr = method is not None and method.shown_as is ShownAs.QR
        code = order.payment_code if is_payable else ""
        self.state = order.state
        self.is_final = order.is_final
        self.heading = state.heading
        self.sentence = state.sentence
        self.pay_url = order.safe_redirect_url if is_payable else ""
        self.payment_code = code
        self.qr_svg = codes.qr_svg(code) if code and is_qr else ""
        self.valid_up_to = order.valid_up_to


class StatusOutput(serializers.Serializer[Shown]):
    """Where an order stands, for its buyer."""

    state = _choice(OrderState.choices)
    is_final = serializers.BooleanField(read_only=True, help_text="Nothing will change any more by itself.")
    heading = _text(help_text="A few words.")
    sentence = _text(help_text="What it means for the buyer.")
    pay_url = _text(help_text="DANA's page to pay at; empty where there is none, or it is not the time to pay.")
    payment_code = _text(help_text="The number of a virtual account, or the content of a QR code; else empty.")
    qr_svg = _text(help_text="The QR code as SVG; else empty.")
    valid_up_to = _moment()
