"""Messages of DANA that changed nothing: applied again, matched to an order, or reviewed."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from django_dana import tasks
from django_dana.admin import NotificationAdmin, OrderAdmin, base
from django_dana.models import Notification, Order
from tests import keys
from tests import wire as w
from tests.admin.helpers import (
    NOTIFICATIONS,
    ORDERS,
    client_of,
    labels,
    messages_on,
    notification_of,
    page,
    payable,
    text,
    user_with,
)
from tests.factories import account_with, created_order, fresh
from tests.notices import compact, headers, notice, notify, send
from tests.wire import Wire

pytestmark = pytest.mark.django_db

INBOX = f"{ORDERS}inbox/"
NOTE = {"note": "Looked into it."}


def message_page(message: Notification, name: str = "change") -> str:
    """Return the address of a page about a message."""
    return f"{NOTIFICATIONS}{message.pk}/{name}/"


@pytest.fixture
def lost(client: Client) -> Order:
    """An order of which DANA reports the payment, but under a reference that we do not have."""
    order = payable()
    send(client, compact(notice(order, originalPartnerReferenceNo="LOST-1")))
    return order


def stored() -> Notification:
    """Return the one message."""
    return Notification.objects.get()


def test_what_a_message_claims_is_shown_and_found(staff: Client, lost: Order) -> None:
    merchant = lost.merchant_id
    for html in (text(staff.get(NOTIFICATIONS)), text(staff.get(message_page(stored())))):
        assert "LOST-1" in html
        assert merchant in html
    for term, number in (("LOST", 1), ("lost-1", 1), (merchant[:9], 1), ("OST-1", 0), (str(lost), 0)):
        assert staff.get(NOTIFICATIONS, {"q": term}).context["cl"].result_count == number, term


def test_the_inbox_offers_the_acts_that_solve_it(staff: Client, lost: Order) -> None:
    html = text(staff.get(INBOX))
    assert "Message from DANA about LOST-1" in html
    for name in ("apply-again", "match", "review"):
        assert f'href="{message_page(stored(), name)}"' in html
    watcher = client_of(user_with("view_order", "view_notification", name="watcher"))
    assert message_page(stored(), "match") not in text(watcher.get(INBOX))


def test_a_message_that_was_reviewed_waits_no_longer(staff: Client, clerk: User, lost: Order) -> None:
    url = message_page(stored(), "review")
    assert "This field is required" in text(staff.post(url, {"note": " "}))
    staff.post(url, {"note": "Another shop's."})
    assert stored().reviewed_at
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (clerk, "Mark as reviewed\nAnother shop's.")
    assert labels(staff.get(message_page(stored()))) == []
    assert "Nothing waits." in text(staff.get(INBOX))


# -- apply again ----------------------------------------------------------------------------------------------------


def test_once_the_order_is_there_the_message_is_applied(staff: Client, clerk: User, lost: Order) -> None:
    message = stored()
    assert "signature is checked" in text(staff.get(message_page(message, "apply-again")))
    Order.objects.filter(pk=lost.pk).update(partner_reference_no="LOST-1")
    response = staff.post(message_page(message, "apply-again"), NOTE, follow=True)
    assert messages_on(response) == ["Done: applied."]
    order, message = fresh(lost), stored()
    assert (order.payment_status, message.outcome, message.order) == ("paid", "applied", order)
    assert LogEntry.objects.get().change_message == "Apply again\nLooked into it."
    assert labels(staff.get(message_page(message))) == []
    assert "Nothing waits." in text(staff.get(INBOX))


def test_while_nothing_was_put_right_it_changes_nothing(staff: Client, lost: Order) -> None:
    response = staff.post(message_page(stored(), "apply-again"), NOTE, follow=True)
    assert messages_on(response) == ["It changes nothing still: unknown order."]
    assert (fresh(lost).payment_status, stored().outcome) == ("initiated", "unknown_order")


def test_one_that_failed_on_our_side_is_applied_again(
    staff: Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = payable()
    with monkeypatch.context() as patch:
        patch.setattr("django_dana.transitions.payments.reported_by_notification", None)
        notify(client, order)
    assert stored().outcome == "failed"
    staff.post(message_page(stored(), "apply-again"), NOTE)
    assert (fresh(order).payment_status, stored().outcome) == ("paid", "applied")
    # the message is known by its signature again, so that DANA's own repetition is none
    assert stored().signature_hash


def test_one_that_was_refused_is_applied_once_the_key_is_right(staff: Client, client: Client, settings: Any) -> None:
    order = payable()
    body = compact(notice(order))
    right = settings.DANA
    settings.DANA = account_with(DANA_PUBLIC_KEY=keys.STRANGER_PUBLIC_KEY)
    send(client, body)
    assert (stored().outcome, stored().verified) == ("bad_signature", False)
    response = staff.post(message_page(stored(), "apply-again"), NOTE)
    assert "DANA's keys in the setting do not fit this message" in text(response)
    assert fresh(order).payment_status == "initiated"
    assert not LogEntry.objects.exists()
    settings.DANA = right
    staff.post(message_page(stored(), "apply-again"), NOTE)
    message = stored()
    assert (fresh(order).payment_status, message.outcome, message.verified) == ("paid", "applied", True)
    assert message.partner_reference_no == order.partner_reference_no


def test_a_message_that_dana_sent_again_meanwhile_is_nothing_new(
    staff: Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = payable()
    body = compact(notice(order))
    signed = headers(body)
    with monkeypatch.context() as patch:
        patch.setattr("django_dana.transitions.payments.reported_by_notification", None)
        send(client, body, signed)
    first = stored()
    send(client, body, signed)
    assert fresh(order).payment_status == "paid"
    staff.post(message_page(first, "apply-again"), NOTE)
    assert [row.outcome for row in Notification.objects.order_by("id")] == ["known", "applied"]


def test_what_nobody_signed_is_never_applied(staff: Client) -> None:
    order = payable()
    body = compact(notice(order)).decode()
    message = notification_of(None, body, outcome="unknown_order", verified=True, headers={})
    assert "do not fit" in text(staff.post(message_page(message, "apply-again"), NOTE))
    assert fresh(order).payment_status == "initiated"


def test_what_was_applied_is_not_applied_again(staff: Client, client: Client) -> None:
    order = payable()
    notify(client, order)
    response = staff.post(message_page(stored(), "apply-again"), NOTE, follow=True)
    assert messages_on(response) == ["Applying it again would change nothing."]


# -- match to an order ----------------------------------------------------------------------------------------------


def test_a_message_is_matched_and_danas_own_answer_decides(staff: Client, clerk: User, dana: Wire) -> None:
    order = created_order(dana)
    send(Client(), compact(notice(order, originalPartnerReferenceNo="LOST-1")))
    response = staff.post(message_page(stored(), "match"), {"reference": f" {order} ", **NOTE}, follow=True)
    assert messages_on(response) == [f"Matched to {order}. DANA is being asked about it."]
    message = stored()
    assert (message.order, message.outcome, bool(message.reviewed_at)) == (order, "unknown_order", True)
    assert fresh(order).payment_status == "initiated"
    assert fresh(order).next_sync_at
    assert {entry.change_message for entry in LogEntry.objects.all()} == {
        "Match to order\nLooked into it.",
        "Matched a message from DANA\nLooked into it.",
    }
    dana.play(w.status("00", amount=str(order.amount)))
    tasks.sync_order(order.pk)
    assert fresh(order).payment_status == "paid"
    html = text(staff.get(page(order)))
    assert "DANA reports: paid" in html
    assert "Matched a message from DANA" in html
    assert "Nothing waits." in text(staff.get(INBOX))


@pytest.mark.parametrize("field", ["reference_no", "shop_reference"])
def test_an_order_is_named_by_any_of_its_references(staff: Client, lost: Order, field: str) -> None:
    Order.objects.filter(pk=lost.pk).update(**{field: "WEB-7"})
    staff.post(message_page(stored(), "match"), {"reference": "WEB-7", **NOTE})
    assert stored().order == lost


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("", "This field is required."),
        ("NONE", "There is no order with this reference."),
        ("WEB-7", "Several orders have this number. Use our reference."),
    ],
)
def test_a_wrong_reference_is_refused_at_its_field(staff: Client, lost: Order, reference: str, sentence: str) -> None:
    payable()
    Order.objects.update(shop_reference="WEB-7")
    response = staff.post(message_page(stored(), "match"), {"reference": reference, **NOTE})
    assert response.context["form"].errors["reference"] == [sentence]
    assert stored().order is None
    assert not LogEntry.objects.exists()


def test_an_order_that_one_may_not_see_is_not_matched(
    staff: Client, lost: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    see = OrderAdmin.has_view_permission
    monkeypatch.setattr(
        OrderAdmin, "has_view_permission", lambda self, request, obj=None: see(self, request) and obj != lost
    )
    response = staff.post(message_page(stored(), "match"), {"reference": str(lost), **NOTE})
    assert response.context["form"].errors["reference"] == ["There is no order with this reference."]


def test_an_order_that_dana_never_heard_of_is_not_matched(staff: Client, lost: Order) -> None:
    Order.objects.update(create_status="new")
    response = staff.post(message_page(stored(), "match"), {"reference": str(lost), **NOTE})
    assert "This order was not sent to DANA yet" in text(response)
    assert stored().order is None


def test_what_nobody_proved_to_be_danas_is_not_matched(staff: Client) -> None:
    message = notification_of(None, outcome="bad_signature", verified=False)
    assert "Match to order" not in labels(staff.get(message_page(message)))
    response = staff.post(message_page(message, "match"), {"reference": str(payable()), **NOTE}, follow=True)
    assert messages_on(response) == ["Nobody has proved that DANA sent this message."]


@pytest.mark.parametrize("name", ["apply-again", "match", "review"])
def test_each_act_takes_a_permission(lost: Order, name: str) -> None:
    client = client_of(user_with("view_order", "view_notification"))
    assert client.get(message_page(stored(), name)).status_code == 403
    assert client.post(message_page(stored(), name), {"reference": str(lost), **NOTE}).status_code == 403
    assert stored().reviewed_at is None


# -- several at once ------------------------------------------------------------------------------------------------


def chosen(action: str, *messages: Notification, **data: str) -> dict[str, Any]:
    """Return the form of the list with some messages ticked."""
    return {"action": action, "_selected_action": [message.pk for message in messages], **data}


def test_messages_that_failed_by_one_cause_are_applied_together(
    staff: Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = payable(), payable()
    with monkeypatch.context() as patch:
        patch.setattr("django_dana.transitions.payments.reported_by_notification", None)
        notify(client, first)
        notify(client, second)
    done = notification_of(first)
    failed = [*Notification.objects.filter(outcome="failed"), done]
    response = staff.post(NOTIFICATIONS, chosen("apply_selected", *failed))
    html = text(response)
    assert "3 rows" in html
    assert "signature is checked" in html
    assert fresh(first).payment_status == "initiated"
    response = staff.post(NOTIFICATIONS, chosen("apply_selected", *failed, confirmed="yes", **NOTE), follow=True)
    assert messages_on(response) == ["Done: applied. (2)", "Applying it again would change nothing. (1)"]
    assert (fresh(first).payment_status, fresh(second).payment_status) == ("paid", "paid")
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Apply again\nLooked into it."] * 2


def test_messages_of_strangers_are_reviewed_together(staff: Client) -> None:
    strangers = [notification_of(None, outcome="bad_signature", verified=False) for _ in range(3)]
    assert "3 messages were refused" in text(staff.get(INBOX))
    staff.post(NOTIFICATIONS, chosen("review_selected", *strangers, confirmed="yes", note=" "))
    assert Notification.objects.filter(reviewed_at=None).count() == 3
    staff.post(NOTIFICATIONS, chosen("review_selected", *strangers, confirmed="yes", **NOTE))
    assert not Notification.objects.filter(reviewed_at=None).exists()
    assert "Nothing waits." in text(staff.get(INBOX))


def test_too_many_messages_are_not_done_at_once(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_AT_ONCE", 1)
    rows = [notification_of(None, outcome="bad_signature", verified=False) for _ in range(2)]
    response = staff.post(NOTIFICATIONS, chosen("review_selected", *rows, confirmed="yes", **NOTE), follow=True)
    assert messages_on(response) == ["At most 1 at once. Choose fewer."]
    assert Notification.objects.filter(reviewed_at=None).count() == 2


def test_who_may_only_look_is_offered_nothing_about_several(watcher: Client, lost: Order) -> None:
    html = text(watcher.get(NOTIFICATIONS))
    assert "apply_selected" not in html
    assert "review_selected" not in html
    watcher.post(NOTIFICATIONS, chosen("review_selected", stored(), confirmed="yes", **NOTE))
    assert stored().reviewed_at is None


def test_a_message_that_one_may_not_see_is_left_alone(
    staff: Client, lost: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    see = NotificationAdmin.has_view_permission
    monkeypatch.setattr(
        NotificationAdmin, "has_view_permission", lambda self, request, obj=None: see(self, request) and obj is None
    )
    staff.post(NOTIFICATIONS, chosen("review_selected", stored(), confirmed="yes", **NOTE))
    assert stored().reviewed_at is None
