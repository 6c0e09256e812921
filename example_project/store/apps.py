"""The app config of the store."""

from django.apps import AppConfig


class StoreConfig(AppConfig):
    """A catalogue, a purchase, and what happens when DANA says something about it."""

    name = "store"

    def ready(self) -> None:
        """Connect the receivers."""
        from store import receivers  # noqa: F401
