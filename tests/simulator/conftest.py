"""A simulator, a shop and the shop's notification address."""

from collections.abc import Iterator

import pytest

from django_dana.simulator import Behaviour, Merchant, Simulator
from tests import keys
from tests.simulator.shop import Listener, Shop

MERCHANT = Merchant("M-TEST", "P-TEST", keys.SHOP_PUBLIC_KEY, name="Warung Kopi")


@pytest.fixture
def dana() -> Iterator[Simulator]:
    """A simulator that sends again at once."""
    behaviour = Behaviour(notify_delays=(0, 0.02, 0.02, 0.02), notify_timeout=2)
    with Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, seed=1, behaviour=behaviour) as dana:
        yield dana


@pytest.fixture
def listener() -> Iterator[Listener]:
    """The shop's notification address."""
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def shop(dana: Simulator, listener: Listener) -> Iterator[Shop]:
    """The shop of that simulator."""
    shop = Shop(dana.base_url, notification_url=f"{listener.url}/any/path/notify")
    with shop.session:
        yield shop
