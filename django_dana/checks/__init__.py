"""System checks: an account that is wrong is an error with an id, never a traceback in the first payment.

Django imports this file whenever it starts, so what the checks need (cryptography, Celery) is imported when they run.
"""

from typing import Any

from django.core.checks import CheckMessage, Tags, register

from django_dana.checks.findings import TAG, Finding

__all__ = ["Finding", "check_celery", "check_setting", "check_vault"]


@register(TAG)
def check_setting(**kwargs: Any) -> list[CheckMessage]:
    """Check the setting, the routes and the databases; keys that functions give are left to :func:`check_vault`."""
    from django_dana.checks import addresses, database, environment, keys, reading

    messages: list[CheckMessage] = []
    accounts = list(reading.read_accounts(messages))
    for account in accounts:
        messages += environment.check_account(account)
        messages += addresses.check_account(account)
    return [
        *messages,
        *keys.check(accounts, from_functions=False),
        *addresses.check_project(),
        *database.check(),
    ]


@register(TAG, Tags.security, deploy=True)
def check_vault(**kwargs: Any) -> list[CheckMessage]:
    """Check the keys that functions give (the vault need not be there before), and what real money asks for."""
    from django_dana.checks import environment, keys, reading

    accounts = list(reading.read_accounts([]))
    return [*keys.check(accounts, from_functions=True), *environment.check_hosts(accounts)]


@register(TAG, deploy=True)
def check_celery(**kwargs: Any) -> list[CheckMessage]:
    """Warn where the shop's Celery settings would let a buyer wait, or a worker hang."""
    from django_dana.checks import celery_app

    return list(celery_app.check())
