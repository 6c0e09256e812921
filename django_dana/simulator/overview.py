"""The page that shows all: orders, calls, notifications, faults; it renews itself."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django_dana.simulator.checkout import rupiah
from django_dana.simulator.http import Reply, Request
from django_dana.simulator.journal import Call
from django_dana.simulator.notifications import Notification, Try
from django_dana.simulator.operations import checkout_url
from django_dana.simulator.orders import STATUS, Order
from django_dana.simulator.pages import Html, clock, fill, join
from django_dana.simulator.pages import page as html_page

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

# what the page shows of each kind, newest first; the books have everything
_SHOWN: Final = 50

_CONTENT: Final = """<div id="live">
<section><h1>{base_url}</h1><p class="grey">DANA_PUBLIC_KEY: {public_key}</p>
<p class="grey">Shops: {shops}. Faults in force: {faults}. <a href="/simulator/books">The books</a></p></section>
<section class="scroll"><h2>Orders ({order_count})</h2><table><tr><th>Created<th>Merchant<th>Reference<th>Title
<th>Amount<th>State<th>Pay</tr>{orders}</table></section>
<section class="scroll"><h2>Calls ({call_count})</h2><table><tr><th>No.<th>At<th>Operation<th>Reference<th>Signature
<th>Answer<th>Took<th>Details</tr>{calls}</table></section>
<section class="scroll"><h2>Notifications ({notification_count})</h2><table><tr><th>No.<th>Reference<th>Status<th>To
<th>State<th>Tries</tr>{notifications}</table></section></div>"""

_ORDER: Final = """<tr><td>{created}<td>{merchant}<td>{reference}<td>{title}<td>{amount}<td>{state} ({status})
<td>{pay}</tr>"""
_LINK: Final = """<a href="{url}">{label}</a>"""
_CALL: Final = """<tr><td>{number}<td>{at}<td>{operation}<td>{reference}<td class="{verdict}">{signature}
<td>{status} {code}<br>{message}<br><span class="grey">{why}</span><td>{took}
<td><details id="call-{number}"><summary>{summary}</summary><pre>{headers}

{body}

{answer}</pre></details></tr>"""
_NOTIFICATION: Final = """<tr><td>{number}<td>{reference}<td>{status}<td>{url}<td>{state}
<td><details id="notification-{number}"><summary>{count}</summary><pre>{tries}</pre></details></tr>"""

_SCRIPT: Final = """
async function renew() {
  try {
    const answer = await fetch("/");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    const live = document.getElementById("live");
    for (const open of live.querySelectorAll("details[open]")) {
      const same = fresh.querySelector("#" + open.id);
      if (same) same.open = true;
    }
    if (fresh.innerHTML !== live.innerHTML) live.replaceWith(fresh);
  } catch (error) { document.title = "(gone) DANA simulator"; }
  setTimeout(renew, 1500);
}
setTimeout(renew, 1500);
"""


def page(dana: "Simulator", request: Request) -> Reply:
    """Show what this DANA believes and has seen."""
    with dana.lock:
        dana.orders.expire_due()
        orders, calls, sent = list(dana.orders), dana.calls, dana.sent()
        content = fill(
            _CONTENT,
            base_url=dana.base_url,
            public_key=dana.public_key,
            shops=", ".join(f"{merchant.merchant_id} ({merchant.partner_id})" for merchant in dana.merchants.all),
            faults=", ".join(fault.spec for fault in dana.faults.all) or "none",
            order_count=len(orders),
            call_count=len(calls),
            notification_count=len(sent),
            orders=join([_order(dana, order) for order in reversed(orders[-_SHOWN:])]),
            calls=join([_call(call) for call in reversed(calls[-_SHOWN:])]),
            notifications=join([_notification(item) for item in reversed(sent[-_SHOWN:])]),
        )
    return html_page("Overview", content, wide=True, script=_SCRIPT)


def _order(dana: "Simulator", order: Order) -> Html:
    return fill(
        _ORDER,
        created=clock(order.created_at),
        merchant=order.merchant_id,
        reference=order.reference,
        title=order.title,
        amount=rupiah(order),
        state=f"{order.state}, refunded {order.refunded:.2f}" if order.refunds else order.state,
        status=STATUS[order.state],
        pay=fill(_LINK, url=checkout_url(order, dana.orders, dana.base_url), label=order.payment_code or "checkout"),
    )


def _call(call: Call) -> Html:
    return fill(
        _CALL,
        number=call.number,
        at=_clock_time(call.started_at),
        operation=call.operation,
        reference=call.reference,
        verdict="good" if call.signature == "valid" else "bad",
        signature=call.signature,
        status=call.http_status or "-",
        code=call.response_code,
        message=call.response_message,
        why=call.why,
        took="going on" if call.ended_at is None else f"{(call.ended_at - call.started_at) * 1000:.0f} ms",
        summary=", ".join([*call.faults, *call.hints]) or "headers and bodies",
        headers="\n".join(f"{name}: {value}" for name, value in call.headers),
        body=call.body,
        answer=call.response_body,
    )


def _notification(item: Notification) -> Html:
    return fill(
        _NOTIFICATION,
        number=item.number,
        reference=item.reference,
        status=item.status,
        url=item.url,
        state=f"{item.state} {' '.join(item.faults)}",
        count=f"{len(item.tries)}, last: {_outcome(item.tries[-1])}" if item.tries else "none yet",
        tries="\n\n".join(map(_told, item.tries)),
    )


def _told(one: Try) -> str:
    return "\n".join([f"{one.timestamp}: {_outcome(one)}", *one.faults, *one.hints, one.response_body])


def _outcome(one: Try) -> str:
    return one.error or f"HTTP {one.http_status}, {one.response_code or 'no responseCode'}"


def _clock_time(seconds: float) -> str:
    return clock(datetime.fromtimestamp(seconds, UTC))[11:]
