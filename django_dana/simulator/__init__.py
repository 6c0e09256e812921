"""A whole DANA on your own machine: for trying, for tests, for breaking on purpose.

Nothing in the rest of the package imports this one; it has no place in production and serves sandbox accounts only.
"""

from django_dana.simulator.clock import Clock
from django_dana.simulator.faults import Fault
from django_dana.simulator.habits import Habits
from django_dana.simulator.merchants import Merchant
from django_dana.simulator.orders import WrongState
from django_dana.simulator.simulator import OrderHandle, Simulator

__all__ = ["Clock", "Fault", "Habits", "Merchant", "OrderHandle", "Simulator", "WrongState"]
