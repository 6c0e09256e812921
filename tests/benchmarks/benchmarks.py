"""The benchmarks: short paths against the least that they must do, long tables against short ones."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import uuid4

import requests
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import setup_test_environment
from django.urls import include, path
from django.utils import timezone

from django_dana import gateway, tasks
from django_dana.models import ApiCall, Notification, Order
from django_dana.protocol import signing
from tests import keys
from tests import wire as wires
from tests.factories import account_with, new_order
from tests.notices import PATH, compact, headers, notice
from tests.wire import CREATE_PATH, Wire

ROUNDS = 60
BATCH = 2_000

LONG_AGO = timezone.now() - timedelta(days=30)
PAID = {
    "create_status": "success",
    "payment_status": "paid",
    "paid_at": LONG_AGO,
    "valid_up_to": LONG_AGO,
    "next_attempt_at": None,
    "next_sync_at": None,
}


@dataclass(frozen=True)
class Line:
    """What was measured, in milliseconds, and what the floor is."""

    name: str
    ours: float
    floor: float
    what_the_floor_is: str

    def __str__(self) -> str:
        ratio = self.ours / self.floor
        times = f"{self.ours:>7.2f} ms{self.floor:>7.2f} ms"
        return f"{self.name:<66}{times}{ratio:>7.1f}   {self.what_the_floor_is}"


def bare_notification_view(request: HttpRequest) -> HttpResponse:
    """Verify, keep, answer: without an order, a transaction, or anybody's mistakes."""
    key = signing.load_public_key(keys.DANA_PUBLIC_KEY)
    sent = request.headers
    signing.verify(
        key, sent["X-Signature"], method="POST", path="/bare", body=request.body, timestamp=sent["X-Timestamp"]
    )
    Notification.objects.create(body=request.body.decode(), verified=True)
    return HttpResponse('{"responseCode":"2005600"}', content_type="application/json")


urlpatterns = [
    path("bare", bare_notification_view),
    path("", include("tests.urls")),
]


def main(rows: int) -> None:
    """Run everything on a test database of its own."""
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    try:
        with (
            wires.serving() as wire,
            override_settings(ROOT_URLCONF=__name__, DANA=account_with(BASE_URL=wire.url), ALLOWED_HOSTS=["*"]),
        ):
            print(f"{connection.vendor}, {ROUNDS} rounds each, medians")  # noqa: T201
            print(f"{'':<66}{'ours':>10}{'floor':>10}{'ratio':>7}   floor")  # noqa: T201
            for line in chain(short(wire), long(rows)):
                print(line)  # noqa: T201
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def short(wire: Wire) -> Iterator[Line]:
    """What one buyer and one message cost."""
    client = Client()
    order = new_order()
    body = compact(notice(order))
    to_us, to_the_bare_view = headers(body), headers(body, path="/bare")
    yield in_turns(
        "a notification: verified, kept, applied, answered",
        "a view that verifies, keeps and answers",
        lambda: client.post(PATH, body, content_type="application/json", headers=to_us),
        lambda: client.post("/bare", body, content_type="application/json", headers=to_the_bare_view),
    )
    yield in_turns(
        "services.create_order: checked, written, a worker alarmed",
        "the same row written",
        new_order,
        lambda: copy_of(order).save(force_insert=True),
    )
    wire.play(wires.code("2005400"))
    session = requests.Session()
    key = signing.load_private_key(keys.SHOP_PRIVATE_KEY)
    yield in_turns(
        "a create attempt: claimed, called, recorded",
        "signed and sent, one row written and one changed",
        lambda: gateway.attempt_create(new_order().pk),
        lambda: bare_call(session, wire.url, key, new_order()),
    )


def long(rows: int) -> Iterator[Line]:
    """What a long table adds: the same question of the same database, asked when it was short."""
    user = User.objects.create_superuser("staff")
    staff = Client()
    staff.force_login(user)
    questions: dict[str, Callable[[], Any]] = {
        "the sweep finds the creates that are due": lambda: list(tasks.due_creates()[:100]),
        "the sweep finds the questions that are due": lambda: list(tasks.due_syncs()[:100]),
        "the sweep finds what nobody has answered": lambda: list(tasks.unanswered()[:100]),
        "the sweep finds a sample of what is paid": lambda: list(tasks.paid_sample()),
        "a page of the admin's list of orders": lambda: staff.get("/admin/django_dana/order/"),
    }
    settle_all()
    fill_orders(200)
    before = {name: statistics.median(time_of(ask) for _ in range(ROUNDS)) for name, ask in questions.items()}
    fill_orders(rows)
    for name, ask in questions.items():
        ours = statistics.median(time_of(ask) for _ in range(ROUNDS))
        yield Line(f"{name}, among {rows:,} orders", ours, before[name], "among 200")


def bare_call(session: requests.Session, url: str, key: Any, order: Order) -> None:
    """Sign, send and write down, by the shortest way."""
    row = ApiCall.objects.create(order=order, operation="create", external_id=uuid4().hex, started_at=timezone.now())
    body = order.request_body.encode()
    timestamp = "2026-11-21T16:30:00+07:00"
    signature = signing.sign(key, method="POST", path=CREATE_PATH, body=body, timestamp=timestamp)
    session.post(url + CREATE_PATH, body, headers={"X-SIGNATURE": signature, "X-TIMESTAMP": timestamp}, timeout=5)
    Order.objects.filter(pk=row.order_id).update(create_status="success")


def copy_of(order: Order) -> Order:
    """Return another order like this one, unsaved."""
    values = {field.attname: getattr(order, field.attname) for field in Order._meta.concrete_fields}
    fresh = {"id": None, "public_id": uuid4(), "partner_reference_no": uuid4().hex[:24]}
    return Order(**{**values, **fresh})


def fill_orders(rows: int) -> None:
    """Write so many orders that were paid long ago."""
    order = Order.objects.order_by("pk")[0]
    for start in range(0, rows, BATCH):
        with transaction.atomic():
            Order.objects.bulk_create(copy_of(order) for _ in range(min(BATCH, rows - start)))
    with connection.cursor() as cursor:
        # as a table that has been there for a while: its statistics are known
        cursor.execute("ANALYZE TABLE django_dana_order" if connection.vendor == "mysql" else "ANALYZE")


def settle_all() -> None:
    """Leave nothing that is due, so that both tables are asked the same."""
    Order.objects.update(**PAID)


def in_turns(name: str, what_the_floor_is: str, ours: Callable[[], Any], floor: Callable[[], Any]) -> Line:
    """Measure ours and the floor, one after the other, many times."""
    times = [(time_of(ours), time_of(floor)) for _ in range(ROUNDS)]
    mine, least = (statistics.median(column) for column in zip(*times, strict=True))
    return Line(name, mine, least, what_the_floor_is)


def time_of(act: Callable[[], Any]) -> float:
    """Return how many milliseconds it took."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000
