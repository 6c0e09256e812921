"""The pages of the buyer: where they lead, what they say, and what they never do."""

import re
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import DatabaseError, connection, connections
from django.test import Client, RequestFactory
from django.test.utils import override_script_prefix
from django.urls import resolve, reverse
from django.utils import timezone

from django_dana import gateway, services, tasks, timing
from django_dana.models import CancelRequest, Order
from django_dana.pages import states, syncing, views
from django_dana.protocol.messages import MAX_PAYMENT_CODE
from django_dana.protocol.payment_methods import PayOption
from tests import wire as w
from tests.conftest import Clock
from tests.factories import QRIS, account_with, created_order, fresh, new_order, order_with, paid_order, statements
from tests.keys import SHOP_PRIVATE_KEY
from tests.snippets import DOCS, python_blocks
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

SUCCESS = {"create_status": "success", "payment_status": "initiated", "next_attempt_at": None}
REFRESH = re.compile(r'<meta http-equiv="refresh" content="([^"]*)">')


def payable(**fields: Any) -> Order:
    """Return an order that DANA waits for."""
    return order_with(**{**SUCCESS, "web_redirect_url": w.PAGE, **fields})


def with_code(method: dict[str, str], code: str, **arguments: Any) -> Order:
    """Return an order to be paid by a code."""
    arguments["pay_option_details"] = [method]
    return order_with(order_arguments=arguments, **SUCCESS, payment_code=code)


def pay(client: Client, order: Order, query: str = "", **extra: Any) -> Any:
    """Load the pay page."""
    return client.get(f"/dana/pay/{order.public_id}/{query}", **extra)


def come_back(client: Client, order: Order, query: str = "", **extra: Any) -> Any:
    """Load the return page."""
    return client.get(f"/dana/return/{order.public_id}/{query}", **extra)


def shown_state(response: Any) -> str:
    """Return the name of the state that a page shows."""
    assert response.status_code == 200
    return str(response.context["state"].name)


def refresh(response: Any) -> str:
    """Return what the page does next by itself."""
    found = REFRESH.search(response.content.decode())
    return found[1] if found else ""


@pytest.fixture
def no_queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if DANA was asked; noted and not raised, since a page survives an error in asking."""
    asked: list[int] = []

    def ask(order_id: int, **options: Any) -> bool:
        asked.append(order_id)
        return False

    monkeypatch.setattr(gateway, "sync", ask)
    yield
    assert asked == []


# -- both pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["pay", "return"])
def test_an_unknown_order_is_not_found(client: Client, page: str) -> None:
    assert client.get(f"/dana/{page}/{uuid.uuid4()}/").status_code == 404
    assert client.get(f"/dana/{page}/1/").status_code == 404


@pytest.mark.parametrize("load", [pay, come_back])
@pytest.mark.usefixtures("no_queries")
def test_it_is_never_cached_and_never_a_referrer(client: Client, load: Any) -> None:
    response = load(client, payable(payment_status="paid"))
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("page", ["pay", "return"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_only_get_and_head(client: Client, page: str, method: str) -> None:
    response = getattr(client, method)(f"/dana/{page}/{payable().public_id}/")
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("load", [pay, come_back])
def test_it_needs_no_login(client: Client, settings: Any, load: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert shown_state(load(client, payable(payment_status="paid"))) == "paid"


@pytest.mark.parametrize("page", ["pay", "return"])
@pytest.mark.django_db(transaction=True)
def test_it_runs_outside_atomic_requests(client: Client, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    order = payable()
    inside: list[bool] = []
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)  # noqa: FBT003

    def show(self: Any, *args: Any, **options: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return original(self, *args, **options)

    view: Any = views.PayView if page == "pay" else views.ReturnView
    original = view.show
    monkeypatch.setattr(view, "show", show)
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    client.get(f"/dana/{page}/{order.public_id}/")
    assert inside == [False]


@pytest.mark.parametrize("load", [pay, come_back])
@pytest.mark.usefixtures("no_queries")
def test_a_title_is_text(client: Client, load: Any) -> None:
    order = order_with(order_arguments={"title": "<script>alert(1)</script>"}, payment_status="paid")
    html = load(client, order).content.decode()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


class Addresses(HTMLParser):
    """Collects what a page names: its elements, and what it loads or leads to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "srcset", "href", "xlink:href", "data", "action", "poster", "background"):
                self.loaded.append(value or "")
            elif name == "style" or name.startswith("on"):
                self.inline.append(name)
        if tag == "style" or (tag == "script" and not dict(attrs).get("src")):
            self.inline.append(tag)


