"""Payments through the Indonesian gateway DANA for Django."""

__version__ = "0.1.0"
