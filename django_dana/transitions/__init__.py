"""State transitions. No other module changes a status.

A fact is an answer of DANA to a call of ours, a notification, the lack of an answer, or what staff decide. Facts may
arrive in any order, twice, or never. Each function of these modules applies one fact to an order under its lock; the
signals that the shop is to hear are written in the same transaction.
"""

from django_dana.transitions import cancels, creates, payments, refunds, reviews, syncs
from django_dana.transitions.base import LockedOrder, locked_order

__all__ = ["LockedOrder", "cancels", "creates", "locked_order", "payments", "refunds", "reviews", "syncs"]