VIRTUAL_ACCOUNT = {"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_CIMB"}
SHOP = "https://shop.example/done"


@pytest.mark.parametrize("load", [pay, come_back])
@pytest.mark.parametrize("what", ["new", "paid", "refused", "virtual account", "qris"])
def test_it_loads_its_own_two_files_and_nothing_else(
    client: Client, monkeypatch: pytest.MonkeyPatch, load: Any, what: str
) -> None:
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    arguments = {"return_url": SHOP}
    if what == "virtual account":
        order = with_code(VIRTUAL_ACCOUNT, "8578", **arguments)
    elif what == "qris":
        order = with_code(QRIS, "0002", external_store_id="1", **arguments)
    else:
        fields = {"new": {}, "paid": {"payment_status": "paid"}, "refused": {"create_status": "failed"}}[what]
        order = order_with(order_arguments=arguments, **fields, next_attempt_at=None)
    html = load(client, order).content.decode()
    found = Addresses(html)
    assert found.loaded == ["/static/django_dana/pages.css", "/static/django_dana/pages.js"]
    assert found.inline == []
    assert not found.tags & {"img", "iframe", "object", "embed", "form", "base"}
    ours = {SHOP, "?", f"/dana/pay/{order.public_id}/", f"/dana/return/{order.public_id}/"}
    ours.add(f"/dana/pay/{order.public_id}/qr.png")
    assert set(found.links) <= ours


