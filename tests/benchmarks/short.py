"""What one buyer, one message and one call cost: the CPU time of the thread that does it."""

import http.client
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import requests
from celery import shared_task
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_dana import conf, gateway
from django_dana.client import client_for
from django_dana.models import ApiCall, Notification, Order
from django_dana.protocol import notation, operations, signing
from tests import keys
from tests import wire as wires
from tests.benchmarks.measuring import Line, in_turns
from tests.factories import new_order, order_with
from tests.notices import PATH, compact, headers, notice
from tests.wire import CREATE_PATH, Wire


def measure(wire: Wire) -> Iterator[Line]:
    """Measure the short paths."""
    wire.play(wires.code("2005400"))
    yield from _notifications()
    yield _create_attempt(wire)
    yield _client(wire)
    yield _create_order()
    yield from _starting_django()


# -- a notification ---------------------------------------------------------------------------------------------------


@shared_task(ignore_result=True)
def deliver(order_id: int) -> None:
    """What a shop does once it is paid."""


@csrf_exempt
def notification_by_hand(request: HttpRequest, *, wakes_worker: bool = False) -> HttpResponse:
    """Verify, insert, lock, update, answer; have the shop told by a worker, if it is to be told."""
    sent, body = request.headers, request.body
    key = signing.load_public_key(keys.DANA_PUBLIC_KEY)
    signing.verify(key, sent["X-Signature"], method="POST", path=request.path, body=body, timestamp=sent["X-Timestamp"])
    message = json.loads(body)
    Notification.objects.create(body=body.decode(), verified=True)
    with transaction.atomic():
        order = Order.objects.select_for_update().get(
            merchant_id=message["merchantId"], partner_reference_no=message["originalPartnerReferenceNo"]
        )
        if message["latestTransactionStatus"] == "00" and order.payment_status != Order.PaymentStatus.PAID:
            order.payment_status, order.paid_at = Order.PaymentStatus.PAID, timezone.now()
            order.save(update_fields=["payment_status", "paid_at", "updated_at"])
            if wakes_worker:
                transaction.on_commit(partial(deliver.delay, order.pk))
    return JsonResponse({"responseCode": "2005600", "responseMessage": "Successful"})


def _notifications() -> Iterator[Line]:
    client = Client()

    def posts(path: str) -> Callable[[], Any]:
        # made beforehand: signing is DANA's work
        messages = iter([_message(path) for _ in range(300)])

        def post() -> None:
            body, sent = next(messages)
            answer = client.post(path, body, content_type="application/json", headers=sent)
            assert answer.json()["responseCode"] == "2005600"

        return post

    for path, floor, goal in (
        ("/hand", "a view by hand: verify, insert, lock, update", 1.5),
        ("/hand-waking", "the same view, which also wakes a worker", None),
    ):
        yield Line(
            name="a notification: verified, kept, applied, answered",
            floor_name=floor,
            goal=goal,
            figures=in_turns(posts(PATH), posts(path), clock=time.thread_time),
        )


def _message(path: str) -> tuple[bytes, dict[str, str]]:
    # as it is once the buyer can pay
    order = order_with(create_status="success", payment_status="initiated", next_attempt_at=None, reference_no="D-1")
    body = compact(notice(order))
    return body, headers(body, path=path)


# -- a call -----------------------------------------------------------------------------------------------------------


def create_by_hand(session: requests.Session, url: str, key: RSAPrivateKey, order_id: int) -> None:
    """Insert the call, send, lock, update both."""
    order = Order.objects.get(pk=order_id)
    call = ApiCall.objects.create(order=order, operation="create", external_id=uuid4().hex, started_at=timezone.now())
    body = order.request_body.encode()
    reply = session.post(url + CREATE_PATH, body, headers=_signed(key, body), timeout=5)
    answer = reply.json()
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        call.http_status, call.response_code, call.response_body = (
            reply.status_code,
            answer["responseCode"],
            reply.text,
        )
        call.save(update_fields=["http_status", "response_code", "response_body"])
        order.create_status, order.next_attempt_at = Order.CreateStatus.SUCCESS, None
        order.reference_no, order.web_redirect_url = answer["referenceNo"], answer["webRedirectUrl"]
        order.save(update_fields=["create_status", "next_attempt_at", "reference_no", "web_redirect_url", "updated_at"])


