"""Public API: create, cancel, refund, retry, stop and sync orders, and erase what is personal.

These functions write to the database and start work on commit. Only those with ``send="now"`` and :func:`sync_order`
call DANA in the caller's own thread.
"""

# Where a call is made, and only there, these modules import gateway: requests and cryptography come with it, and
# starting Django stays quick.

from django_dana.services.attention import clear_attention
from django_dana.services.cancels import cancel_order, retry_cancel
from django_dana.services.orders import create_order, retry_order, stop_retrying, sync_order
from django_dana.services.permitted import why_not_cancel, why_not_refund, why_not_retry, why_not_stop
from django_dana.services.privacy import erase_personal_data
from django_dana.services.refunds import WayBack, how_to_give_back, refund_order, retry_refund, why_not_give_back
from django_dana.services.settlement import settle_outside, why_not_settle_outside
from django_dana.services.unapplied import apply_again, match_to_order

__all__ = [
    "WayBack",
    "apply_again",
    "cancel_order",
    "clear_attention",
    "create_order",
    "erase_personal_data",
    "how_to_give_back",
    "match_to_order",
    "refund_order",
    "retry_cancel",
    "retry_order",
    "retry_refund",
    "settle_outside",
    "stop_retrying",
    "sync_order",
    "why_not_cancel",
    "why_not_give_back",
    "why_not_refund",
    "why_not_retry",
    "why_not_settle_outside",
    "why_not_stop",
]
