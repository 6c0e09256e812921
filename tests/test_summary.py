"""Where an order stands: what staff read about it and what they are offered, for everything that may be so."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from django_dana.services.summary import Summary, summarize
from tests.conftest import Clock
from tests.factories import NOW, fresh, order_with
from tests.situations import (
    A_DAY,
    AT_DANA,
    CANCEL_UNKNOWN,
    GIVEN_BACK,
    PAID,
    PART,
    REFUND_DONE,
    SITUATIONS,
    cancel,
    cancel_refused,
    order_in,
)

pytestmark = pytest.mark.django_db

SHOWN = """
[not sent yet]
preparing | wait | on its way to DANA | under way
The order is on its way to DANA; there is nothing to do.
Stop sending the order

[a call about to be made]
preparing | wait | on its way to DANA | under way
The order is on its way to DANA; there is nothing to do.

[being sent]
preparing | wait | on its way to DANA | under way
The order is on its way to DANA; there is nothing to do.
Cancel (nothing was paid)… | Stop sending the order

[create: no answer]
not_confirmed | wait | not confirmed by DANA
DANA did not answer, so it is not yet known whether it has the order. The same request is repeated automatically.
Send the order again | Cancel (nothing was paid)… | Ask DANA now | Stop sending the order

[create: refusal after no answer]
not_confirmed | wait | not confirmed by DANA
DANA may already have this order. It is being asked; there is nothing to do but wait.
Send the order again | Cancel (nothing was paid)… | Ask DANA now

[create: stopped after no answer]
not_confirmed | wait | not confirmed by DANA
It is not yet known whether DANA has this order. DANA is asked once its time is over.
Send the order again | Cancel (nothing was paid)… | Ask DANA now

[create: pending by no rule]
not_confirmed | wait | not confirmed by DANA
It is not known yet whether DANA has this order.
Ask DANA now | Stop sending the order

[create: refused]
refused | bad | refused by DANA
DANA refused the order's data. Correct it and create a new order.
Ask DANA now

[create: refused, DANA to be asked]
refused | bad | refused by DANA
DANA reports an abnormal account or user status. Ask DANA about the account, then create a new order.
→ Send the order again | Ask DANA now

[create: refused, signature]
refused | bad | refused by DANA
DANA did not accept our signature. Have the account's keys checked, then create a new order.
→ Send the order again | Ask DANA now

[create: refused for now]
refused_for_now | bad | refused for now
Refused for now, trying again until 11/21/2026 10 a.m.; do not refund by other means. DANA refuses it for now. It is tried again automatically; do not refund by other means meanwhile. If this persists, ask DANA about the account.
→ Send the order again | Ask DANA now | Stop sending the order

[create: refused for now, stopped]
refused | bad | refused by DANA
Refused by DANA; automatic retries have ended. You can send it again manually.
→ Send the order again | Ask DANA now

[create: refused by no rule]
refused | bad | refused by DANA
DANA refused this order.
→ Send the order again | Ask DANA now

[create: stopped before it was sent]
refused | bad | not sent
This order was stopped before it was sent to DANA. For another try, create a new one.
Ask DANA now

[create: done]
initiated | wait | waiting for the buyer
DANA has the order. The buyer has not paid yet.
Cancel (nothing was paid)… | Ask DANA now

[initiated]
initiated | wait | waiting for the buyer
DANA has the order. The buyer has not paid yet.
Cancel (nothing was paid)… | Ask DANA now

[paying]
paying | wait | being paid
The buyer is paying, but it is not final. Do not deliver yet.
Cancel (nothing was paid)… | Ask DANA now

[paid]
paid | good | paid
Rp15,000.00 has arrived.
Deliver it. The money can be given back until 22 Nov, 09:30.
Give money back… | Ask DANA now | Settled outside…

[paid, nobody knows when]
paid | good | paid
Rp15,000.00 has arrived.
Deliver it.
Cancel (nothing was paid)… | Ask DANA now | Settled outside…

