"""Idempotency-Key: the same request under the same key is done once, and answered the same each time.

The answer is written in the transaction of the work itself. So a process that dies in between leaves either both or
nothing, and a second request with the key waits at the unique digest until the first has ended: on PostgreSQL, MySQL
and MariaDB for its row, on SQLite for the file.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from django_dana.api.base import answer_refusal
from django_dana.models import IdempotencyKey

HEADER: Final = "Idempotency-Key"
#: Says, with the value ``true``, that an answer is the one that was given before.
REPLAYED: Final = "Idempotent-Replayed"

LONGEST_KEY: Final = 255

_FORGOTTEN_AT_ONCE: Final = 100


class KeyReused(APIException):
    """The key came before with another request."""

    status_code = 422
    default_detail = _("This Idempotency-Key was used before, with another request.")
    default_code = "idempotency_key_reused"


class Busy(APIException):
    """The database did not let us wait for the other request with this key."""

    status_code = 503
    default_detail = _("A request with this Idempotency-Key is under way. Send it again.")
    default_code = "busy"
    wait = 1


class _Taken(Exception):
    """Another request has the key."""


def answer_once(request: Request, work: Callable[[], Response], *, in_transaction: bool = True) -> Response:
    """Do the work of a request, or return the answer that was given to it before.

    Args:
        request: the request; without an Idempotency-Key the work is simply done.
        work: does it. A ValidationError is an answer too.
        in_transaction: False for work that calls DANA, which must not wait inside a transaction. Such work must do no
            harm when it is done twice; the first answer that is written down is the one that counts.
    """
    key = _key_of(request)
    if key is None:
        return work()
    digest, fingerprint = _digest(request, key), _fingerprint(request)
    if kept := _kept(digest):
        return _replay(kept, fingerprint)
    done = None if in_transaction else _answer(work)
    try:
        with transaction.atomic():
            row = _claim(digest, fingerprint)
            response = done or _answer(work)
            row.status, row.body = response.status_code, JSONRenderer().render(response.data).decode()
            row.save(update_fields=["status", "body"])
    except _Taken:
        kept = _kept(digest)
        if kept is None:
            # the other one came to nothing
            raise Busy from None
        return _replay(kept, fingerprint)
    forget_expired()
    return response


def forget_expired() -> None:
    """Delete some of the answers that are kept no longer. Each request that adds one does, so none piles up."""
    old = IdempotencyKey.objects.expired(timezone.now()).order_by("created_at")
    digests = list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
    if digests:
        IdempotencyKey.objects.filter(pk__in=digests).delete()


def _key_of(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    key = key.strip()
    if not key or len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise ValidationError({HEADER: [_("Give a key of 1 to 255 printable ASCII characters.")]})
    if getattr(request.user, "pk", None) is None:
        raise ValidationError({HEADER: [_("A key belongs to a user with an id, which this one has not.")]})
    return key


def _digest(request: Request, key: str) -> str:
    return _sha256(json.dumps([str(request.user.pk), key]))


def _fingerprint(request: Request) -> str:
    # parsed, so that a client may write the same object in another order
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return _sha256(f"{request.method} {request.get_full_path()} {body}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _kept(digest: str) -> IdempotencyKey | None:
    row = IdempotencyKey.objects.filter(digest=digest).first()
    if row is not None and row.is_expired(timezone.now()):
        # not inside the transaction that follows: on MariaDB, the lock on its gap would make two such deadlock
        row.delete()
        return None
    return row


def _claim(digest: str, fingerprint: str) -> IdempotencyKey:
    """Write the row that no other request may write; waits for the end of one that has done so."""
    row = IdempotencyKey(digest=digest, fingerprint=fingerprint)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise _Taken from None
    except OperationalError:
        # a deadlock among several that waited, or a limit on waiting
        raise Busy from None
    return row


def _answer(work: Callable[[], Response]) -> Response:
    """Return the answer, also where it is a refusal; any other error undoes everything, the key included."""
    try:
        return work()
    except (ValidationError, DjangoValidationError) as error:
        # not by the handler of exceptions, which under ATOMIC_REQUESTS dooms the transaction that we are in
        return answer_refusal(error)


def _replay(row: IdempotencyKey, fingerprint: str) -> Response:
    if row.fingerprint != fingerprint:
        raise KeyReused
    data: Any = json.loads(row.body)
    headers = {REPLAYED: "true"}
    if row.status == 201:
        headers["Location"] = data["url"]
    return Response(data, status=row.status, headers=headers)
