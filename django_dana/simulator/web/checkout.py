"""DANA's checkout page, on which a buyer pays; plainly marked as a simulator's."""

import hmac
import io
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import segno

from django_dana.simulator.engine import methods
from django_dana.simulator.engine.addresses import checkout_sign, checkout_url
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.methods import Method
from django_dana.simulator.engine.orders import Order, State, WrongState
from django_dana.simulator.web.http import Reply, Request
from django_dana.simulator.web.pages import Html, clock, fill, join, redirect, rupiah
from django_dana.simulator.web.pages import page as html_page

CODE_PATH: Final = "/n/cashier/code"

_ORDER: Final = """<section><p class="grey">{shop}</p><h1>{title}</h1><p class="amount">{amount}</p>
<p class="grey">Reference {reference}<br>Pay until {until} WIB</p></section>"""

_CHOOSE: Final = """<form method="post"><section><h2>How do you want to pay?</h2>{methods}</section>
<button name="action" value="pay" class="first">Pay</button>
<button name="action" value="pay_twice" class="plain">Pay twice</button>
<button name="action" value="expire" class="plain">Let it expire</button>
<button name="action" value="close" class="plain">Close the window</button></form>"""

_METHOD: Final = """<label><input type="radio" name="method" value="{name}" {checked}> {label}</label>"""

_END: Final = """<section><h2>{what}</h2><p>{why}</p>{way}</section>"""

_WAY: Final = """<a class="button" href="{url}">{label}</a>"""

_VIRTUAL_ACCOUNT: Final = """<section><h2>{label}</h2><p>Pay into this account, the order's paymentCode:</p>
<p class="amount">{number}</p></section>"""

_QRIS: Final = """<section><h2>QRIS</h2><p>The code that the shop shows, the order's paymentCode:</p>{code}
<p class="grey">{text}</p></section>
<section><h2>Pay with a phone</h2><p>Scan this one with the camera: it opens this page on the phone.</p>{here}</section>
"""


def page(engine: Engine, request: Request) -> Reply:
    """Show the checkout page of an order, or do what its buyer pressed."""
    order = engine.orders.by_number(request.query.get("bizNo", ""))
    sign = request.query.get("sign", "")
    if order is None or not hmac.compare_digest(sign.encode(), checkout_sign(order, engine.shared).encode()):
        return _end("There is no such order", "This simulator gave out no such address.", status=404)
    if request.method == "POST":
        return _act(engine, request, order)
    engine.schedule.run_due()
    if not order.is_open:
        return _closed(order)
    return html_page("Checkout", join([_order(engine, order), _code(engine, order), _choose(order)]))


def code_page(engine: Engine, request: Request) -> Reply:
    """Send a browser that has only the paymentCode of an order to its checkout page."""
    order = engine.orders.by_payment_code(request.query.get("paymentCode", ""))
    if order is None:
        return _end("There is no such code", "No order has this paymentCode.", status=404)
    return redirect(checkout_url(order, engine.shared))


def _code(engine: Engine, order: Order) -> Html:
    """Return what a buyer copies or scans, where the order asks for that."""
    if order.method is not None and order.method.is_virtual_account:
        return fill(_VIRTUAL_ACCOUNT, label=order.method.label, number=order.payment_code)
    if order.method is not None and order.method.is_qris:
        here = checkout_url(order, engine.shared)
        return fill(_QRIS, code=_svg(order.payment_code), text=order.payment_code, here=_svg(here))
    return Html("")


def _svg(text: str) -> Html:
    """Return a QR code as an inline SVG, with the quiet zone that cameras need."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, light="#fff"
    )
    return Html(out.getvalue().decode("utf-8"))


def _order(engine: Engine, order: Order) -> Html:
    return fill(
        _ORDER,
        shop=engine.merchants.name(order.merchant_id),
        title=order.title,
        amount=rupiah(order.amount),
        reference=order.reference,
        until=clock(order.valid_up_to),
    )


def _choose(order: Order) -> Html:
    offered = [order.method] if order.method else _offered(order)
    choices = [
        fill(_METHOD, name=method.name, label=method.label, checked="" if number else "checked")
        for number, method in enumerate(offered)
    ]
    return fill(_CHOOSE, methods=join(choices))


def _offered(order: Order) -> list[Method]:
    """Return the ways to pay that DANA's own page offers: not the disabled ones, QRIS only where it can work."""
    disabled = set(str(order.content.get("disabledPayMethods") or "").split(","))
    can_qris = bool(order.content.get("externalStoreId")) and len(order.reference) <= 25
    return [
        method
        for method in methods.METHODS
        if not disabled & {method.pay_method, method.pay_option or method.pay_method}
        if can_qris or not method.is_qris
    ]


def _act(engine: Engine, request: Request, order: Order) -> Reply:
    form = request.form()
    try:
        match form.get("action"):
            case "pay":
                engine.orders.pay(order, _chosen(order, form))
            case "pay_twice":
                # pressed twice at once: the money moves once, the shop is notified twice
                engine.orders.pay(order, _chosen(order, form), copies=2)
            case "expire":
                engine.orders.expire(order)
                return _closed(order)
            case _:
                return _left(engine, order)
    except WrongState:
        return _closed(order)
    return _back_to_shop(order)


def _chosen(order: Order, form: dict[str, str]) -> Method | None:
    return order.method or methods.by_name(form.get("method", ""))


def _back_to_shop(order: Order) -> Reply:
    """Send the buyer to PAY_RETURN with DANA's parameters; to a place that is no web page, only by a link."""
    url = _return_url(order)
    if urlsplit(url).scheme in ("http", "https"):
        return redirect(url)
    return _closed(order)


def _return_url(order: Order) -> str:
    """Return PAY_RETURN with the parameters that DANA's Widget guide documents."""
    parts = urlsplit(order.url("PAY_RETURN"))
    query = urlencode(
        {
            "originalReferenceNo": order.reference_no,
            "originalPartnerReferenceNo": order.reference,
            "merchantId": order.merchant_id,
            "status": str(order.state),
        }
    )
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


_ENDS: Final = {
    State.SUCCESS: ("It is paid", "DANA notifies the shop in the background."),
    State.CLOSED: ("It has expired", "Nothing was paid. DANA notifies the shop in the background."),
    State.CANCELLED: ("The shop has cancelled it", "What was paid goes back."),
    State.INIT: ("It is not paid", "The order can still be paid."),
    State.PAYING: ("The payment is under way", "It is not final yet."),
}


def _closed(order: Order) -> Reply:
    what, why = _ENDS[order.state]
    url = _return_url(order)
    way = Html("")
    if urlsplit(url).scheme in ("http", "https"):
        way = fill(_WAY, url=url, label="Back to the shop")
    return _end(what, why, way)


def _left(engine: Engine, order: Order) -> Reply:
    way = fill(_WAY, url=checkout_url(order, engine.shared), label="Open it again")
    why = "The shop is not notified, as when a buyer closes the window. The order can still be paid until it expires."
    return _end("You closed the window", why, way)


def _end(what: str, why: str, way: Html | None = None, *, status: int = 200) -> Reply:
    return html_page(what, fill(_END, what=what, why=why, way=way or Html("")), status=status)