[paid, a day ago]
paid | good | paid
Rp15,000.00 has arrived.
DANA's 24 hours to cancel it are over.
Give money back… | Ask DANA now | Settled outside…

[paid, nearly a day ago]
paid | good | paid
Rp15,000.00 has arrived.
Deliver it. The money can be given back until 09:40.
Give money back… | Ask DANA now | Settled outside…

[paid, partly given back]
partly_given_back | good | partly given back
Rp15,000.00 has arrived, and Rp6,000.00 of it went back to the buyer.
Give money back… | Ask DANA now | Settled outside…

[cancelled]
cancelled | calm | cancelled
Cancelled at DANA. Nothing had been paid, as far as DANA has told us.
Ask DANA now

[cancelled after it was paid]
given_back | calm | given back
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). Rp15,000.00 went back to the buyer.
There is nothing to do.
Ask DANA now

[cancelled after it was paid, by others]
given_back | calm | given back
Rp15,000.00 went back to the buyer.
There is nothing to do.
Ask DANA now

[cancelled at last]
given_back | calm | given back
Refund of Rp15,000.00 asked for by the shop, 09:31. Rp15,000.00 went back to the buyer.
There is nothing to do.
Close: no refund needed… | Close: no refund needed… | Ask DANA now

[expired]
expired | calm | expired
The time to pay is over. For another try, create a new order.
Ask DANA now

[expired after a cancel without an answer]
expired | calm | expired
The time to pay is over. For another try, create a new order.
Close: no cancel needed… | Ask DANA now

[expired after a cancel that was refused]
expired | calm | expired
The time to pay is over. For another try, create a new order.
Close: no cancel needed… | Ask DANA now

[refunded]
refunded | calm | given back
The money was given back at DANA. There is nothing to do.
Ask DANA now

[not found]
not_found | calm | unknown at DANA
DANA does not have this order. For another try, create a new order.
Ask DANA now

[settled outside]
settled_outside | calm | settled outside
Settled outside DANA, 09:30: “BCA 1”. This system moved no money.
Ask DANA now

[settled outside, a cancel refused]
settled_outside | calm | settled outside
Settled outside DANA, 09:30: “BCA 1”. This system moved no money.
Ask DANA now

[settled outside and given back]
given_back_twice | bad | given back twice? | needs attention
It was settled outside DANA (09:30: “BCA 1”), and DANA says that it gave the money back too.
Look both payments up before you do anything else.
Ask DANA now

[paid late]
paid_after_closed | bad | paid late | needs attention
The buyer paid after the order was closed. Deliver it, or cancel it to give the money back.
→ Mark as reviewed… | Give money back… | Ask DANA now | Settled outside…

[paid late, a cancel under way]
refund_under_way | wait | refund under way | needs attention | under way | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the refund again | Ask DANA now | Mark as reviewed…

[paid late, a cancel refused]
paid_after_closed | bad | paid late | needs attention
The buyer paid after the order was closed. Deliver it, or cancel it to give the money back.
→ Give money back… | Send the refund again | Close: no refund needed… | Ask DANA now | Settled outside…
asks for: Mark as reviewed…

[another amount]
amount_differs | bad | another amount | needs attention
DANA reports another amount than this order's, so it is not called paid. Look it up at DANA before you deliver or refund.
→ Ask DANA now | Mark as reviewed… | Cancel (nothing was paid)…

[another amount since it was paid]
amount_differs | bad | another amount | needs attention
DANA now reports a different amount from the one that was paid. Look it up at DANA.
→ Ask DANA now | Mark as reviewed… | Give money back… | Settled outside…

[conflict]
conflict | bad | being clarified | needs attention
DANA's messages contradict each other. DANA is being asked; wait for its answer.
→ Ask DANA now | Give money back… | Mark as reviewed… | Settled outside…

