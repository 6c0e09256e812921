"""The beat schedule to merge into a shop's own. Names and seconds only, so that settings may import it."""

from typing import Any, Final

from django_dana import timing

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "django_dana.retry_due": {"task": "django_dana.tasks.retry_due", "schedule": timing.RETRY_DUE_EVERY},
    "django_dana.sync_stale": {"task": "django_dana.tasks.sync_stale", "schedule": timing.SYNC_STALE_EVERY},
}
