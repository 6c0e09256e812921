"""What a stranger's message costs a shop: the worst that is read whole, with a signature of the right length."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.views.decorators.csrf import csrf_exempt

from django_dana.exceptions import InvalidSignature
from django_dana.models import Notification
from django_dana.protocol import signing
from django_dana.services.notifications import MAX_REFUSED_BYTES
from django_dana.webhook.views import MAX_BODY_BYTES
from tests import keys
from tests.benchmarks.measuring import Line, in_turns
from tests.notices import PATH, headers

BODY = b'" ' * (MAX_BODY_BYTES // 2)

#: A forged message leaves a row, and the oldest goes: what a stranger costs is measured where the store is not full.
ROUNDS = 60


def measure() -> Iterator[Line]:
    """Measure one account against a view by hand, and more of them against one."""
    name = "a forged notification of 128 KiB"
    yield Line(
        name=f"{name}, 1 account",
        floor_name="a view by hand: hash, minify, compare, insert",
        goal=1.5,
        figures=in_turns(_posts(PATH), _posts("/forged"), rounds=ROUNDS, clock=time.thread_time),
    )
    for number in (10, 100):
        yield Line(
            name=f"{name}, {number} accounts",
            floor_name="with 1 account",
            goal=2,
            figures=in_turns(_posts(PATH, number), _posts(PATH), rounds=ROUNDS, clock=time.thread_time),
        )


@csrf_exempt
def refusal_by_hand(request: HttpRequest) -> HttpResponse:
    """Find out that DANA did not sign, keep the beginning, answer."""
    sent, body = request.headers, request.body
    key = signing.load_public_key(keys.DANA_PUBLIC_KEY)
    with suppress(InvalidSignature):
        signing.verify(key, sent["X-Signature"], method="POST", path=PATH, body=body, timestamp=sent["X-Timestamp"])
    Notification.objects.create(body=body[:MAX_REFUSED_BYTES].decode())
    return JsonResponse({"responseCode": "4015600", "responseMessage": "Unauthorized"}, status=401)


def _posts(path: str, accounts: int = 1) -> Callable[[], Any]:
    client, sent = Client(), headers(BODY, key=keys.STRANGER_PRIVATE_KEY, partner_id="somebody")
    setting = _setting(accounts)

    def post() -> None:
        settings.DANA = setting
        answer = client.post(path, BODY, content_type="application/json", headers=sent)
        assert answer.json()["responseCode"] == "4015600"

    return post


def _setting(accounts: int) -> dict[str, Any]:
    """Return the accounts of so many merchants, for all of whom DANA signs with one key."""
    default = settings.DANA["default"]
    others = {f"a{n}": {**default, "MERCHANT_ID": f"M-{n}", "PARTNER_ID": f"P-{n}"} for n in range(1, accounts)}
    return {"default": default, **others}
