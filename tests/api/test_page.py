"""The page on the REST API: every call of it is made, in order, and answered as it says."""

import base64
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_dana import tasks
from django_dana.api import base, serializers, urls, views
from django_dana.models import Order, OrderState
from tests import wire as w
from tests.factories import order_with
from tests.wire import Wire

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[2] / "docs" / "rest_api.rst").read_text()
BLOCKS = re.compile(r"^\.\. code-block:: (bash|json)\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def calls() -> list[tuple[str, Any]]:
    """Return the commands of the page, each with the answer that is shown."""
    blocks = BLOCKS.findall(PAGE)
    assert [kind for kind, _text in blocks] == ["bash", "json"] * (len(blocks) // 2)
    texts = [text for _kind, text in blocks]
    return [(command, json.loads(answer)) for command, answer in zip(texts[::2], texts[1::2], strict=True)]


def curl(client: Client, command: str) -> Any:
    """Make the request that curl would make."""
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    method, headers, data, url = "", {}, "", ""
    for word in words:
        match word:
            case "-u":
                headers["Authorization"] = f"Basic {base64.b64encode(next(words).encode()).decode()}"
            case "-X":
                method = next(words)
            case "-H":
                name, _colon, value = next(words).partition(":")
                headers[name] = value.strip()
            case "-d":
                data = next(words)
            case _:
                url = word
    content_type = headers.pop("Content-Type", "application/x-www-form-urlencoded")
    path = url.removeprefix("https://shop.example")
    assert path != url
    return client.generic(
        method or ("POST" if data else "GET"),
        path,
        data,
        content_type=content_type,
        headers=headers,
        secure=True,
        SERVER_NAME="shop.example",
        SERVER_PORT="443",
    )


def assert_shown(shown: Any, answered: Any) -> None:
    """Check that the answer is what the page shows of it; … is anything."""
    if isinstance(shown, dict):
        for name, part in shown.items():
            assert_shown(part, answered[name])
    elif isinstance(shown, list):
        assert len(shown) == len(answered)
        for part, other in zip(shown, answered, strict=True):
            assert_shown(part, other)
    elif isinstance(shown, str):
        assert re.fullmatch(re.escape(shown).replace("…", ".+"), answered), (shown, answered)
    else:
        assert shown == answered


def test_every_call_is_answered_as_the_page_says(client: Client, dana: Wire) -> None:
    dana.play(w.code("2005400"), w.status("00", amount="15000.00"), w.code("2005800"), w.code("2005700"))
    User.objects.create_superuser("shop", password="secret")
    # the order of the part on refunds
    order_with(
        order_arguments={"partner_reference_no": "INV-1041"},
        create_status="success",
        payment_status="paid",
        paid_at=timezone.now(),
        next_attempt_at=None,
    )
    for command, shown in calls():
        order = Order.objects.filter(partner_reference_no="INV-1042").first()
        response = curl(client, command.replace("$PUBLIC_ID", str(order.public_id) if order else ""))
        assert response.status_code < 300 or "colour" in command, (command, response.content)
        assert_shown(shown, response.json())
        # meanwhile the workers do theirs
        tasks.retry_due()
    assert response.status_code == 400


def test_the_page_names_every_call_and_its_permissions() -> None:
    for pattern in urls.urlpatterns:
        route = re.sub(r"<str:(\w+)>", r"<\1>", str(pattern.pattern)).replace("<request_id>", "<id>")
        assert f"{route}``" in PAGE, route
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, base.DanaView) and view is not views.Status:
            for method, permissions in view.permissions.items():
                row = next(row for row in PAGE.split("   * - ") if f"``{method} {route}``" in row)
                assert all(f"``{permission}``" in row for permission in permissions)
                assert row.count("``django_dana.") == len(permissions) + 1


def test_the_page_names_every_state_and_every_filter() -> None:
    for word in (*OrderState.values, *serializers.OrderFilter().fields):
        assert f"``{word}``" in PAGE
