"""DANA's five operations: path, service code, checks, and what each does once headers and signature have passed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django_dana.protocol import operations
from django_dana.protocol.operations import Operation
from django_dana.simulator.engine import fields
from django_dana.simulator.engine.operations.cancel_order import cancel
from django_dana.simulator.engine.operations.consult_pay import consult
from django_dana.simulator.engine.operations.context import OperationContext
from django_dana.simulator.engine.operations.create_order import create
from django_dana.simulator.engine.operations.query_payment import query
from django_dana.simulator.engine.operations.refund_order import refund

__all__ = ["BY_PATH", "ENDPOINTS", "Endpoint", "OperationContext"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of DANA's operations, as it is served.

    Attributes:
        name: our short name for it, as faults use it.
        service: the two digits in its response codes.
        check: the check of its body.
        act: does it and returns the fields of the answer; ``responseCode`` only where it is not 200SS00.
        reference: the field that names the order.
        own_number: the field that names the request itself, where the order's reference does not.
        repeated: fields that refusals repeat besides the reference.
        names_malformed_field: whether a format error names the field, which Consult Pay's does not [UAT].
    """

    name: str
    path: str
    service: str
    check: fields.Check
    act: Callable[[OperationContext], dict[str, Any]]
    reference: str = "originalPartnerReferenceNo"
    own_number: str = ""
    repeated: tuple[str, ...] = ()
    names_malformed_field: bool = True

    @property
    def key(self) -> str:
        """The field whose repetition must carry the same content."""
        return self.own_number or self.reference


def _names(operation: Operation) -> tuple[str, str, str]:
    return operation.key, operation.path, operation.service_code


ENDPOINTS: Final = (
    Endpoint(
        *_names(operations.CREATE_ORDER),
        fields.create_order,
        create,
        reference="partnerReferenceNo",
    ),
    Endpoint(
        *_names(operations.QUERY_PAYMENT),
        fields.query_payment,
        query,
        repeated=("originalReferenceNo", "serviceCode"),
    ),
    Endpoint(*_names(operations.CANCEL_ORDER), fields.cancel_order, cancel),
    Endpoint(
        *_names(operations.REFUND_ORDER),
        fields.refund_order,
        refund,
        own_number="partnerRefundNo",
        repeated=("partnerRefundNo",),
    ),
    # Consult Pay, which this package never calls
    Endpoint(
        "consult",
        "/v1.0/payment-gateway/consult-pay.htm",
        "00",
        fields.consult_pay,
        consult,
        reference="",
        names_malformed_field=False,
    ),
)
BY_PATH: Final = {endpoint.path: endpoint for endpoint in ENDPOINTS}
