"""State transitions. No other module changes a status.

A fact is an answer of DANA to a call of ours, a notification, the lack of an answer, or what staff decide. Facts may
arrive in any order, twice, or never. Each function of these modules applies one fact to an order under its lock; the
signals that the shop is to hear are written in the same transaction.
"""

from types import ModuleType
from typing import Final

from django_dana.models import CancelRequest, OrderRequest, RefundRequest
from django_dana.transitions import cancels, creates, payments, refunds, reviews, syncs
from django_dana.transitions.base import LockedOrder, locked_order

#: The transitions of each kind of request; each module has ``answered``, ``ends_unsent`` and ``time_is_over``.
OF_REQUEST: Final[dict[type[OrderRequest], ModuleType]] = {CancelRequest: cancels, RefundRequest: refunds}

__all__ = ["OF_REQUEST", "LockedOrder", "cancels", "creates", "locked_order", "payments", "refunds", "reviews", "syncs"]
