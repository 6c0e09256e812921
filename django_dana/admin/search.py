"""Searching by the beginning of a text, in a way that each database serves from an index."""

from typing import Final

from django.db import connections, router
from django.db.models import Q

from django_dana.models import Order

_LAST: Final = 0x10FFFF


def begins_with(field: str, term: str) -> Q:
    """Return the condition that a text begins with a term, as typed or in capitals.

    Generated references are in capitals, and people type what they hear.
    """
    found = Q()
    for beginning in {term, term.upper()}:
        found |= _begins_with(field, beginning)
    return found


def _begins_with(field: str, term: str) -> Q:
    vendor = connections[router.db_for_read(Order)].vendor
    if vendor == "sqlite":
        # LIKE takes no index of SQLite's; its texts are ordered by code point, so a range is the same
        return Q(**{f"{field}__gte": term}) & Q(**{f"{field}__lt": _next(term)})
    if vendor == "mysql":
        # startswith is LIKE BINARY there, which takes no index
        return Q(**{f"{field}__istartswith": term})
    return Q(**{f"{field}__startswith": term})


def _next(term: str) -> str:
    """Return the first text after all that begin with a term."""
    kept = term.rstrip(chr(_LAST))
    if not kept:
        return chr(_LAST) * (len(term) + 1)
    last = ord(kept[-1]) + 1
    # no text has half of a surrogate pair
    return kept[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else last)
