"""The Celery app of the workers: our tasks, and one by hand."""

import json
import os
import sys

import django
import requests
from celery import Celery
from celery.signals import task_prerun
from django.conf import settings

django.setup()

from django.db import close_old_connections, connection  # noqa: E402

from django_dana.protocol import signing  # noqa: E402  the apps must be ready first
from tests import keys  # noqa: E402
from tests.benchmarks import short  # noqa: E402

settings.DANA["default"] |= json.loads(os.environ["TEST_DANA_OPTIONS"])
# else Celery ends the connection after each task, and connecting takes longer than the work
connection.settings_dict["CONN_MAX_AGE"] = 60
settings.CELERY_DB_REUSE_MAX = sys.maxsize
task_prerun.connect(close_old_connections)

app = Celery("tests.benchmarks")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_default_queue = os.environ["TEST_QUEUE"]
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks()

_session = requests.Session()


@app.task(ignore_result=True, acks_late=True)
def create_by_hand(order_id: int) -> None:
    """Make the call as a shop would write it."""
    key = signing.load_private_key(keys.SHOP_PRIVATE_KEY)
    short.create_by_hand(_session, settings.DANA["default"]["BASE_URL"], key, order_id)