[conflict, DANA being asked]
conflict | bad | being clarified | needs attention
DANA's messages contradict each other. DANA is being asked; wait for its answer.
→ Ask DANA now | Give money back… | Settled outside…

[conflict, a cancel under way]
conflict | bad | being clarified | needs attention | under way
DANA's messages contradict each other. DANA is being asked; wait for its answer.
→ Ask DANA now | Send the refund again

[unknown status]
unknown_status | bad | unknown status | needs attention
DANA reports a status that is not documented. Look the order up at DANA before you deliver or refund.
→ Ask DANA now | Mark as reviewed… | Cancel (nothing was paid)…

[account]
account | bad | account can't be used | needs attention
The account of this order is gone, was changed or lacks its key, so nothing can be sent. Have the DANA setting checked.
→ Ask DANA now | Give money back… | Mark as reviewed… | Settled outside…

[account refused]
account_refused | bad | DANA refuses the account | needs attention
DANA refuses the account or its signature, so every payment may be failing. Have the DANA setting checked now.
→ Ask DANA now | Mark as reviewed… | Cancel (nothing was paid)…

[no address]
no_address | bad | no way to pay | needs attention
DANA has the order, but the address to pay at was lost. Ask the buyer to start again with a new order.
→ Cancel (nothing was paid)… | Mark as reviewed… | Ask DANA now

[no address, paid]
no_address | bad | no way to pay | needs attention
DANA has the order, but the address to pay at was lost. Ask the buyer to start again with a new order.
→ Give money back… | Mark as reviewed… | Ask DANA now | Settled outside…

[unsettled]
unsettled | bad | no final answer | needs attention
DANA gave no final answer for seven days. Look the order up at DANA, then ask DANA again from here.
→ Ask DANA now | Mark as reviewed… | Give money back… | Settled outside…

[unsettled, a cancel not done]
unsettled | bad | no final answer | needs attention
DANA gave no final answer for seven days. Look the order up at DANA, then ask DANA again from here.
→ Ask DANA now | Send the refund again | Close: no refund needed… | Give money back… | Settled outside…

[a cancel, closed]
paid | good | paid | needs attention
Rp15,000.00 has arrived.
Deliver it. The money can be given back until 22 Nov, 09:30.
Give money back… | Ask DANA now | Mark as reviewed… | Settled outside…

[a cancel, DANA being asked]
refund_under_way | wait | refund under way | needs attention | under way | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the refund again | Ask DANA now

[unpaid, cancel under way]
cancel_under_way | wait | cancel under way | under way | about cancel 1
Cancel asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the cancel again | Ask DANA now

[unpaid, cancel refused for now]
refund_refused_for_now | bad | cancel refused for now | about cancel 1
Cancel asked for by the shop, 09:30 (“Stok habis”). DANA refuses it for now.
(what the request says)
→ Send the cancel again | Ask DANA now | Stop sending the cancel

[unpaid, cancel without an answer]
cancel_unknown | bad | cancel not confirmed | needs attention | about cancel 1
Cancel asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not deliver, and do not refund by other means, before DANA has answered.
→ Ask DANA now | Send the cancel again | Close: no cancel needed… | Cancel (nothing was paid)…

[unpaid, cancel not done]
cancel_not_done | bad | cancel not done | needs attention | about cancel 1
Cancel asked for by the shop, 09:30 (“Stok habis”). It did not happen. The order can still be paid.
(what the request says)
→ Send the cancel again | Cancel (nothing was paid)… | Close: no cancel needed… | Ask DANA now

[unpaid, cancel refused]
cancel_not_done | bad | cancel not done | needs attention | about cancel 1
Cancel asked for by the shop, 09:30 (“Stok habis”). It did not happen. The order can still be paid.
(what the request says)
→ Close: no cancel needed… | Cancel (nothing was paid)… | Ask DANA now

