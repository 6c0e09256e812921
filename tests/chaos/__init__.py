"""A bad day, on real services."""
