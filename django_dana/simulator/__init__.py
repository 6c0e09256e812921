"""A simulator of DANA: for trying things out, for tests, and for failures on demand.

Nothing in the rest of the package imports it; it has no place in production and serves sandbox accounts only.
"""

from django_dana.simulator.engine import keys
from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.clock import Clock
from django_dana.simulator.engine.faults import Fault
from django_dana.simulator.engine.merchants import Merchant
from django_dana.simulator.engine.order_handle import OrderHandle
from django_dana.simulator.engine.orders import WrongState
from django_dana.simulator.simulator import Simulator

__all__ = ["Behaviour", "Clock", "Fault", "Merchant", "OrderHandle", "Simulator", "WrongState", "keys"]
