"""The answers to requests that carried an Idempotency-Key, kept so that a repetition gets the same one."""

from datetime import datetime, timedelta
from typing import Final, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

#: For so long a repetition gets the answer of the first request.
KEPT_FOR: Final = timedelta(days=1)


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    """What the REST API asks."""

    def expired(self, now: datetime) -> Self:
        """Answers that are kept no longer."""
        return self.filter(created_at__lte=now - KEPT_FOR)


class IdempotencyKey(models.Model):
    """One answer of the REST API.

    The row is written in the transaction of what the request did, so it is there if and only if that was done; two
    requests with one key meet at the unique digest, where the second waits for the end of the first.
    """

    # Of the user and the key: exact whatever the collation, and of one length whatever the key's.
    digest = models.CharField(max_length=64, unique=True)
    # Of method, path and body: another request under the same key is refused.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        indexes = [models.Index(fields=["created_at"], name="dana_idempotency_created")]

    def __str__(self) -> str:
        return self.digest[:12]

    def is_expired(self, now: datetime) -> bool:
        """Whether it is kept no longer."""
        return self.created_at <= now - KEPT_FOR
