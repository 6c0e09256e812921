"""What an operation is given to work with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django_dana.simulator.engine.answers import Refusal
from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.merchants import Merchant
from django_dana.simulator.engine.orders import Order, Orders
from django_dana.simulator.engine.shared import Shared


@dataclass(frozen=True, slots=True)
class OperationContext:
    """One call whose headers, signature and fields have passed.

    Attributes:
        body: the body, checked field by field.
        external_id: X-EXTERNAL-ID.
        merchants: the accounts whose key made the signature.
        lag: how old the state is that a query shows.
    """

    body: dict[str, Any]
    external_id: str
    merchants: list[Merchant]
    orders: Orders
    shared: Shared
    lag: timedelta

    @property
    def behaviour(self) -> Behaviour:
        """How DANA behaves at this moment."""
        return self.shared.behaviour

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.shared.clock.now()

    def merchant(self) -> Merchant:
        """Return the account that the body names.

        Raises:
            Refusal: it is not one of those that signed, or its store or sub-merchant is not registered.
        """
        named = [merchant for merchant in self.merchants if merchant.merchant_id == self.body["merchantId"]]
        if not named:
            raise Refusal("40408", "merchantId does not belong to the X-PARTNER-ID and key of this call")
        for name, registered, reason in (
            ("externalStoreId", named[0].stores, "SHOP_NOT_EXIST"),
            ("subMerchantId", named[0].sub_merchants, "DIVISION_NOT_EXIST"),
        ):
            if registered is not None and self.body.get(name) and self.body[name] not in registered:
                raise Refusal("40408", reason)
        return named[0]

    def original_order(self) -> Order:
        """Return the order that a cancel or refund names. Raises Refusal."""
        merchant = self.merchant()
        order = self.orders.get(merchant.merchant_id, self.body["originalPartnerReferenceNo"])
        if order is None:
            raise Refusal("40401", "this merchant has no order with that reference")
        if self.body.get("originalReferenceNo") not in (None, "", order.reference_no):
            raise Refusal("40401", "originalReferenceNo is another order's")
        return order


def difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Return the names of the fields in which two bodies differ."""
    return ", ".join(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))
