"""The pytest plugin: ``pytest_plugins = ["django_dana.testing.plugin"]``; needs pytest-django."""

from collections.abc import Iterator

import pytest

from django_dana.testing.running import Dana, running_dana


@pytest.fixture
def dana(db: None) -> Iterator[Dana]:
    """A DANA that answers, pays and notifies, for the length of a test."""
    with running_dana() as dana:
        yield dana
