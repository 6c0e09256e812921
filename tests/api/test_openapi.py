"""The API does what its description says.

SCHEMATHESIS_EXAMPLES=500 sends so many random requests to each operation instead of a few fixed ones, and all that
schemathesis derives from the limits of each field.
"""

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from django_dana import gateway
from django_dana.models import CancelRequest, Order, RefundRequest
from tests.factories import order_with

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))

#: A title of control characters, an end in the past, a method without its phone: JSON Schema has no word for them.
NO_SUCH_CHECK = [checks.positive_data_acceptance]


def described() -> dict[str, Any]:
    """Return what schema/ serves."""
    response = Client().get("/dana/api/schema/", headers={"accept": "application/vnd.oai.openapi+json"})
    assert response.status_code == 200
    description: dict[str, Any] = json.loads(response.content)
    return description


def as_schemathesis_reads_it() -> Any:
    """Return the operations; they need no database."""
    config = SchemathesisConfig()
    config.projects.default.phases.coverage.enabled = bool(EXAMPLES)
    # ours is sent along; who may not is the subject of another test
    config.projects.default.generation.with_security_parameters = False
    schema = schemathesis.openapi.from_dict(described(), config=config)
    schema.app = get_wsgi_application()
    return schema


operations = as_schemathesis_reads_it()


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Let the connection of the test live on after a request, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def some_rows(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders and requests, and nobody who speaks to DANA."""
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)
    User.objects.create_superuser("root", password="root")
    for reference in ("INV-1", "INV-2"):
        order_with(
            order_arguments={"partner_reference_no": reference},
            create_status="success",
            payment_status="paid",
            paid_at=timezone.now(),
            next_attempt_at=None,
        )
    common = {"order": Order.objects.latest("id"), "amount": 1, "give_up_at": timezone.now(), "status": "failed"}
    CancelRequest.objects.create(**common, unfinished=None, requested_by=User.objects.get())
    RefundRequest.objects.create(**common, unfinished=False)


some = hypothesis.settings(
    max_examples=EXAMPLES or 10,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
ROOT_USER = {"Authorization": f"Basic {base64.b64encode(b'root:root').decode()}"}


@operations.parametrize()  # type: ignore[untyped-decorator]
@some
def test_whatever_is_sent(case: Any) -> None:
    case.call_and_validate(headers=ROOT_USER, excluded_checks=NO_SUCH_CHECK)


@operations.parametrize()  # type: ignore[untyped-decorator]
@some
def test_whatever_is_sent_to_what_is_there(case: Any) -> None:
    there = {
        "reference": "INV-1",
        "request_id": (RefundRequest if "refund" in case.path else CancelRequest).objects.get(status="failed").pk,
        "public_id": str(Order.objects.earliest("id").public_id),
    }
    case.path_parameters = {name: there[name] for name in case.path_parameters or {}}
    # it may have been the path that was to be refused
    case.call_and_validate(headers=ROOT_USER, excluded_checks=[*NO_SUCH_CHECK, checks.negative_data_rejection])


@operations.parametrize()  # type: ignore[untyped-decorator]
@hypothesis.settings(some, max_examples=3)
def test_whatever_nobody_sends(case: Any) -> None:
    response = case.call_and_validate(excluded_checks=[*NO_SUCH_CHECK, checks.negative_data_rejection])
    assert response.status_code in ((401, 403, 405) if "/status/" not in case.path else (200, 404, 405))


def test_it_is_openapi_3_1_with_examples() -> None:
    description = described()
    assert description["openapi"].startswith("3.1")
    content = description["paths"]["/dana/api/orders/"]["post"]["requestBody"]["content"]["application/json"]
    assert len(content["examples"]) == 2
    assert description["components"]["schemas"]["OrderInput"]["additionalProperties"] is False


def test_every_operation_is_described() -> None:
    description = described()
    for path, item in description["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (path, method)
            assert "401" in operation["responses"] or "/status/" in path
            if method == "post":
                assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]


def test_it_drops_no_warning(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/dana/api/schema/")
    assert capsys.readouterr().err == ""