def test_its_files_load_nothing_either() -> None:
    for name in ("pages.css", "pages.js"):
        path = finders.find(f"django_dana/{name}")
        assert path is not None
        assert not re.search(r"@import|url\(|https?://|innerHTML|eval", Path(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("static_url", "files"),
    [("static/", "'self'"), ("https://cdn.example/s/", "'self' https://cdn.example"), ("/s/", "'self'")],
)
@pytest.mark.usefixtures("no_queries")
def test_the_browser_is_told_to_run_nothing_else(client: Client, settings: Any, static_url: str, files: str) -> None:
    settings.STATIC_URL = static_url
    policy = pay(client, payable(payment_status="paid"))["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == files
    assert "unsafe" not in policy


@pytest.mark.parametrize("policy", ["default-src 'self'", None])
@pytest.mark.usefixtures("no_queries")
def test_a_shop_with_templates_of_its_own_sets_another_policy(policy: str | None) -> None:
    order = order_with(payment_status="paid")
    view = views.PayView.as_view(content_security_policy=policy)
    response = view(RequestFactory().get("/"), public_id=order.public_id)
    assert response.get("Content-Security-Policy") == policy


ALL_STATES = [state for state in vars(states).values() if isinstance(state, states.State)]


@pytest.mark.parametrize("view", [views.PayView, views.ReturnView])
@pytest.mark.parametrize("state", ALL_STATES, ids=lambda state: state.name)
@pytest.mark.usefixtures("no_queries")
def test_every_state_has_a_plain_sentence(view: Any, state: states.State) -> None:
    order = order_with(create_status="success", payment_code="8578")
    page = view()
    page.setup(RequestFactory().get("/"))
    html = page.show(order, state).content.decode()
    # who comes back and could still pay waits for DANA's word
    shown = states.CONFIRMING if view is views.ReturnView and state is states.PAYABLE else state
    for words in (str(shown.heading), str(shown.sentence)):
        assert words.replace("'", "&#x27;") in html
        assert len(words) > 3


NOTHING = "Nothing was charged"
OVO = PayOption.ewallet("OVO", phone_number="081234567890")


@pytest.mark.parametrize(
    ("fields", "is_known"),
    [
        # DANA's message of the payment may have been lost before the cancel
        ({**SUCCESS, "payment_status": "cancelled"}, False),
        ({"create_status": "failed", "next_attempt_at": None}, True),
        ({"create_status": "pending"}, True),
        ({"payment_status": "expired"}, True),
        (SUCCESS, True),
        ({**SUCCESS, "payment_status": "not_found", "web_redirect_url": w.PAGE}, False),
        # the wallet may have asked on the phone, whatever we know of the create
        ({"create_status": "pending", "pay_option_details": [OVO]}, False),
        ({"create_status": "failed", "next_attempt_at": None, "pay_option_details": [OVO]}, False),
        ({**SUCCESS, "payment_status": "not_found", "pay_option_details": [OVO]}, False),
        ({**SUCCESS, "payment_status": "paid", "needs_attention": "paid_after_closed"}, False),
    ],
)
@pytest.mark.parametrize("load", [pay, come_back])
@pytest.mark.usefixtures("no_queries")
def test_that_nothing_was_charged_is_said_where_it_is_known(
    client: Client, load: Any, fields: dict[str, Any], *, is_known: bool
) -> None:
    assert (NOTHING in load(client, order_with(**fields)).content.decode()) is is_known


@pytest.mark.parametrize(("language", "price"), [("id", "Rp15.000,00"), ("en", "Rp15,000.00")])
@pytest.mark.usefixtures("no_queries")
def test_it_speaks_the_buyers_language(client: Client, language: str, price: str) -> None:
    response = pay(client, payable(payment_status="paid"), headers={"Accept-Language": language})
    html = response.content.decode()
    assert f'<html lang="{language}">' in html
    assert price in html
    assert ("Terima kasih" in html) is (language == "id")
    assert response["Content-Language"] == language


@pytest.mark.parametrize("load", [pay, come_back])
def test_the_shop_is_named(client: Client, settings: Any, load: Any, no_queries: None) -> None:
    order = payable(payment_status="paid")
    settings.DANA = account_with(SHOP_NAME="Kopi & Kawan")
    html = load(client, order).content.decode()
    assert '<header class="shop"><a href="/">Kopi &amp; Kawan</a></header>' in html
    assert " Kopi &amp; Kawan</title>" in html
    order = payable(payment_status="paid")
    settings.DANA = {}
    html = load(client, order).content.decode()
    assert '<header class="shop">' not in html


@pytest.mark.usefixtures("no_queries")
def test_a_buyer_goes_back_into_the_app_while_the_account_allows_it(client: Client, settings: Any) -> None:
    settings.DANA = account_with(RETURN_SCHEMES=["shopapp"])
    order = payable(payment_status="paid", return_url="shopapp://orders/7")
    html = come_back(client, order).content.decode()
    assert 'data-forward="shopapp://orders/7"' in html
    assert 'href="shopapp://orders/7"' in html
    settings.DANA = account_with(RETURN_SCHEMES=[])
    assert "shopapp:" not in come_back(client, order).content.decode()


@pytest.mark.usefixtures("no_queries")
def test_another_currency_is_named(client: Client) -> None:
    order = order_with(order_arguments={"currency": "USD"}, payment_status="paid")
    assert "USD\xa015,000.00" in pay(client, order).content.decode()


# -- what the states are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "preparing"),
        ({"create_status": "pending"}, "preparing"),
        ({"create_status": "failed", "next_attempt_at": timezone.now()}, "preparing"),
        ({"create_status": "failed", "next_attempt_at": None}, "refused"),
        ({"needs_attention": "account"}, "preparing"),
        ({**SUCCESS, "needs_attention": "no_address"}, "start_again"),
        (SUCCESS, "start_again"),
        ({**SUCCESS, "payment_status": "paying"}, "confirming"),
        ({**SUCCESS, "payment_status": "paid"}, "paid"),
        ({**SUCCESS, "payment_status": "paid", "needs_attention": "paid_after_closed"}, "in_review"),
        ({**SUCCESS, "payment_status": "paid", "needs_attention": "conflict"}, "in_review"),
        ({**SUCCESS, "web_redirect_url": w.PAGE, "needs_attention": "amount_differs"}, "in_review"),
        ({**SUCCESS, "needs_attention": "unknown_status"}, "in_review"),
        ({**SUCCESS, "needs_attention": "unsettled"}, "in_review"),
        ({**SUCCESS, "payment_status": "cancelled"}, "cancelled"),
        ({**SUCCESS, "payment_status": "cancelled", "paid_at": timezone.now()}, "cancelled"),
        ({**SUCCESS, "payment_status": "refunded", "paid_at": timezone.now()}, "refunded"),
        ({**SUCCESS, "payment_status": "expired"}, "expired"),
        ({"create_status": "failed", "payment_status": "not_found", "next_attempt_at": None}, "start_again"),
    ],
)
def test_states(client: Client, fields: dict[str, Any], name: str) -> None:
    response = pay(client, order_with(**fields))
    assert shown_state(response) == name
    html = response.content.decode()
    assert not re.search(r"\b[245]\d{6}\b", html), "a code of DANA"


