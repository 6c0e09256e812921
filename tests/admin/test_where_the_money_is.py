"""Staff always know where the money is: whole stories, from DANA's answers to what stands on the pages."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client

from django_dana import services, tasks
from django_dana.models import CancelRequest, Order, RefundRequest
from tests import wire as w
from tests.admin.helpers import ORDERS, act_on, labels, page, text
from tests.conftest import Clock
from tests.factories import created_order, fresh, fresh_cancel, paid_order
from tests.notices import PATH, compact, headers, notice, send
from tests.wire import QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

INBOX = f"{ORDERS}inbox/"


def only_queries(answer: Act) -> Act:
    """Answer questions, and drop everything else."""

    def act(connection: Any, request: Any) -> bool | None:
        return answer(connection, request) if request.path == QUERY_PATH else None

    return act


def cancel_that_did_not_happen(dana: Wire, clock: Clock) -> CancelRequest:
    """Cancel a paid order; DANA never answers, and says later that the order is paid still."""
    order = paid_order(dana)
    dana.play(only_queries(w.status("00", amount=str(order.amount))))
    cancel_request = services.cancel_order(order, reason="Stok habis")
    for _ in range(20):
        clock.forward(minutes=1)
        tasks.retry_due()
        tasks.sync_order(order.pk)
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.needs_attention) == ("aborted", "not_cancelled")
    return cancel_request


def test_a_cancel_that_did_not_happen_is_seen_on_the_list_the_page_and_in_the_inbox(
    refunds: Client, dana: Wire, clock: Clock
) -> None:
    cancel_request = cancel_that_did_not_happen(dana, clock)
    for url in (ORDERS, page(cancel_request.order), INBOX):
        html = text(refunds.get(url))
        assert "refund not done" in html, url
        assert "Deliver it" not in html, url
    assert "needs attention" in text(refunds.get(ORDERS))
    # with just the two documented permissions it is sent again, from the page of the order
    assert labels(refunds.get(page(cancel_request.order)))[0] == "Send the refund again"
    refunds.post(act_on(cancel_request, "retry"))
    dana.play(w.code("2005700"))
    tasks.retry_due()
    assert fresh(cancel_request.order).payment_status == "cancelled"
    assert "Nothing waits." in text(refunds.get(INBOX))


def asked_of(order: Order, kind: str) -> tuple[CancelRequest | RefundRequest, Callable[[int], object]]:
    """Ask for all or a part of an order's money; return the request and the task that sends it."""
    if kind == "cancel":
        return services.cancel_order(order), tasks.cancel_order
    return services.refund_order(order, amount=6000), tasks.refund_order


@pytest.mark.parametrize(("kind", "code"), [("cancel", "4035714"), ("refund", "4035814")])
def test_a_balance_that_is_too_low_calls_staff_at_once(
    refunds: Client, dana: Wire, clock: Clock, told: list[str], kind: str, code: str
) -> None:
    order = paid_order(dana)
    request, send_it = asked_of(order, kind)
    dana.play(w.code(code))
    send_it(request.pk)
    assert told.count("order_needs_attention") == 1
    html = text(refunds.get(page(order)))
    assert "refund refused for now" in html
    assert "needs attention" in html
    assert "Top it up" in html
    assert "refund refused for now" in text(refunds.get(INBOX))
    # the attention ends with the cause
    clock.forward(hours=2)
    dana.play(w.code(f"200{code[3:5]}00"))
    tasks.retry_due()
    assert "Nothing waits." in text(refunds.get(INBOX))


def test_messages_that_nobody_can_apply_reach_somebody(staff: Client, dana: Wire, told: list[str]) -> None:
    order = created_order(dana)
    stranger = Client()
    send(stranger, compact(notice(order, originalPartnerReferenceNo="LOST-1")))
    tasks.retry_due()
    assert "notification_unmatched" in told
    body = compact(notice(order))
    stranger.post(PATH, body, content_type="application/json", headers={**headers(body), "X-Signature": "eA=="})
    links = {link["label"]: link for link in staff.get(ORDERS).context["links"]}
    assert (links["Messages not applied"]["count"], links["Messages not applied"]["is_bad"]) == (1, 1)
    html = text(staff.get(INBOX))
    assert "Message from DANA about LOST-1" in html
    assert "1 message was refused in 24 hours." in html
    call_command("dana_inbox", "--mail", "lead@shop.example", stdout=io.StringIO())
    assert "LOST-1" in mail.outbox[0].body
    assert "refused in 24 hours" in mail.outbox[0].body


def test_a_payment_after_the_end_is_decided_by_somebody_before_the_buyer_is_thanked(
    staff: Client, client: Client, dana: Wire, clock: Clock
) -> None:
    order = created_order(dana)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    dana.play(w.status("05"))
    services.sync_order(order)
    assert fresh(order).payment_status == "expired"
    clock.forward(minutes=1)
    dana.play(w.status("00", amount=str(order.amount)))
    services.sync_order(order)
    assert fresh(order).needs_attention == "paid_after_closed"
    buyers_page = f"/dana/return/{order.public_id}/"
    buyer = client.get(buyers_page)
    assert "Thank you" not in text(buyer)
    assert buyer.context["state"].name == "in_review"
    response = staff.get(page(order))
    assert labels(response)[:2] == ["Mark as reviewed…", "Give money back…"]
    staff.post(page(order, "review"), {"note": "Delivered anyway."})
    assert client.get(buyers_page).context["state"].name == "paid"
