"""The address of an order's checkout page, with the query keys seen in a sandbox run."""

from typing import Final
from urllib.parse import urlencode

from django_dana.simulator.engine.orders import Order
from django_dana.simulator.engine.shared import Shared

CHECKOUT_PATH: Final = "/n/cashier/new/checkout"


def checkout_url(order: Order, shared: Shared) -> str:
    """Return the address to which the buyer of ``order`` is sent."""
    query = {
        "bizNo": order.reference_no,
        "timestamp": int(order.created_at.timestamp() * 1000),
        "originSourcePlatform": "IPG",
        "mid": order.merchant_id,
        "sign": checkout_sign(order, shared),
        "forceToH5": "false",
        "newRegistrationPage": "true",
    }
    return f"{shared.base_url}{CHECKOUT_PATH}?{urlencode(query)}"


def checkout_sign(order: Order, shared: Shared) -> str:
    """Return the part of a checkout address that nobody can guess."""
    return shared.number("checkout", order.merchant_id, order.reference, digits=40)
