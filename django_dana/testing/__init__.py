"""For a shop's own tests: DANA on this machine, orders in any state, and no broker.

With pytest, name the plugin in ``conftest.py`` and take the fixture ``dana``::

    pytest_plugins = ["django_dana.testing.plugin"]

With unittest, ``with running_dana() as dana:`` does the same.
"""

from django_dana.testing.orders import make_order
from django_dana.testing.running import Dana, running_dana

__all__ = ["Dana", "make_order", "running_dana"]
