"""The pages of staff at three widths, in both languages, light and dark: accessible, and the truth in sight."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from selenium import webdriver

from django_dana import services
from django_dana.models import Order, OutboxEvent
from tests.admin.helpers import (
    NOTIFICATIONS,
    ORDERS,
    aborted,
    call_of,
    cancel_page,
    notification_of,
    page,
    paid,
    payable,
    refunded,
)
from tests.browser.visits import Visit, be_a_phone, complaints, prefer

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

#: Each width meets each language and each scheme, and so does each language each scheme.
VIEWS = [
    (360, "en", "light"),
    (360, "id", "dark"),
    (820, "en", "dark"),
    (820, "id", "light"),
    (1440, "en", "light"),
    (1440, "id", "dark"),
]

#: What must be in sight without scrolling sideways, and on the page of an order without scrolling at all.
IN_SIGHT = {
    "list": ("#result_list .dana-badge", "#result_list .dana-mark"),
    "in-need": ("h1 .dana-badge", "h1 .dana-mark", ".dana-panel .dana-big"),
    "partly-given-back": ("h1 .dana-badge", "h1 .dana-mark"),
    "under-way": ("h1 .dana-badge",),
    "late": ("h1 .dana-badge", "h1 .dana-mark"),
    "give-back": ("h1 .dana-badge",),
    "inbox": (".dana-inbox .dana-badge",),
}

ALL_IN_SIGHT = """
const found = [...document.querySelectorAll(arguments[0])];
return found.length > 0 && found.every((element) => {
    const box = element.getBoundingClientRect();
    const isHigh = !element.closest("h1, .dana-panel") || box.bottom <= window.innerHeight;
    return box.width > 0 && box.left >= 0 && box.right <= window.innerWidth && isHigh;
});
"""

FITS = """
return [...document.querySelectorAll(".dana, .dana *, #result_list, #result_list *")].filter((element) => {
    const scrolls = element.closest(".dana-scroll, .dana-text, svg");
    const room = element.closest("#result_list td")?.getBoundingClientRect().right ?? window.innerWidth;
    return !scrolls && element.getBoundingClientRect().right > room + 1;
}).map((element) => element.outerHTML.slice(0, 120));
"""


def in_need(person: User) -> Order:
    """Return an order whose refund did not happen, with all that a page can show."""
    now = timezone.now()
    order = paid(
        title="Kopi Gayo, dua ratus lima puluh gram, digiling halus",
        shop_reference="WEB-10042",
        reference_no="20261121131212800100166000000809316",
        pay_method="BALANCE",
        created_at=now - timedelta(minutes=31),
        paid_at=now - timedelta(minutes=30),
    )
    answer = '{"responseCode": "2005400", "referenceNo": "' + "x" * 200 + '"}'
    call_of(order, response_body=answer, started_at=now - timedelta(minutes=31))
    message = notification_of(order, '{"latestTransactionStatus":"00"}')
    type(message).objects.filter(pk=message.pk).update(received_at=now - timedelta(minutes=30))
    cancel_request = aborted(
        order, requested_by=person, attempts=3, rule_code="no_reply", created_at=now - timedelta(minutes=2)
    )
    no_reply = {"rule_code": "no_reply", "response_code": "", "http_status": None, "error": "ReadTimeout"}
    for number in (1, 2, 3):
        call_of(order, number, operation="cancel", cancel_request=cancel_request, **no_reply)
    call_of(order, 4, operation="query", rule_code="2005500", response_code="2005500")
    OutboxEvent.objects.create(order=order, name="order_paid", attempts=4, error="ValueError")
    return order


def partly_given_back() -> Order:
    """Return an order of which a part went back, and another part did not."""
    order = paid(refunded_amount=6000)
    refunded(order, refund_time=timezone.now())
    refunded(order, amount=1000, status="failed", needs_attention="refused", rule_code="4035815")
    return order


@pytest.fixture
def urls(admin_user: Any) -> dict[str, str]:
    """The pages, by name."""
    need, part = in_need(admin_user), partly_given_back()
    under_way = paid()
    services.refund_order(under_way, amount=6000, reason="Satu dari dua")
    late = paid(needs_attention="paid_after_closed", paid_at=timezone.now() - timedelta(hours=30))
    lost = notification_of(None, outcome="unknown_order", partner_reference_no="LOST-1", merchant_id=need.merchant_id)
    call_of(late, 9, rule_code="4035402", response_code="4035402")
    return {
        "list": ORDERS,
        "in-need": page(need),
        "partly-given-back": page(part),
        "under-way": page(under_way),
        "late": page(late),
        "unpaid": page(payable()),
        "give-back": page(part, "give-back"),
        "cancel": page(payable(), "give-back"),
        "inbox": f"{ORDERS}inbox/",
        "overview": f"{ORDERS}overview/?days=7",
        "request": cancel_page(need.cancel_requests.get()),
        "message": f"{NOTIFICATIONS}{lost.pk}/change/",
        "match": f"{NOTIFICATIONS}{lost.pk}/match/",
    }


@pytest.fixture
def staff(browser: webdriver.Chrome, live_server: Any, admin_user: Any) -> Callable[[str], None]:
    """Somebody who is logged in and opens pages."""
    client = Client()
    client.force_login(admin_user)
    browser.get(f"{live_server.url}/static/django_dana/admin.css")
    name = django_settings.SESSION_COOKIE_NAME
    browser.add_cookie({"name": name, "value": client.cookies[name].value})

    def visit(url: str) -> None:
        browser.get(live_server.url + url)

    return visit


def speak(browser: webdriver.Chrome, language: str) -> None:
    """Have the next pages in a language."""
    browser.add_cookie({"name": django_settings.LANGUAGE_COOKIE_NAME, "value": language})


@pytest.mark.parametrize(("width", "language", "scheme"), VIEWS)
def test_each_page_is_accessible_and_shows_the_truth(
    browser: webdriver.Chrome,
    staff: Callable[[str], None],
    urls: dict[str, str],
    width: int,
    language: str,
    scheme: str,
) -> None:
    view = Visit(browser, f"staff-{width}-{language}-{scheme}")
    be_a_phone(browser, width=width, height=900, is_phone=width < 500)
    prefer(browser, scheme=scheme)
    speak(browser, language)
    found: list[str] = []
    for name, url in urls.items():
        staff(url)
        view.picture(name)
        found += [f"{name}: {complaint}" for complaint in complaints(browser, {"include": [[".dana"]]})]
        found += [f"{name} is too wide: {place}" for place in browser.execute_script(FITS)]
        for selector in IN_SIGHT.get(name, ()):
            if not browser.execute_script(ALL_IN_SIGHT, selector):
                found.append(f"{name}: {selector} is out of sight")
    browser.get("about:blank")
    assert not found, "\n".join(found)
