"""Consult Pay."""

from typing import Any

from django_dana.simulator.engine import methods
from django_dana.simulator.engine.operations.context import OperationContext


def consult(context: OperationContext) -> dict[str, Any]:
    """List the ways to pay that are open to this merchant; QRIS needs a store."""
    context.merchant()
    offered = [m for m in methods.METHODS if context.body.get("externalStoreId") or not m.is_qris]
    return {
        "responseCode": context.behaviour.consult_success,
        "paymentInfos": [
            {"payMethod": method.pay_method, "payOption": method.pay_option, "promoInfos": []} for method in offered
        ],
    }
