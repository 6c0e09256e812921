"""The Celery app of the worker processes."""

import json
import os
from datetime import timedelta

import django
from celery import Celery
from django.conf import settings

from django_dana import schedule

django.setup()

from django_dana import signals, timing  # noqa: E402  the apps must be ready first
from tests.services import receivers  # noqa: E402

# A lease of over a minute is right for a shop and long for a test in which a worker is killed.
timing.LEASE_MARGIN = timedelta(seconds=2)  # type: ignore[misc]
# DANA acts within two seconds here, or never.
timing.MAY_STILL_ACT = timedelta(seconds=10)  # type: ignore[misc]
timing.SENDING = timedelta(seconds=2)  # type: ignore[misc]
timing.RECEIVER_DELAYS = (timedelta(seconds=2),)  # type: ignore[misc]

settings.DANA["default"] |= json.loads(os.environ["TEST_DANA_OPTIONS"])

signals.order_created.connect(receivers.misbehave)
for signal in signals.BY_NAME.values():
    signal.connect(receivers.note)

app = Celery("tests.services")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_default_queue = os.environ["TEST_QUEUE"]
app.conf.beat_schedule = schedule.BEAT_SCHEDULE
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks()
