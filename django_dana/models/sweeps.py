"""When the periodic tasks last came to their end: the sign that beat, or cron, is alive."""

from typing import Final

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

RETRY_DUE: Final = "retry_due"
SYNC_STALE: Final = "sync_stale"


class SweepQuerySet(models.QuerySet["Sweep"]):
    """The vocabulary of the periodic tasks."""

    def note_end(self, name: str) -> None:
        """Note that a periodic task has come to its end just now."""
        now = timezone.now()
        # no update_or_create: its SELECT … FOR UPDATE of a missing row makes two first sweeps deadlock on MariaDB
        if self.filter(name=name).update(ended_at=now):
            return
        try:
            with transaction.atomic():
                self.create(name=name, ended_at=now)
        except IntegrityError:
            # another sweep was the first one, at this very moment
            return


class Sweep(models.Model):
    """One periodic task; there are as many rows as periodic tasks."""

    name = models.CharField(_("name"), max_length=20, primary_key=True)
    ended_at = models.DateTimeField(_("ended at"))

    objects = SweepQuerySet.as_manager()

    class Meta:
        verbose_name = _("sweep")
        verbose_name_plural = _("sweeps")

    def __str__(self) -> str:
        return self.name
