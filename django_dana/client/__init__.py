"""A client for DANA's payment gateway, in plain Python: it knows neither Django nor Celery."""

from django_dana.client.http import Client, Credentials, client_for

__all__ = ["Client", "Credentials", "client_for"]