@pytest.mark.parametrize(("create_status", "name"), [("success", "confirming"), ("new", "expired")])
def test_after_its_time(client: Client, clock: Clock, create_status: str, name: str) -> None:
    order = order_with(create_status=create_status, web_redirect_url=w.PAGE)
    clock.forward(minutes=31)
    assert shown_state(pay(client, order)) == name


def test_nobody_is_sent_to_pay_while_a_cancel_is_under_way(client: Client) -> None:
    order = payable()
    services.cancel_order(order)
    assert shown_state(pay(client, order)) == "cancelling"
    CancelRequest.objects.update(status="failed", unfinished=None)
    assert pay(client, order).status_code == 302


# -- on the way to DANA ---------------------------------------------------------------------------------------------


def test_on_to_dana(client: Client) -> None:
    response = pay(client, payable())
    assert (response.status_code, response["Location"]) == (302, w.PAGE)
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/", "https:", "ftp://x.example/", "http://[x"]
)
def test_a_strange_address_is_neither_followed_nor_shown(client: Client, url: str) -> None:
    response = pay(client, payable(web_redirect_url=url))
    assert shown_state(response) == "start_again"
    assert url not in response.content.decode()


def test_a_waiting_page_loads_itself_ever_more_slowly_and_not_for_ever(client: Client) -> None:
    order = order_with()
    seconds, query = [], ""
    for _ in range(views.MAX_RELOADS):
        after, query = refresh(pay(client, order, query)).split(";url=")
        seconds.append(int(after))
    assert seconds[0] == 2
    assert seconds == sorted(seconds)
    assert timedelta(minutes=20) < timedelta(seconds=sum(seconds)) < timedelta(hours=1)
    last = pay(client, order, query)
    assert refresh(last) == ""
    assert 'href="?"' in last.content.decode()


@pytest.mark.parametrize("query", ["?n=", "?n=-1", "?n=abc", "?n=1e9", "?n=²", "?n=" + "9" * 5000, "?n=1;url=//x"])
def test_nonsense_in_the_address_counts_as_nothing(client: Client, query: str) -> None:
    assert refresh(pay(client, order_with(), query)) == "2;url=?n=1"


def test_a_virtual_account_is_shown_to_copy(client: Client) -> None:
    response = pay(client, with_code(VIRTUAL_ACCOUNT, "8578012345678901"))
    html = response.content.decode()
    assert "<span>8578</span><span>0123</span><span>4567</span><span>8901</span></output>" in html
    assert 'data-copy="8578012345678901"' in html
    assert "Virtual account number at CIMB Niaga" in html
    assert "With the app of CIMB Niaga" in html
    assert refresh(response) == "15;url=?n=1"


def test_a_code_of_a_till_is_shown_without_a_bank(client: Client) -> None:
    method = {"payMethod": "OTC", "payOption": "NETWORK_PAY_PC_INDOMARET"}
    html = pay(client, with_code(method, "<b>1")).content.decode()
    assert "Payment code" in html
    assert "<span>&lt;b&gt;1</span></output>" in html
    assert "at the counter (Indomaret)" in html


def test_qris_is_drawn(client: Client) -> None:
    html = pay(client, with_code(QRIS, "00020101021226660014ID.DANA.WWW", external_store_id="1")).content.decode()
    assert html.count("<svg") == 1
    assert 'role="img"' in html
    assert "00020101021226660014ID.DANA.WWW" not in html


def test_the_qr_code_can_be_saved_while_it_can_be_paid(client: Client) -> None:
    order = with_code(QRIS, "00020101021226660014ID.DANA.WWW", external_store_id="1")
    path = f"/dana/pay/{order.public_id}/qr.png"
    assert f'href="{path}" download' in pay(client, order).content.decode()
    response = client.get(path)
    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"].startswith("attachment;")
    assert "no-store" in response["Cache-Control"]
    assert response.content.startswith(b"\x89PNG")
    Order.objects.update(payment_status="paid")
    assert client.get(path).status_code == 404


