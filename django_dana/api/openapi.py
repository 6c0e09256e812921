"""The API's description in OpenAPI 3.1 (the extra ``api``).

drf-spectacular finds the views by itself, here and in a shop's own schema; what it can't know stands here, so that the
views hold nothing but what they do.
"""

import inspect
from typing import Any, Final

from django.urls import include, path
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
    OpenApiViewExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer, URLField

from django_dana import __version__
from django_dana.api import serializers, views
from django_dana.api.base import DanaView
from django_dana.api.idempotency import HEADER, LONGEST_KEY, REPLAYED
from django_dana.api.pagination import LARGEST_SIZE

# -- pieces -----------------------------------------------------------------------------------------------------------

_PROBLEMS: Final = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "minProperties": 1,
}
_DETAIL: Final = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
    "additionalProperties": False,
}


def _detail(description: str) -> OpenApiResponse:
    return OpenApiResponse(_DETAIL, description=description)


_INVALID: Final = OpenApiResponse(
    {"oneOf": [_PROBLEMS, _DETAIL]},
    description="What is wrong, by field; `detail` where the body can't be read at all.",
    examples=[OpenApiExample("wrong fields", value={"amount": ["The amount must be above 0."]}, response_only=True)],
)
_GUARDED: Final = {
    401: _detail("Nobody is logged in."),
    403: _detail("A permission is missing, or nobody is logged in."),
    429: _detail("Too many requests for this scope."),
}
_ABSENT: Final = {404: _detail("There is none, or this user may not see it.")}
_AMBIGUOUS: Final = {409: _detail("Several orders have this reference: take the public_id.")}
_POSTED: Final = {
    400: _INVALID,
    413: _detail("The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."),
    415: _detail("The body is not application/json."),
    422: _detail(f"The {HEADER} was used before, with another request."),
    503: _detail("Another request with this key is under way, or the database is busy: send it again."),
}

_KEY: Final = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": r"^[!-~]+$"},
    OpenApiParameter.HEADER,
    description=f"For a day, the same request with the same key gets the same answer, with the header {REPLAYED}.",
)
_REPLAYED: Final = OpenApiParameter(
    REPLAYED,
    {"type": "string", "const": "true"},
    OpenApiParameter.HEADER,
    description="The answer is the one that was given before.",
    response=[200, 201, 400],
)
_LOCATION: Final = OpenApiParameter(
    "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, description="The row's own address.", response=[201]
)
_REFERENCE: Final = OpenApiParameter(
    "reference", {"type": "string", "minLength": 1}, OpenApiParameter.PATH, description="Your reference, or public_id."
)
_PK: Final = OpenApiParameter("request_id", {"type": "integer", "minimum": 0}, OpenApiParameter.PATH)
_PAGE: Final = [
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE}),
]


class _Page(Serializer[Any]):
    """One page of a list."""

    next = URLField(allow_null=True, help_text="The page of older rows.")
    previous = URLField(allow_null=True, help_text="The page of newer rows.")


class OrderPage(_Page):
    """One page of orders."""

    results = serializers.OrderOutput(many=True)


class CancelRequestPage(_Page):
    """One page of cancel requests."""

    results = serializers.CancelRequestOutput(many=True)


class RefundRequestPage(_Page):
    """One page of refund requests."""

    results = serializers.RefundRequestOutput(many=True)


