"""Orders that another system of the same merchant made."""

from datetime import timedelta
from decimal import Decimal

from django_dana.protocol.notation import money
from django_dana.simulator.engine.merchants import Merchant
from django_dana.simulator.engine.orders import Order
from django_dana.simulator.engine.shared import Shared


def foreign_order(shared: Shared, merchant: Merchant, reference: str, amount: Decimal, notification_url: str) -> Order:
    """Return an order of which no shop knows the content; it is notified only where a URL is given."""
    now = shared.clock.now()
    urls = [{"url": notification_url, "type": "NOTIFICATION", "isDeeplink": "N"}] if notification_url else []
    number = shared.number("foreign order", merchant.merchant_id, reference, digits=27)
    return Order(
        merchant_id=merchant.merchant_id,
        partner_id=merchant.partner_id,
        reference=reference,
        reference_no=f"{now:%Y%m%d}{number:0>27}",
        amount=amount,
        currency="IDR",
        content={
            "partnerReferenceNo": reference,
            "merchantId": merchant.merchant_id,
            "amount": money(amount, "IDR"),
            "urlParams": urls,
            "additionalInfo": {"order": {"orderTitle": "Another system's order"}},
        },
        external_id="",
        created_at=now,
        valid_up_to=now + timedelta(minutes=30),
        is_foreign=True,
    )
