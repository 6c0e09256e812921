"""What each path asks of the database, statement by statement, and why."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.dispatch import receiver
from django.test import Client

from django_dana import gateway, outbox, services, signals, tasks
from django_dana.models import Order
from tests import wire as w
from tests.factories import created_order, new_order, statements
from tests.notices import compact, headers, notice, send
from tests.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)

Reasons = Sequence[tuple[str, str]]

#: On SQLite, where a write is the only lock; elsewhere the SELECT that follows is the lock.
LOCK = ("UPDATE order", "the lock, on SQLite")
READ = ("SELECT order", "the order as it is under the lock")

LEASE: Reasons = [
    ("SELECT order", "whose account it is: what its client needs is read outside the lock"),
    LOCK,
    READ,
    ("INSERT apicall", "the trace of the call, should its end be seen by nobody"),
    ("UPDATE order", "the lease, and what is counted"),
]
RECORD: Reasons = [
    LOCK,
    READ,
    ("UPDATE apicall", "how the call ended"),
]
TELLING: Reasons = [
    ("SELECT outboxevent", "what is due"),
    ("UPDATE outboxevent", "the attempt, noted before it is made"),
    ("SELECT order", "what its receivers are given"),
    ("DELETE outboxevent", "every receiver has returned"),
    ("SELECT outboxevent", "whether more is due by now"),
]
NOTIFICATION: Reasons = [
    ("SELECT order", "whose order it is: four columns"),
    ("INSERT notification", "evidence that outlives what fails afterwards; refuses a repetition"),
    LOCK,
    READ,
    ("UPDATE notification", "what became of it, in the transaction of the change"),
    ("UPDATE order", "what DANA's message changes"),
    ("INSERT outboxevent", "what the shop is to be told"),
]
CREATE_ATTEMPT: Reasons = [
    *LEASE,
    *RECORD,
    ("UPDATE order", "what DANA answered, and the lease given back"),
    ("INSERT outboxevent", "what the shop is to be told"),
]


def kinds(sql: Sequence[str]) -> list[str]:
    """Return the verb and the table of each statement that is not about a transaction."""
    found = []
    for statement in (text.replace("`", '"') for text in sql):
        verb, _, rest = statement.partition(" ")
        if verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            _, _, after = rest.partition("django_dana_")
            found.append(f"{verb} {after.partition(chr(34))[0]}")
    return found


def expected(reasons: Reasons) -> list[str]:
    """Return the statements, as this engine needs them."""
    return [kind for kind, reason in reasons if (kind, reason) != LOCK or not connection.features.has_select_for_update]


def test_a_new_order_is_one_statement(dana: Wire) -> None:
    with statements() as sql:
        new_order()
    assert kinds(sql) == ["INSERT order"]


def test_a_create_attempt(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    with statements() as sql:
        gateway.attempt_create(order.pk)
    assert kinds(sql) == expected(CREATE_ATTEMPT)


def test_a_create_task(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    with statements() as sql:
        tasks.create_order(order.pk)
    more: Reasons = [
        ("SELECT order", "whether the answer wants DANA to be asked at once, and when the next attempt is due"),
        ("SELECT outboxevent", "what the shop is to be told"),
        ("DELETE outboxevent", "nobody listens here, so there is no attempt to note"),
    ]
    assert kinds(sql) == expected([*CREATE_ATTEMPT, *more])


def test_a_query_that_changes_nothing(dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("01"))
    services.sync_order(order)
    with statements() as sql:
        gateway.sync(order.pk)
    more: Reasons = [
        ("SELECT cancelrequest", "what the answer says about them"),
        ("SELECT refundrequest", "the same"),
        ("UPDATE order", "the lease given back"),
    ]
    assert kinds(sql) == expected([*LEASE, *RECORD, *more])


def test_telling_the_shop(dana: Wire) -> None:
    order = new_order()
    dana.play(w.code("2005400"))
    gateway.attempt_create(order.pk)

    @receiver(signals.order_created)
    def listen(**arguments: Any) -> None:
        assert arguments["order"].title

    with statements() as sql:
        outbox.send_due(order.pk)
    signals.order_created.disconnect(listen)
    assert kinds(sql) == expected(TELLING)


def test_a_notification(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    body = compact(notice(order))
    sent = headers(body)
    with statements() as sql:
        send(client, body, sent)
    assert kinds(sql) == expected(NOTIFICATION)
    assert Order.objects.get(pk=order.pk).payment_status == "paid"


def test_an_exact_repetition_of_a_notification(client: Client, dana: Wire) -> None:
    body = compact(notice(created_order(dana)))
    sent = headers(body)
    send(client, body, sent)
    with statements() as sql:
        send(client, body, sent)
    repeated: Reasons = [
        ("SELECT order", "whose order it is"),
        ("INSERT notification", "refused, since it is there already"),
        ("SELECT notification", "what became of it the first time"),
    ]
    assert kinds(sql) == expected(repeated)
