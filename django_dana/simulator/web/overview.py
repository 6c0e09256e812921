"""The overview: orders, refunds, calls, notifications and faults on one page that refreshes itself."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from django_dana.simulator.engine.addresses import checkout_url
from django_dana.simulator.engine.call_log import Call
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.notifications import DeliveryAttempt, Notification
from django_dana.simulator.engine.orders import STATUS, Order, Refund
from django_dana.simulator.web.http import Reply, Request
from django_dana.simulator.web.pages import Html, clock, fill, join, rupiah
from django_dana.simulator.web.pages import page as html_page

# what the page shows of each kind, newest first; the snapshot has everything
_SHOWN: Final = 50

_CONTENT: Final = """<div id="live">
<section><h1>{base_url}</h1><p class="grey">DANA_PUBLIC_KEY: {public_key}</p>
<p class="grey">Shops: {shops}. Faults in force: {faults}. <a href="{snapshot_url}">Snapshot</a></p></section>
<section class="scroll"><h2>Orders ({order_count})</h2><table><tr><th>Created<th>Merchant<th>Reference<th>Title
<th>Amount<th>State<th>Pay</tr>{orders}</table></section>
<section class="scroll"><h2>Refunds ({refund_count})</h2><table><tr><th>Refunded<th>Reference<th>partnerRefundNo
<th>refundNo<th>Amount</tr>{refunds}</table></section>
<section class="scroll"><h2>Calls ({call_count})</h2><table><tr><th>No.<th>At<th>Operation<th>Reference<th>Signature
<th>Answer<th>Took<th>Details</tr>{calls}</table></section>
<section class="scroll"><h2>Notifications ({notification_count})</h2><table><tr><th>No.<th>Reference<th>Status<th>To
<th>State<th>Attempts</tr>{notifications}</table></section></div>"""

_ORDER: Final = """<tr><td>{created}<td>{merchant}<td>{reference}<td>{title}<td>{amount}<td>{state} ({status})
<td>{pay}</tr>"""
_REFUND: Final = """<tr><td>{refunded}<td>{reference}<td>{partner_refund_no}<td>{refund_no}<td>{amount}</tr>"""
_LINK: Final = """<a href="{url}">{label}</a>"""
_CALL: Final = """<tr><td>{number}<td>{at}<td>{operation}<td>{reference}<td class="{verdict}">{signature}
<td>{status} {code}<br>{message}<br><span class="grey">{why}</span><td>{took}
<td><details id="call-{number}"><summary>{summary}</summary><pre>{headers}

{body}

{answer}</pre></details></tr>"""
_NOTIFICATION: Final = """<tr><td>{number}<td>{reference}<td>{status}<td>{url}<td>{state}
<td><details id="notification-{number}"><summary>{count}</summary><pre>{attempts}</pre></details></tr>"""

_SCRIPT: Final = """
async function renew() {
  try {
    const answer = await fetch(location.href);
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


PATH: Final = "/"


def page(engine: Engine, request: Request) -> Reply:
    """Show the newest of everything."""
    with engine.lock:
        engine.schedule.run_due()
        orders, calls, sent = list(engine.orders), engine.calls, engine.sent()
        refunds = [(order, refund) for order in orders for refund in order.refunds]
        content = fill(
            _CONTENT,
            base_url=engine.base_url,
            public_key=engine.public_key,
            shops=", ".join(f"{merchant.merchant_id} ({merchant.partner_id})" for merchant in engine.merchants.all),
            faults=", ".join(fault.spec for fault in engine.faults.all) or "none",
            snapshot_url=f"/simulator/snapshot{_query(request)}",
            order_count=len(orders),
            refund_count=len(refunds),
            call_count=len(calls),
            notification_count=len(sent),
            orders=join([_order(engine, order) for order in reversed(orders[-_SHOWN:])]),
            refunds=join([_refund(*item) for item in reversed(refunds[-_SHOWN:])]),
            calls=join([_call(call) for call in reversed(calls[-_SHOWN:])]),
            notifications=join([_notification(item) for item in reversed(sent[-_SHOWN:])]),
        )
    return html_page("Overview", content, wide=True, script=_SCRIPT)


def _query(request: Request) -> str:
    token = request.query.get("token", "")
    return f"?{urlencode({'token': token})}" if token else ""


def _order(engine: Engine, order: Order) -> Html:
    return fill(
        _ORDER,
        created=clock(order.created_at),
        merchant=order.merchant_id,
        reference=order.reference,
        title=order.title,
        amount=rupiah(order.amount),
        state=f"{order.state}, refunded {order.refunded:.2f}" if order.refunds else order.state,
        status=STATUS[order.state],
        pay=fill(_LINK, url=checkout_url(order, engine.shared), label=order.payment_code or "checkout"),
    )


def _refund(order: Order, refund: Refund) -> Html:
    return fill(
        _REFUND,
        refunded=clock(refund.refunded_at),
        reference=order.reference,
        partner_refund_no=refund.partner_refund_no or "made in DANA's portal",
        refund_no=refund.refund_no,
        amount=rupiah(refund.amount),
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
        count=f"{len(item.attempts)}, last: {_outcome(item.attempts[-1])}" if item.attempts else "none yet",
        attempts="\n\n".join(map(_attempt, item.attempts)),
    )


def _attempt(one: DeliveryAttempt) -> str:
    return "\n".join([f"{one.timestamp}: {_outcome(one)}", *one.faults, *one.hints, one.response_body])


def _outcome(one: DeliveryAttempt) -> str:
    return one.error or f"HTTP {one.http_status}, {one.response_code or 'no responseCode'}"


def _clock_time(seconds: float) -> str:
    return clock(datetime.fromtimestamp(seconds, UTC))[11:]
