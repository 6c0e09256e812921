"""People who work in the admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.admin.helpers import VIEWS, client_of, user_with


@pytest.fixture
def clerk(db: None) -> User:
    """Somebody who may do everything here."""
    return user_with(*VIEWS, "change_order", "cancel_order", "refund_order")


@pytest.fixture
def staff(clerk: User) -> Client:
    """The browser of the clerk."""
    return client_of(clerk)


@pytest.fixture
def watcher(db: None) -> Client:
    """The browser of somebody who may only look."""
    return client_of(user_with(*VIEWS, name="watcher"))


@pytest.fixture
def refunds(db: None) -> Client:
    """The browser of somebody with just the documented permissions: see orders, give money back."""
    return client_of(user_with("view_order", "cancel_order", "refund_order", name="refunds"))