_NEW_ORDER: Final = OpenApiExample(
    "DANA's own page",
    value={"amount": "15000.00", "title": "Kopi Gayo 250 g", "shop_reference": "cart-1042"},
    request_only=True,
)
_NEW_QRIS: Final = OpenApiExample(
    "QRIS",
    value={
        "amount": "15000.00",
        "title": "Kopi Gayo 250 g",
        "external_store_id": "store-1",
        "pay_option_details": [{"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}],
    },
    request_only=True,
)
_STATUS: Final = OpenApiExample(
    "to be paid",
    value={
        "state": "payable",
        "is_final": False,
        "heading": "Pay your order",
        "sentence": "Pay the amount below; this page then shows that it arrived.",
        "pay_url": "https://m.dana.id/n/cashier/new/checkout?bizNo=1",
        "payment_code": "",
        "qr_svg": "",
        "valid_up_to": "2026-11-21T10:00:00Z",
    },
    response_only=True,
)

_DESCRIPTIONS: Final[dict[type[Any], dict[str, Any]]] = {
    views.OrderList: {
        "get": {
            "operation_id": "list_orders",
            "parameters": [serializers.OrderFilter, *_PAGE],
            "responses": {200: OrderPage, 400: _INVALID, **_GUARDED},
        },
        "post": {
            "operation_id": "create_order",
            "parameters": [_KEY, _REPLAYED, _LOCATION],
            "request": serializers.OrderInput,
            "responses": {201: serializers.OrderDetailOutput, **_GUARDED, **_POSTED},
            "examples": [_NEW_ORDER, _NEW_QRIS],
        },
    },
    views.OrderDetail: {
        "get": {
            "operation_id": "get_order",
            "parameters": [_REFERENCE],
            "responses": {200: serializers.OrderDetailOutput, **_GUARDED, **_ABSENT, **_AMBIGUOUS},
        },
    },
    views.OrderCancel: {
        "post": {
            "operation_id": "cancel_order",
            "parameters": [_REFERENCE, _KEY, _REPLAYED, _LOCATION],
            "request": serializers.CancelInput,
            "responses": {201: serializers.CancelRequestOutput, **_GUARDED, **_ABSENT, **_AMBIGUOUS, **_POSTED},
            "examples": [OpenApiExample("a reason", value={"reason": "The buyer changed her mind"}, request_only=True)],
        },
    },
    views.OrderRefund: {
        "post": {
            "operation_id": "refund_order",
            "parameters": [_REFERENCE, _KEY, _REPLAYED, _LOCATION],
            "request": serializers.RefundInput,
            "responses": {201: serializers.RefundRequestOutput, **_GUARDED, **_ABSENT, **_AMBIGUOUS, **_POSTED},
            "examples": [
                OpenApiExample("a part", value={"amount": "5000.00", "reason": "One bag was torn"}, request_only=True),
                OpenApiExample("all that is left", value={}, request_only=True),
            ],
        },
    },
    views.OrderSync: {
        "post": {
            "operation_id": "sync_order",
            "parameters": [_REFERENCE, _KEY, _REPLAYED],
            "request": serializers.Nothing,
            "responses": {200: serializers.OrderDetailOutput, **_GUARDED, **_ABSENT, **_AMBIGUOUS, **_POSTED},
        },
    },
    views.CancelRequestList: {
        "get": {
            "operation_id": "list_cancel_requests",
            "parameters": [serializers.CancelRequestFilter, *_PAGE],
            "responses": {200: CancelRequestPage, 400: _INVALID, **_GUARDED},
        },
    },
    views.CancelRequestDetail: {
        "get": {
            "operation_id": "get_cancel_request",
            "parameters": [_PK],
            "responses": {200: serializers.CancelRequestOutput, **_GUARDED, **_ABSENT},
        },
    },
    views.RefundRequestList: {
        "get": {
            "operation_id": "list_refund_requests",
            "parameters": [serializers.RefundRequestFilter, *_PAGE],
            "responses": {200: RefundRequestPage, 400: _INVALID, **_GUARDED},
        },
    },
    views.RefundRequestDetail: {
        "get": {
            "operation_id": "get_refund_request",
            "parameters": [_PK],
            "responses": {200: serializers.RefundRequestOutput, **_GUARDED, **_ABSENT},
        },
    },
    views.Status: {
        "get": {
            "operation_id": "get_status",
            "auth": [],
            "responses": {
                200: OpenApiResponse(serializers.StatusOutput, examples=[_STATUS]),
                404: _detail("There is no such order."),
                429: _detail("Too many requests for this scope."),
            },
        },
    },
}


# -- for drf-spectacular ----------------------------------------------------------------------------------------------


# whatever the shop's DEFAULT_SCHEMA_CLASS is; DRF's own describes no OpenAPI 3.1
DanaView.schema = AutoSchema()


class _View(OpenApiViewExtension):
    """Adds to a view what is said above."""

    target_class = "django_dana.api.base.DanaView"
    match_subclasses = True

    def view_replacement(self) -> Any:
        """Return the view with its description."""
        described = type(self.target.__name__, (self.target,), {})
        for view, methods in _DESCRIPTIONS.items():
            if issubclass(self.target, view):
                for name, description in methods.items():
                    setattr(described, name, _described(getattr(self.target, name), description))
        return described


def _described(method: Any, description: dict[str, Any]) -> Any:
    """Return a method of its own that carries the description; the first line of its text is the summary."""

    def method_of_the_replacement(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    # the class to extend, which would be the shop's DEFAULT_SCHEMA_CLASS
    method_of_the_replacement.kwargs = {"schema": AutoSchema}  # type: ignore[attr-defined]
    text = inspect.cleandoc(method.__doc__ or "")
    summary = text.partition("\n")[0].rstrip(".")
    return extend_schema(summary=summary, description=text, tags=["dana"], **description)(method_of_the_replacement)


class _Input(OpenApiSerializerExtension):
    """Says that unknown names are refused."""

    target_class = "django_dana.api.serializers.Input"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the object."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class _Amount(OpenApiSerializerFieldExtension):
    """An amount is a string."""

    target_class = "django_dana.api.serializers.Amount"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the string."""
        return {"type": "string", "pattern": r"^[0-9]{1,13}(\.[0-9]{1,2})?$", "examples": ["15000.00"]}


class _Sentence(OpenApiSerializerFieldExtension):
    """A sentence or null."""

    target_class = "django_dana.api.serializers.Sentence"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the string."""
        return {"type": ["string", "null"]}


class _Address(OpenApiSerializerFieldExtension):
    """An address or null."""

    target_class = "django_dana.api.serializers.Address"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the string."""
        return {"type": ["string", "null"], "format": "uri"}


class SchemaView(SpectacularAPIView):
    """The description of the API at the address where it is included."""

    schema = None  # it does not describe itself
    versioning_class = None
    custom_settings = {
        "OAS_VERSION": "3.1.0",
        "TITLE": "django-dana",
        "DESCRIPTION": "Orders paid through DANA.",
        "VERSION": __version__,
        "SERVERS": [],
        # the shop's own would make of it what is right for the shop's views; ours would name each list of words
        "PREPROCESSING_HOOKS": [],
        "POSTPROCESSING_HOOKS": [],
    }

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Describe the routes beside this one."""
        prefix = request.path.removesuffix("schema/").lstrip("/")
        self.patterns = [path(prefix, include("django_dana.api.urls"))]
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return response