[unpaid, cancel never sent]
initiated | wait | waiting for the buyer
DANA has the order. The buyer has not paid yet.
Send the cancel again | Cancel (nothing was paid)… | Ask DANA now

[cancel under way]
refund_under_way | wait | refund under way | under way | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the refund again | Stop sending the refund | Ask DANA now

[cancel under way, DANA being asked]
refund_under_way | wait | refund under way | under way | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the refund again | Ask DANA now

[cancel refused for now]
refund_refused_for_now | bad | refund refused for now | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA refuses it for now.
(what the request says)
→ Send the refund again | Ask DANA now | Stop sending the refund

[cancel refused for want of money]
refund_refused_for_now | bad | refund refused for now | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA refuses it for now.
(what the request says)
→ Send the refund again | Ask DANA now | Stop sending the refund | Close: no refund needed…

[cancel without an answer]
refund_unknown | bad | refund not confirmed | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not deliver, and do not refund by other means, before DANA has answered.
→ Ask DANA now | Send the refund again | Close: no refund needed… | Give money back… | Settled outside…

[cancel without an answer, DANA being asked]
refund_unknown | bad | refund not confirmed | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not deliver, and do not refund by other means, before DANA has answered.
→ Ask DANA now | Send the refund again | Give money back…

[cancel not done]
refund_not_done | bad | refund not done | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Send the refund again | Give money back… | Close: no refund needed… | Ask DANA now | Settled outside…

[cancel refused]
refund_not_done | bad | refund not done | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Close: no refund needed… | Give money back… | Ask DANA now | Settled outside…

[cancel refused, DANA to be asked]
refund_not_done | bad | refund not done | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Send the refund again | Give money back… | Close: no refund needed… | Ask DANA now | Settled outside…

[cancel refused, signature]
refund_not_done | bad | refund not done | needs attention | about cancel 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Send the refund again | Give money back… | Close: no refund needed… | Ask DANA now | Settled outside…

[cancel refused, closed]
paid | good | paid
Rp15,000.00 has arrived.
Deliver it. The money can be given back until 22 Nov, 09:30.
Send the refund again | Give money back… | Ask DANA now | Settled outside…

[two cancels refused]
refund_not_done | bad | refund not done | needs attention | about cancel 2
Refund of Rp15,000.00 asked for by the shop, 09:31 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Close: no refund needed… | Send the refund again | Close: no refund needed… | Give money back… | Ask DANA now | Settled outside…

[refund under way]
refund_under_way | wait | refund under way | under way | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30. DANA has not confirmed it yet.
Do not refund by other means. This page will show the result.
Send the refund of Rp6,000.00 again | Give money back… | Ask DANA now

[refund of all under way]
refund_under_way | wait | refund under way | under way | about refund 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA has not confirmed it yet.
Do not deliver, and do not refund by other means. This page will show the result.
Send the refund of Rp15,000.00 again | Ask DANA now

[refund refused for now]
refund_refused_for_now | bad | refund refused for now | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA refuses it for now.
(what the request says)
→ Send the refund of Rp6,000.00 again | Ask DANA now | Stop sending the refund of Rp6,000.00 | Give money back…

[refund without an answer]
refund_unknown | bad | refund not confirmed | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not refund by other means before DANA has answered.
→ Ask DANA now | Send the refund of Rp6,000.00 again | Close: no refund of Rp6,000.00 needed… | Give money back… | Settled outside…

[refund without an answer, DANA being asked]
refund_unknown | bad | refund not confirmed | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not refund by other means before DANA has answered.
→ Ask DANA now | Send the refund of Rp6,000.00 again | Give money back…

[refund of all without an answer]
refund_unknown | bad | refund not confirmed | needs attention | about refund 1
Refund of Rp15,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not deliver, and do not refund by other means, before DANA has answered.
→ Ask DANA now | Send the refund of Rp15,000.00 again | Close: no refund of Rp15,000.00 needed… | Settled outside…

