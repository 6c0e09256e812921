"""The shop's Celery settings, where they would let a buyer wait, or a worker hang."""

from collections.abc import Iterator

from django.core.checks import CheckMessage

from django_dana import tasks, timing
from django_dana.checks.findings import Finding


def check() -> Iterator[CheckMessage]:
    """Check the broker and the workers, if the shop has them: cron alone needs neither."""
    broker = tasks.broker()
    if broker.is_eager:
        yield Finding.EAGER.at()
    if not broker.is_set:
        return
    silence, longest = f"{timing.LONGEST_BROKER_SILENCE:g}", f"{timing.LONGEST_TASK:g}"
    is_redis = broker.transport.startswith("redis")
    if is_redis and not (_is_short(broker.socket_timeout) and _is_short(broker.socket_connect_timeout)):
        yield Finding.SILENT_REDIS.at(limit=silence)
    if broker.transport.startswith(("amqp", "pyamqp")) and not _is_short(broker.connection_timeout):
        yield Finding.SILENT_BROKER.at(limit=silence)
    if is_redis and broker.visibility_timeout < timing.LONGEST_TASK:
        yield Finding.VISIBILITY.at(limit=longest)
    if (broker.task_time_limit or 0) < timing.LONGEST_TASK:
        yield Finding.NO_TIME_LIMIT.at(limit=longest)


def _is_short(seconds: float | None) -> bool:
    return seconds is not None and seconds <= timing.LONGEST_BROKER_SILENCE