def test_there_is_no_qr_code_of_anything_else(client: Client) -> None:
    assert client.get(f"/dana/pay/{with_code(VIRTUAL_ACCOUNT, '8578').public_id}/qr.png").status_code == 404
    order = with_code(QRIS, "", external_store_id="1")
    assert client.get(f"/dana/pay/{order.public_id}/qr.png").status_code == 404


def test_the_longest_payment_code_fits_a_qr_code(client: Client) -> None:
    order = with_code(QRIS, "€" * MAX_PAYMENT_CODE, external_store_id="1")
    assert "<svg" in pay(client, order).content.decode()
    assert client.get(f"/dana/pay/{order.public_id}/qr.png").status_code == 200


def test_the_last_moment_to_pay_names_its_time_zone(client: Client, settings: Any, clock: Clock) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"
    html = pay(client, with_code(VIRTUAL_ACCOUNT, "8578")).content.decode()
    assert "Pay before: Nov. 21, 2026, 5 p.m. WIB" in html
    assert 'data-seconds-left="1800"' in html or 'data-seconds-left="1799"' in html


def test_the_pay_page_does_not_ask_dana_where_the_return_page_will(client: Client, no_queries: None) -> None:
    pay(client, payable(payment_status="paying"))
    pay(client, with_code(VIRTUAL_ACCOUNT, "8578"))


# -- a wallet that asks on the phone --------------------------------------------------------------------------------


def prompted(wire: Wire, **arguments: Any) -> Order:
    """Return an order that the buyer's wallet asks about."""
    wire.play(w.code("2005400", webRedirectUrl=""))
    order = new_order(pay_option_details=[OVO], **arguments)
    tasks.create_order(order.pk)
    return fresh(order)


def test_a_wallet_that_asks_on_the_phone_has_a_page_of_its_own(client: Client, dana: Wire) -> None:
    order = prompted(dana)
    dana.play(w.status("01", amount="15000.00"))
    response = pay(client, order)
    assert shown_state(response) == "payable"
    html = response.content.decode()
    assert "Confirm on your phone" in html
    assert "OVO asks you on the phone whose number ends in 890." in html
    assert "081234567890" not in html
    for wrong in ("start again", "Nothing was charged", "Pay this amount", "I have paid"):
        assert wrong not in html
    assert refresh(response) == "15;url=?n=1"


@pytest.mark.parametrize("load", [pay, come_back])
def test_dana_is_asked_from_the_page_of_such_a_wallet(client: Client, dana: Wire, clock: Clock, load: Any) -> None:
    order = prompted(dana)
    dana.play(w.status("01", amount="15000.00"))
    for _ in range(3):
        response = load(client, order)
        assert shown_state(response) == "payable"
        assert "Confirm on your phone" in response.content.decode()
    assert len(dana.bodies(QUERY_PATH)) == 1
    clock.forward(seconds=11)
    dana.play(w.status("00", amount="15000.00"))
    assert shown_state(load(client, order)) == "paid"


def test_a_number_that_was_erased_is_not_missed(client: Client, dana: Wire) -> None:
    order = prompted(dana)
    Order.objects.update(pay_option_details=[{"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_OVO"}])
    dana.play(w.status("01", amount="15000.00"))
    assert "OVO asks you on your phone." in pay(client, order).content.decode()


# -- the script -----------------------------------------------------------------------------------------------------


def key_on_page(response: Any) -> str:
    """Return the word by which the script knows what the page says."""
    found = re.search(r' data-key="([^"]+)"', response.content.decode())
    return found[1] if found else ""


@pytest.mark.parametrize("load", [pay, come_back])
def test_the_script_hears_of_a_change_and_of_nothing_else(
    client: Client, monkeypatch: pytest.MonkeyPatch, load: Any
) -> None:
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    order = with_code(VIRTUAL_ACCOUNT, "8578")
    key = key_on_page(load(client, order))
    answer = load(client, order, "?poll=1")
    assert answer.json() == {"key": key}
    assert "no-store" in answer["Cache-Control"]
    Order.objects.update(payment_status="paid")
    assert load(client, order, "?poll=1").json()["key"] not in ("", key)
    assert key_on_page(load(client, order)) == ""