def _create_attempt(wire: Wire) -> Line:
    session, key = requests.Session(), signing.load_private_key(keys.SHOP_PRIVATE_KEY)
    orders = (new_order().pk for _ in count())
    of_ours, by_hand = ([next(orders) for _ in range(300)] for _ in range(2))
    return Line(
        name="a create attempt: leased, called, recorded",
        floor_name="by hand: insert the call, send, lock, update both",
        goal=1.4,
        figures=in_turns(
            lambda: gateway.attempt_create(of_ours.pop()),
            lambda: create_by_hand(session, wire.url, key, by_hand.pop()),
            clock=time.thread_time,
        ),
    )


def _client(wire: Wire) -> Line:
    body, key = new_order().request_body, signing.load_private_key(keys.SHOP_PRIVATE_KEY)
    client = client_for(gateway.credentials_of(conf.account("default")))
    connection = http.client.HTTPConnection(wire.url.removeprefix("http://"), timeout=5)

    def by_hand() -> None:
        sent = body.encode()
        connection.request("POST", CREATE_PATH, sent, _signed(key, sent))
        json.loads(connection.getresponse().read())

    return Line(
        name="one create call of the client",
        floor_name="http.client, one RSA-2048 signature, json",
        goal=1.9,
        figures=in_turns(
            lambda: client.call(operations.CREATE_ORDER, body, external_id=str(uuid4())),
            by_hand,
            clock=time.thread_time,
        ),
    )


def _signed(key: RSAPrivateKey, body: bytes) -> dict[str, str]:
    timestamp = notation.jakarta_time(datetime.now(UTC))
    return {
        "Content-Type": "application/json",
        "X-TIMESTAMP": timestamp,
        "X-SIGNATURE": signing.sign(key, method="POST", path=CREATE_PATH, body=body, timestamp=timestamp),
        "X-PARTNER-ID": "2024010100000000000001",
        "X-EXTERNAL-ID": uuid4().hex,
        "CHANNEL-ID": "95221",
    }


# -- an order ---------------------------------------------------------------------------------------------------------


def _create_order() -> Line:
    order = new_order()
    return Line(
        name="services.create_order: checked, written, a worker woken",
        floor_name="the same row written",
        figures=in_turns(new_order, lambda: copy_of(order).save(force_insert=True), clock=time.thread_time),
    )


def copy_of(order: Order, **fields: Any) -> Order:
    """Return another order like this one, unsaved."""
    values = {field.attname: getattr(order, field.attname) for field in Order._meta.concrete_fields}
    fresh = {"id": None, "public_id": uuid4(), "partner_reference_no": uuid4().hex[:24]}
    return Order(**{**values, **fresh, **fields})


# -- starting ---------------------------------------------------------------------------------------------------------

_START = """
from django.conf import settings
settings.configure(INSTALLED_APPS={apps!r}, DATABASES={{}}, USE_TZ=True)
import django
django.setup()
"""
_CONTRIB = [f"django.contrib.{name}" for name in ("auth", "contenttypes")]
_ADMIN = [f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "messages", "sessions", "staticfiles")]


def _starting_django() -> Iterator[Line]:
    for name, apps in (("a process that starts Django", _CONTRIB), ("the same with the admin", _ADMIN)):
        yield Line(
            name=name,
            floor_name="without the app",
            goal=1.25,
            figures=in_turns(
                partial(_start, [*apps, "django_dana"]), partial(_start, apps), rounds=15, clock=_time_of_children
            ),
        )


def _start(apps: list[str]) -> None:
    # with bytecode, as an installed package has it
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", _START.format(apps=apps)], check=True, env=environment)


def _time_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
