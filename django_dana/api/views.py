"""The views: find the row, call the service, show what came of it."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.settings import api_settings

from django_dana import services
from django_dana.api import serializers
from django_dana.api.base import DanaView
from django_dana.api.idempotency import answer_once
from django_dana.api.pagination import NewestFirst
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.pages import states, syncing

VIEW_ORDER: Final = "django_dana.view_order"
ADD_ORDER: Final = "django_dana.add_order"
CHANGE_ORDER: Final = "django_dana.change_order"
CANCEL_ORDER: Final = "django_dana.cancel_order"
REFUND_ORDER: Final = "django_dana.refund_order"
VIEW_CANCEL: Final = "django_dana.view_cancelrequest"
VIEW_REFUND: Final = "django_dana.view_refundrequest"

#: Digits of the largest number that a key can be.
_LONGEST_NUMBER: Final = 19


class Ambiguous(APIException):
    """Several merchants have an order under one reference."""

    status_code = 409
    default_detail = _("Several orders have this reference. Use the public_id instead.")
    default_code = "ambiguous"


class RowsView(DanaView):
    """What views about rows share.

    Attributes:
        filter_backends: the shop's own; they narrow lists and single rows alike.
        ordering_fields: none, whatever filter the shop uses: a list has the order that its position needs.
        search_fields: none, since parts of a text are found by reading every row.
    """

    filter_backends: Any = api_settings.DEFAULT_FILTER_BACKENDS
    ordering_fields: ClassVar[tuple[str, ...]] = ()
    search_fields: ClassVar[tuple[str, ...]] = ()
    queryset: QuerySet[Any]

    def rows(self) -> QuerySet[Any]:
        """Return the rows that this user may see. Override it to narrow them."""
        rows = self.queryset.all()
        for backend in self.filter_backends:
            rows = backend().filter_queryset(self.request, rows, self)
        return rows

    def order(self, reference: str) -> Order:
        """Return the order of a reference, or of a public_id.

        Raises:
            Http404: there is none, or this user may not see it.
            Ambiguous: the reference is that of several merchants.
        """
        if "\x00" in reference:
            raise Http404
        # some collations find "inv-1" for "INV-1"
        found = [
            row for row in self.rows().filter(partner_reference_no=reference) if row.partner_reference_no == reference
        ]
        if len(found) > 1:
            raise Ambiguous
        if not found and (public_id := _uuid(reference)):
            found = list(self.rows().filter(public_id=public_id))
        if not found:
            raise Http404
        order: Order = found[0]
        return order

    def row(self, number: str) -> Any:
        """Return the row of a number.

        Raises:
            Http404: there is none, or this user may not see it.
        """
        if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
            raise Http404
        return get_object_or_404(self.rows(), pk=int(number))

    def shown(self, row: Any, output: type[Serializer[Any]], status: int = 200) -> Response:
        """Return the answer that shows a row."""
        data = output(row, context={"request": self.request}).data
        headers = {"Location": data["url"]} if status == 201 else None
        return Response(data, status=status, headers=headers)

    def listed(self, rows: QuerySet[Any], output: type[Serializer[Any]]) -> Response:
        """Return the answer that shows a page of rows."""
        paginator = NewestFirst()
        page = paginator.paginate_queryset(rows, self.request, self)
        return paginator.get_paginated_response(output(page, many=True, context={"request": self.request}).data)

    def read(self, reader: type[Serializer[Any]], data: Any) -> dict[str, Any]:
        """Return what a body or a query says."""
        serializer = reader(data=data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _orders() -> QuerySet[Order]:
    """Return the orders with what their state is made of, and without their long text."""
    return Order.objects.with_state().defer("request_body")


class OrderView(RowsView):
    """What views about orders share."""

    queryset = _orders()


class OrderList(OrderView):
    """All orders, and new ones."""

    permissions = {"GET": [VIEW_ORDER], "POST": [ADD_ORDER]}

    @property
    def throttle_scope(self) -> str:  # type: ignore[override]
        """Return the scope of reading or of creating."""
        return "django_dana.create" if self.request.method == "POST" else "django_dana.read"

    def get(self, request: Request) -> Response:
        """List the orders, the latest first."""
        conditions = self.read(serializers.OrderFilter, request.query_params.dict())
        return self.listed(self.rows().filter(**conditions), serializers.OrderOutput)

    def post(self, request: Request) -> Response:
        """Write an order and have it created at DANA by a worker."""
        return answer_once(request, self._create)

    def _create(self) -> Response:
        values = self.read(serializers.OrderInput, self.request.data)
        order = services.create_order(**values)
        return self.shown(self.queryset.get(pk=order.pk), serializers.OrderDetailOutput, 201)


class OrderDetail(OrderView):
    """One order."""

    permissions = {"GET": [VIEW_ORDER]}
    throttle_scope = "django_dana.read"

    def get(self, request: Request, reference: str) -> Response:
        """Show an order, what comes next, and what may be done with it."""
        return self.shown(self.order(reference), serializers.OrderDetailOutput)


class OrderCancel(OrderView):
    """Giving all of it back."""

    permissions = {"POST": [VIEW_ORDER, CANCEL_ORDER]}
    throttle_scope = "django_dana.cancel"

    def post(self, request: Request, reference: str) -> Response:
        """Have a whole order cancelled at DANA by a worker."""
        order = self.order(reference)
        return answer_once(request, lambda: self._cancel(order))

    def _cancel(self, order: Order) -> Response:
        values = self.read(serializers.CancelInput, self.request.data)
        cancel_request = services.cancel_order(order, requested_by=_row_of_user(self.request), **values)
        return self.shown(_cancel_requests().get(pk=cancel_request.pk), serializers.CancelRequestOutput, 201)


class OrderRefund(OrderView):
    """Giving part or all of it back."""

    permissions = {"POST": [VIEW_ORDER, REFUND_ORDER]}
    throttle_scope = "django_dana.refund"

    def post(self, request: Request, reference: str) -> Response:
        """Have part or all of a payment given back at DANA by a worker."""
        order = self.order(reference)
        return answer_once(request, lambda: self._refund(order))

    def _refund(self, order: Order) -> Response:
        values = self.read(serializers.RefundInput, self.request.data)
        refund_request = services.refund_order(order, requested_by=_row_of_user(self.request), **values)
        return self.shown(_refund_requests().get(pk=refund_request.pk), serializers.RefundRequestOutput, 201)


class OrderSync(OrderView):
    """Asking DANA now."""

    permissions = {"POST": [VIEW_ORDER, CHANGE_ORDER]}
    throttle_scope = "django_dana.sync"

    def post(self, request: Request, reference: str) -> Response:
        """Ask DANA about an order, at most TIMEOUT seconds long, and show the order as it is then."""
        order = self.order(reference)
        return answer_once(request, lambda: self._sync(order), in_transaction=False)

    def _sync(self, order: Order) -> Response:
        self.read(serializers.Nothing, self.request.data)
        services.sync_order(order)
        return self.shown(self.queryset.get(pk=order.pk), serializers.OrderDetailOutput)


def _row_of_user(request: Request) -> Any:
    """Return the user if it is a row; the permission of any other was checked by the view."""
    return request.user if isinstance(request.user, get_user_model()) else None


def _cancel_requests() -> QuerySet[CancelRequest]:
    return CancelRequest.objects.defer("request_body", "order__request_body").select_related("order")


def _refund_requests() -> QuerySet[RefundRequest]:
    return RefundRequest.objects.defer("request_body", "order__request_body").select_related("order")


class CancelRequestList(RowsView):
    """All cancel requests."""

    queryset = _cancel_requests()
    permissions = {"GET": [VIEW_CANCEL]}
    throttle_scope = "django_dana.read"

    def get(self, request: Request) -> Response:
        """List the cancel requests, the latest first."""
        conditions = self.read(serializers.CancelRequestFilter, request.query_params.dict())
        return self.listed(self.rows().filter(**conditions), serializers.CancelRequestOutput)


class CancelRequestDetail(RowsView):
    """One cancel request."""

    queryset = _cancel_requests()
    permissions = {"GET": [VIEW_CANCEL]}
    throttle_scope = "django_dana.read"

    def get(self, request: Request, request_id: str) -> Response:
        """Show a cancel request and what comes next."""
        return self.shown(self.row(request_id), serializers.CancelRequestOutput)


class RefundRequestList(RowsView):
    """All refund requests."""

    queryset = _refund_requests()
    permissions = {"GET": [VIEW_REFUND]}
    throttle_scope = "django_dana.read"

    def get(self, request: Request) -> Response:
        """List the refund requests, the latest first."""
        conditions = self.read(serializers.RefundRequestFilter, request.query_params.dict())
        return self.listed(self.rows().filter(**conditions), serializers.RefundRequestOutput)


class RefundRequestDetail(RowsView):
    """One refund request."""

    queryset = _refund_requests()
    permissions = {"GET": [VIEW_REFUND]}
    throttle_scope = "django_dana.read"

    def get(self, request: Request, request_id: str) -> Response:
        """Show a refund request and what comes next."""
        return self.shown(self.row(request_id), serializers.RefundRequestOutput)


class Status(DanaView):
    """Where an order stands, for its buyer: whoever has the address may ask, and learns what the page says."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    throttle_scope = "django_dana.status"
    rows = _orders()

    def get(self, request: Request, public_id: str) -> Response:
        """Say the state, after asking DANA where it may know more, at most once in 10 seconds."""
        order = get_object_or_404(self.rows, public_id=_uuid(public_id))
        if request.method == "GET" and syncing.is_worth_a_sync(order):
            order = syncing.sync(order)
        state = states.state_of(order)
        return Response(serializers.StatusOutput(serializers.Shown(order, state)).data)