def test_the_script_hears_that_the_way_to_dana_is_there(client: Client) -> None:
    order = order_with()
    key = key_on_page(pay(client, order))
    assert pay(client, order, "?poll=1").json() == {"key": key}
    Order.objects.update(**SUCCESS, web_redirect_url=w.PAGE)
    assert pay(client, order, "?poll=1").json()["key"] != key


def test_the_return_page_asks_dana_also_for_the_script(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    key = come_back(client, order, "?poll=1").json()["key"]
    assert key.startswith("paid")
    assert len(dana.bodies(QUERY_PATH)) == 1


# -- on the way back ------------------------------------------------------------------------------------------------


def test_thirty_loads_are_at_most_one_call_one_key_and_no_further_lock(
    client: Client, dana: Wire, settings: Any
) -> None:
    order = created_order(dana)
    dana.play(w.status("01", amount="15000.00"))
    keys_read: list[int] = []

    def vault() -> str:
        keys_read.append(1)
        return SHOP_PRIVATE_KEY

    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY=vault)
    come_back(client, order)
    asked_for_key = len(keys_read)
    with statements() as heard:
        for _ in range(29):
            assert shown_state(come_back(client, order)) == "confirming"
    assert len(dana.bodies(QUERY_PATH)) == 1
    assert len(keys_read) == asked_for_key <= 1
    assert [sql for sql in heard if not sql.startswith("SELECT") or "FOR UPDATE" in sql] == []


def test_while_a_worker_asks_no_page_locks_or_asks(client: Client, dana: Wire, no_queries: None) -> None:
    order = created_order(dana)
    Order.objects.update(lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(minutes=1))
    with statements() as heard:
        for _ in range(5):
            assert shown_state(come_back(client, order)) == "confirming"
    assert [sql for sql in heard if not sql.startswith("SELECT") or "FOR UPDATE" in sql] == []


@pytest.mark.parametrize("key", ["", "nonsense"])
def test_an_account_that_cannot_be_used_moves_nothing_and_logs_no_error(
    client: Client, dana: Wire, settings: Any, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    order = created_order(dana)
    Order.objects.update(next_sync_at=timezone.now() + timedelta(minutes=1))
    before = Order.objects.values("next_attempt_at", "next_sync_at", "needs_attention").get()
    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY=key)
    assert shown_state(come_back(client, order)) == "confirming"
    assert Order.objects.values("next_attempt_at", "next_sync_at", "needs_attention").get() == before
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_page_waits_for_dana_no_longer_than_its_own_time_out(
    client: Client, dana: Wire, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "PAGE_WAITS", 0.3)
    order = created_order(dana)
    settings.DANA = account_with(BASE_URL=dana.url, TIMEOUT=8.0)
    dana.play(w.hang(dana))
    began = time.monotonic()
    assert shown_state(come_back(client, order)) == "confirming"
    assert time.monotonic() - began < 4


def test_so_many_queries_at_once_and_no_more(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    for _ in range(syncing.SYNCS_AT_ONCE):
        assert syncing._syncing.acquire(blocking=False)
    try:
        assert shown_state(come_back(client, order)) == "confirming"
        assert dana.bodies(QUERY_PATH) == []
    finally:
        for _ in range(syncing.SYNCS_AT_ONCE):
            syncing._syncing.release()
    dana.play(w.status("00", amount="15000.00"))
    assert shown_state(come_back(client, order)) == "paid"


def test_it_asks_dana_at_most_once_in_ten_seconds(client: Client, dana: Wire, clock: Clock) -> None:
    order = created_order(dana, return_url="/done/")
    dana.play(w.status("01", amount="15000.00"))
    for _ in range(3):
        assert shown_state(come_back(client, order)) == "confirming"
    assert len(dana.bodies(QUERY_PATH)) == 1
    clock.forward(seconds=11)
    dana.play(w.status("00", amount="15000.00"))
    assert shown_state(come_back(client, order)) == "paid"
    assert shown_state(come_back(client, order)) == "paid"
    assert len(dana.bodies(QUERY_PATH)) == 2


def test_what_the_address_says_is_not_believed(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("01", amount="15000.00"))
    query = f"?originalPartnerReferenceNo={order.partner_reference_no}&status=SUCCESS&latestTransactionStatus=00"
    response = come_back(client, order, query)
    assert shown_state(response) == "confirming"
    assert refresh(response) == "2;url=?n=1"
    assert fresh(order).payment_status == "initiated"


def test_who_has_not_paid_yet_finds_the_way(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("01", amount="15000.00"))
    assert f'href="/dana/pay/{order.public_id}/"' in come_back(client, order).content.decode()


def test_a_look_at_the_headers_asks_nobody(client: Client, no_queries: None) -> None:
    assert client.head(f"/dana/return/{payable().public_id}/").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"create_status": "pending"},
        {"create_status": "pending", "valid_up_to": timezone.now() - timedelta(days=1)},
        {**SUCCESS, "payment_status": "paid"},
        {**SUCCESS, "payment_status": "cancelled"},
        {**SUCCESS, "payment_status": "paid", "needs_attention": "conflict"},
    ],
)
def test_it_asks_only_where_the_buyer_may_have_paid(client: Client, fields: dict[str, Any], no_queries: None) -> None:
    come_back(client, order_with(**fields))