[refund without an answer, another refused]
refund_unknown | bad | refund not confirmed | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not refund by other means before DANA has answered.
→ Ask DANA now | Send the refund of Rp6,000.00 again | Send the refund of Rp3,000.00 again | Close: no refund of Rp3,000.00 needed… | Close: no refund of Rp6,000.00 needed… | Give money back… | Settled outside…

[refund without an answer, given back meanwhile]
refunded | calm | given back | needs attention
The money was given back at DANA. There is nothing to do.
Close: no refund of Rp6,000.00 needed… | Ask DANA now

[refund with another's number]
refund_unknown | bad | refund not confirmed | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). DANA gave no clear answer, so it is not known whether it happened.
Do not refund by other means before DANA has answered.
→ Ask DANA now | Send the refund of Rp6,000.00 again | Close: no refund of Rp6,000.00 needed… | Give money back… | Settled outside…

[refund without an answer, another under way]
refund_under_way | wait | refund under way | needs attention | under way | about refund 2
Refund of Rp3,000.00 asked for by the shop, 09:31 (“Stok habis”). DANA has not confirmed it yet.
Do not refund by other means. This page will show the result.
Send the refund of Rp3,000.00 again | Send the refund of Rp6,000.00 again | Close: no refund of Rp6,000.00 needed… | Give money back… | Ask DANA now

[refund not done]
refund_not_done | bad | refund not done | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Send the refund of Rp6,000.00 again | Give money back… | Close: no refund of Rp6,000.00 needed… | Ask DANA now | Settled outside…

[refund refused]
refund_not_done | bad | refund not done | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Close: no refund of Rp6,000.00 needed… | Give money back… | Ask DANA now | Settled outside…

[refund refused, DANA to be asked]
refund_not_done | bad | refund not done | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Send the refund of Rp6,000.00 again | Give money back… | Close: no refund of Rp6,000.00 needed… | Ask DANA now | Settled outside…

[refund refused, closed]
paid | good | paid
Rp15,000.00 has arrived.
Deliver it. The money can be given back until 22 Nov, 09:30.
Send the refund of Rp6,000.00 again | Give money back… | Ask DANA now | Settled outside…

