"""The beat schedule to merge into a shop's own. Names and seconds only, so that settings may import it."""

from typing import Any, Final

from django_dana import timing


def _every(task: str, seconds: float) -> dict[str, Any]:
    # While no worker runs, beat goes on: what is not taken before the next message is of no use any more.
    return {"task": f"django_dana.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}


BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "django_dana.retry_due": _every("retry_due", timing.RETRY_DUE_EVERY),
    "django_dana.sync_stale": _every("sync_stale", timing.SYNC_STALE_EVERY),
}