@pytest.mark.parametrize("act", [w.hang_up, w.reset, w.body(b"<html>"), w.code("5005501")])
def test_a_dana_that_does_not_answer_breaks_nothing(client: Client, dana: Wire, act: Any) -> None:
    order = created_order(dana)
    dana.play(act)
    assert shown_state(come_back(client, order)) == "confirming"


def test_a_dana_that_hangs_is_waited_for_no_longer_than_the_time_out(client: Client, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.hang(dana))
    began = time.monotonic()
    assert shown_state(come_back(client, order)) == "confirming"
    assert time.monotonic() - began < 5
    assert len(dana.bodies(QUERY_PATH)) == 1


def test_an_error_in_asking_breaks_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(order_id: int, **options: Any) -> bool:
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(gateway, "sync", ask)
    assert shown_state(come_back(client, payable())) == "confirming"


def test_an_error_of_the_database_is_not_hidden(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(order_id: int, **options: Any) -> bool:
        raise DatabaseError

    monkeypatch.setattr(gateway, "sync", ask)
    with pytest.raises(DatabaseError):
        come_back(client, payable())


def test_after_good_news_it_leads_back_to_the_shop(client: Client, dana: Wire) -> None:
    response = come_back(client, paid_order(dana, return_url="https://shop.example/done?a=1&b=2"))
    html = response.content.decode()
    assert refresh(response) == "5;url=https://shop.example/done?a=1&amp;b=2"
    assert 'data-forward="https://shop.example/done?a=1&amp;b=2" data-forward-after="5"' in html
    assert 'href="https://shop.example/done?a=1&amp;b=2"' in html


@pytest.mark.parametrize("fields", [{"payment_status": "cancelled"}, {"payment_status": "expired"}, SUCCESS])
@pytest.mark.usefixtures("no_queries")
def test_it_leads_nobody_away_from_bad_news(client: Client, fields: dict[str, Any]) -> None:
    response = come_back(client, order_with(order_arguments={"return_url": SHOP}, **fields))
    assert refresh(response) == ""
    assert "data-forward" not in response.content.decode()
    assert f'href="{SHOP}"' in response.content.decode()


@pytest.mark.parametrize("query", ["", f"?n={views.MAX_RELOADS}"])
def test_it_leads_nowhere_by_itself_before_the_end(client: Client, dana: Wire, query: str) -> None:
    order = created_order(dana, return_url=SHOP)
    dana.play(w.status("02", amount="15000.00"))
    response = come_back(client, order, query)
    assert shown_state(response) == "confirming"
    assert SHOP not in refresh(response)
    assert f'href="{SHOP}"' in response.content.decode()


def test_without_an_address_it_stays(client: Client, dana: Wire) -> None:
    response = come_back(client, paid_order(dana))
    assert refresh(response) == ""
    assert "data-forward" not in response.content.decode()


@pytest.mark.parametrize("load", [pay, come_back])
@pytest.mark.parametrize("prefix", ["/", "/shop/"])
@pytest.mark.parametrize("fields", [{}, {"payment_status": "paid"}, {"payment_status": "expired"}])
def test_there_is_always_a_way_back_to_the_shop(
    client: Client, load: Any, prefix: str, fields: dict[str, Any], no_queries: None
) -> None:
    order = order_with(**fields)
    with override_script_prefix(prefix):
        html = load(client, order).content.decode()
    assert re.search(rf'href="{prefix}">Back to the shop', html)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "shop.example", "http://["]
)
@pytest.mark.parametrize("load", [pay, come_back])
def test_it_never_leads_to_a_strange_address(client: Client, url: str, load: Any) -> None:
    response = load(client, order_with(payment_status="paid", return_url=url))
    assert refresh(response) == ""
    assert url not in response.content.decode()