[refund refused after another was done]
refund_not_done | bad | refund not done | needs attention | about refund 1
Refund of Rp6,000.00 asked for by the shop, 09:30 (“Stok habis”). It did not happen. The money is still with us.
(what the request says)
→ Close: no refund of Rp6,000.00 needed… | Give money back… | Ask DANA now | Settled outside…
"""  # noqa: E501


def shown() -> dict[str, str]:
    """Read what is written out above, by situation."""
    sections = (section.partition("\n") for section in SHOWN.strip().split("\n\n"))
    return {name.strip("[]"): text for name, _, text in sections}


def seen(summary: Summary) -> Iterator[str]:
    """Yield what is shown: a line of states, a sentence, an advice, and the acts, with an arrow before the primary."""
    request = summary.request
    states = {"needs attention": summary.needs_attention, "under way": summary.is_under_way}
    about = f"about {request.operation.key} {summary.requests.index(request) + 1}" if request else ""
    yield " | ".join(filter(None, [summary.code, summary.tone, summary.badge, *filter(states.get, states), about]))
    yield summary.sentence
    # what DANA's table says about a request is compared where the table is
    yield "(what the request says)" if request and summary.advice == request.next_step else summary.advice
    primary = summary.primary.label if summary.primary else ""
    yield " | ".join(filter(None, [primary and f"→ {primary}", *(act.label for act in summary.others)]))
    if summary.proposal != primary:
        yield f"asks for: {summary.proposal}"


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_shown(clock: Clock, name: str) -> None:
    order = order_in(SITUATIONS[name], clock)
    text = "\n".join(filter(None, seen(summarize(order))))
    assert text == shown()[name]


def test_every_situation_is_written_out() -> None:
    assert list(shown()) == list(SITUATIONS)


def test_who_asked_is_named(clock: Clock) -> None:
    clerk = User.objects.create_user("clerk")
    order = order_in((PAID, [cancel(requested_by=clerk)]), clock)
    assert summarize(order).sentence.startswith("Refund of Rp15,000.00 asked for by clerk, 09:30 (“Stok habis”). ")


def test_without_a_reason_none_is_shown_of_a_cancel_where_nothing_was_paid(clock: Clock) -> None:
    order = order_in((AT_DANA, [cancel(reason="")]), clock)
    assert summarize(order).sentence == "Cancel asked for by the shop, 09:30. DANA has not confirmed it yet."


def test_it_waits_since_its_request_was_asked_for_else_since_its_last_change(clock: Clock) -> None:
    order = order_in((PAID, [cancel_refused("4005700"), CANCEL_UNKNOWN, cancel_refused("4005700")]), clock)
    summary = summarize(order)
    assert summary.requests == [*order.cancel_requests.order_by("pk")]
    assert summary.waits_since == summary.requests[1].created_at
    order.cancel_requests.all().delete()
    assert summarize(fresh(order)).waits_since == order.updated_at


def test_requests_of_both_kinds_stand_in_the_order_in_which_they_were_asked_for(clock: Clock) -> None:
    order = order_in((PAID, [cancel_refused("4005700"), REFUND_DONE, cancel_refused("4005700"), REFUND_DONE]), clock)
    requests = summarize(order).requests
    assert [request.operation.key for request in requests] == ["cancel", "refund", "cancel", "refund"]
    assert requests == sorted(requests, key=lambda request: request.created_at)


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        (PAID, NOW + A_DAY),
        ({**PAID, "refunded_amount": PART}, None),
        ({**PAID, "paid_at": None}, None),
        (GIVEN_BACK, None),
        (AT_DANA, None),
    ],
    ids=["paid", "partly given back", "paid, nobody knows when", "given back", "unpaid"],
)
def test_until_when_the_whole_is_cancelled(fields: dict[str, Any], until: datetime | None) -> None:
    assert summarize(order_with(**fields)).cancel_until == until


def test_the_window_is_over_as_soon_as_it_ends() -> None:
    order = order_with(**PAID)
    last = summarize(order, now=NOW + A_DAY - timedelta(microseconds=1))
    assert last.advice.startswith("Deliver it.")
    assert summarize(order, now=NOW + A_DAY).advice == "DANA's 24 hours to cancel it are over."


WHERE: dict[str, tuple[dict[str, Any], str, str]] = {
    "unpaid": (AT_DANA, "0", "0"),
    "paid": (PAID, "15000.00", "0.00"),
    "partly given back": ({**PAID, "refunded_amount": PART}, "15000.00", "6000.00"),
    "cancelled": (GIVEN_BACK, "15000.00", "15000.00"),
    "refunded": ({**PAID, "payment_status": "refunded"}, "15000.00", "15000.00"),
    "cancelled before it was paid": ({**AT_DANA, "payment_status": "cancelled"}, "0", "0"),
    "expired": ({**AT_DANA, "payment_status": "expired"}, "0", "0"),
}


@pytest.mark.parametrize(("fields", "paid", "back"), WHERE.values(), ids=WHERE)
def test_where_the_money_is(fields: dict[str, Any], paid: str, back: str) -> None:
    money = summarize(order_with(**fields)).money
    assert (money.paid, money.given_back, money.currency) == (Decimal(paid), Decimal(back), "IDR")
    assert money.still_with_us == Decimal(paid) - Decimal(back)


def test_an_order_that_was_refused_and_stopped_before_it_was_sent_again_was_refused() -> None:
    order = order_with(create_status="failed", attempts=0, rule_code="4005400", next_attempt_at=None)
    assert str(summarize(order).badge) == "refused by DANA"
