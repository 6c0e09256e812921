"""The testing kit is used here as a shop uses it: by its plugin's fixture."""

from django_dana.testing.plugin import dana

__all__ = ["dana"]