# -- what the buyer can look up -------------------------------------------------------------------------------------


def test_when_it_was_paid_and_when_it_goes_back(client: Client, dana: Wire, clock: Clock, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"
    order = paid_order(dana)
    html = pay(client, order).content.decode()
    assert "<dt>Paid on</dt><dd>Nov. 21, 2026, 4:30 p.m. WIB</dd>" in html
    assert "Given back on" not in html
    clock.forward(hours=1)
    dana.play(w.code("2005700", cancelTime="2026-11-21T17:30:00+07:00"))
    tasks.cancel_order(services.cancel_order(order).pk)
    html = pay(client, order).content.decode()
    assert shown_state(pay(client, order)) == "cancelled"
    assert "<dt>Given back on</dt><dd>Nov. 21, 2026, 5:30 p.m. WIB</dd>" in html


def test_the_routes_carry_their_marks() -> None:
    for page in ("pay", "return"):
        view = resolve(f"/dana/{page}/{uuid.uuid4()}/").func
        assert view.login_required is False  # type: ignore[attr-defined]
        assert view._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


# -- the documentation ----------------------------------------------------------------------------------------------


def test_the_page_on_overriding_names_all_blocks_and_all_context(client: Client, dana: Wire) -> None:
    page = (DOCS / "buyer_pages.rst").read_text()
    folder = Path(views.__file__).parents[1] / "templates" / "django_dana"
    blocks = {name for path in folder.glob("*.html") for name in re.findall(r"{% block (\w+) %}", path.read_text())}
    assert blocks
    given: set[str] = set()
    for response in (
        pay(client, with_code(VIRTUAL_ACCOUNT, "8578")),
        come_back(client, paid_order(dana, return_url="/done/")),
    ):
        given |= {name for layer in response.context[0].dicts if "order" in layer for name in layer}
    assert {"order", "state", "code_groups", "forward_after"} <= given
    for word in sorted(blocks | given - {"LANGUAGE_CODE"} | {"may_still_pay"}):
        assert f"``{word}``" in page, word


def test_the_routes_of_the_page_on_overriding_work(client: Client, settings: Any) -> None:
    [block] = python_blocks("buyer_pages.rst")
    routes = ModuleType("routes_of_the_docs")
    exec(block, routes.__dict__)  # noqa: S102  our own documentation
    settings.ROOT_URLCONF = routes
    order = payable(payment_status="paid")
    for page in ("pay", "return"):
        url = reverse(f"django_dana:{page}", args=[order.public_id])
        assert "https://img.shop.example" in client.get(url)["Content-Security-Policy"]


def test_the_examples_of_the_page_on_custom_checkout_work(client: Client, dana: Wire) -> None:
    names: dict[str, Any] = {}
    for block in python_blocks("custom_checkout.rst"):
        exec(block, names)  # noqa: S102  our own documentation
    assert set(names["problems"]) == {"pay_option_details"}
    dana.play(w.code("2005400", webRedirectUrl="", additionalInfo={"paymentCode": "80777081234"}))
    tasks.create_order(names["order"].pk)
    assert "8077" in client.get(names["response"]["Location"]).content.decode()


@pytest.mark.parametrize("call", re.findall(r"``PayOption\.(.*?)``", (DOCS / "custom_checkout.rst").read_text()))
def test_every_method_of_the_page_on_custom_checkout_is_accepted(call: str) -> None:
    detail = eval(f"PayOption.{call}", {"PayOption": PayOption})  # noqa: S307  our own documentation
    assert new_order(pay_option_details=[detail], external_store_id="S-1").pay_option_details
