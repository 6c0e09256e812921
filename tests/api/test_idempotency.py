"""Idempotency-Key: done once, answered the same."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, OperationalError, close_old_connections, connection

from django_dana import services, tasks
from django_dana.api import idempotency
from django_dana.models import CancelRequest, IdempotencyKey, Order
from tests import wire as w
from tests.api.conftest import Api
from tests.conftest import Clock
from tests.factories import created_order, paid_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

BODY = {"amount": "15000.00", "title": "Kopi Gayo"}


def test_the_same_request_is_done_once_and_answered_the_same(api: Api) -> None:
    first, second = api.post("orders/", BODY, key="k1"), api.post("orders/", BODY, key="k1")
    assert Order.objects.count() == 1
    assert (first.status_code, first.content, first["Location"]) == (
        second.status_code,
        second.content,
        second["Location"],
    )
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"


def test_without_a_key_it_is_done_each_time(api: Api) -> None:
    api.post("orders/", BODY)
    api.post("orders/", BODY)
    assert Order.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


def test_the_same_object_in_another_order_is_the_same(api: Api) -> None:
    api.post("orders/", b'{"amount": "1.00", "title": "x"}', key="k1")
    assert api.post("orders/", b'{"title":"x","amount":"1.00"}', key="k1").status_code == 201
    assert Order.objects.count() == 1


def test_another_body_is_refused(api: Api) -> None:
    api.post("orders/", BODY, key="k1")
    response = api.post("orders/", {**BODY, "amount": "15001.00"}, key="k1")
    assert response.status_code == 422
    assert response.json().keys() == {"detail"}
    assert Order.objects.count() == 1


def test_another_address_is_refused(api: Api, dana: Wire) -> None:
    one, other = paid_order(dana), paid_order(dana)
    assert api.post(f"orders/{one.public_id}/cancel/", {}, key="k1").status_code == 201
    assert api.post(f"orders/{other.public_id}/cancel/", {}, key="k1").status_code == 422
    assert CancelRequest.objects.count() == 1


def test_another_key_is_another_request(api: Api) -> None:
    # some databases know no difference between these without care
    for key in ("k1", "K1", "k1 x", "k-1"):
        assert api.post("orders/", BODY, key=key).status_code == 201
    assert Order.objects.count() == 4


def test_a_key_belongs_to_its_user(api: Api) -> None:
    api.post("orders/", BODY, key="k1")
    other = Api(User.objects.create_superuser("other"))
    response = other.post("orders/", {**BODY, "title": "another"}, key="k1")
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


def test_whoever_lost_the_permission_gets_no_old_answer(api: Api) -> None:
    api.post("orders/", BODY, key="k1")
    User.objects.update(is_superuser=False)
    assert api.post("orders/", BODY, key="k1").status_code == 403


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "é"])
def test_a_key_is_printable_and_not_endless(api: Api, key: str) -> None:
    response = api.post("orders/", BODY, key=key)
    assert response.status_code == 400
    assert list(response.json()) == ["Idempotency-Key"]
    assert not Order.objects.exists()


def test_the_longest_key_is_taken(api: Api) -> None:
    assert api.post("orders/", BODY, key="x" * 255).status_code == 201


def test_a_refusal_is_an_answer_too(api: Api, dana: Wire) -> None:
    order = paid_order(dana)
    path = f"orders/{order.public_id}/cancel/"
    services.cancel_order(order)
    first = api.post(path, {}, key="k1")
    CancelRequest.objects.update(status="failed", unfinished=None)
    second = api.post(path, {}, key="k1")
    assert first.status_code == second.status_code == 400
    assert first.content == second.content
    assert api.post(path, {}, key="k2").status_code == 201


def test_an_error_of_ours_keeps_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(services, "create_order", lambda **values: 1 / 0)
        api.client.raise_request_exception = False
        assert api.post("orders/", BODY, key="k1").status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert api.post("orders/", BODY, key="k1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_can_not_be_kept_undoes_the_work(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, **options: Any) -> None:
        if not options.get("force_insert"):
            raise OperationalError("disk full")
        original(self, **options)

    original = IdempotencyKey.save
    api.client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(IdempotencyKey, "save", full)
        assert api.post("orders/", BODY, key="k1").status_code == 500
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_after_a_day_a_key_is_new(api: Api, clock: Clock) -> None:
    api.post("orders/", BODY, key="k1")
    clock.forward(hours=23)
    assert api.post("orders/", BODY, key="k1")["Idempotent-Replayed"] == "true"
    clock.forward(hours=1, minutes=1)
    response = api.post("orders/", {**BODY, "title": "another"}, key="k1")
    assert response.status_code == 201
    assert Order.objects.count() == 2


def test_what_is_kept_no_longer_is_deleted_bit_by_bit(api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "_FORGOTTEN_AT_ONCE", 2)
    for number in range(3):
        api.post("orders/", BODY, key=f"k{number}")
    clock.forward(days=1, seconds=1)
    api.post("orders/", BODY, key="new")
    assert IdempotencyKey.objects.count() == 2
    api.post("orders/", BODY, key="newer")
    assert IdempotencyKey.objects.count() == 2


def test_no_key_is_kept_as_it_was_sent(api: Api) -> None:
    api.post("orders/", BODY, key="secret-key")
    assert "secret-key" not in json.dumps(list(IdempotencyKey.objects.values()), default=str)


def test_dana_is_asked_once(api: Api, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount=str(order.amount)))
    first = api.post(f"orders/{order.public_id}/sync/", key="k1")
    second = api.post(f"orders/{order.public_id}/sync/", key="k1")
    assert first.status_code == 200
    assert first.content == second.content
    assert len(dana.bodies(QUERY_PATH)) == 1


def test_of_two_that_asked_dana_the_first_answer_counts(api: Api, dana: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    order = created_order(dana)
    dana.play(w.status("01"))
    path = f"orders/{order.public_id}/sync/"
    asked: list[Any] = []

    def meanwhile(*args: Any, **options: Any) -> Order:
        if not asked:
            asked.append(None)
            asked[0] = api.post(path, key="k1")
        return Order.objects.get()

    monkeypatch.setattr(services, "sync_order", meanwhile)
    late = api.post(path, key="k1")
    assert late["Idempotent-Replayed"] == "true"
    assert late.content == asked[0].content


def test_a_user_without_an_id_has_no_keys() -> None:
    from rest_framework.exceptions import ValidationError
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory

    request = Request(APIRequestFactory().post("/", headers={"Idempotency-Key": "k1"}))
    request.user = AnonymousUser()
    with pytest.raises(ValidationError):
        idempotency._key_of(request)


@pytest.mark.parametrize("error", [OperationalError("deadlock"), OperationalError("database is locked")])
def test_who_could_not_wait_is_told_to_send_it_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(IdempotencyKey, "save", fail)
    response = api.post("orders/", BODY, key="k1")
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert not Order.objects.exists()


def test_an_answer_that_came_to_nothing_meanwhile_is_asked_for_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(self: Any, **options: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(IdempotencyKey, "save", taken)
    assert api.post("orders/", BODY, key="k1").status_code == 503


needs_a_server = pytest.mark.skipif(
    "connection.vendor == 'sqlite' and not connection.settings_dict['TEST'].get('NAME')",
    reason="threads can't share an SQLite database in memory; set DATABASE_URL to PostgreSQL, MariaDB or a file",
)


@needs_a_server
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(3))
def test_of_many_at_once_one_does_it_and_all_get_its_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(tasks, "start", lambda *args, **options: None)
    barrier = threading.Barrier(6)

    def post() -> Any:
        try:
            connection.ensure_connection()
            mine = Api(api.user)
            barrier.wait(10)
            return send_until_answered(lambda: mine.post("orders/", BODY, key="k1"))
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        responses = [future.result() for future in [pool.submit(post) for _thread in range(6)]]
    assert Order.objects.count() == 1
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response for response in responses) == 1


def send_until_answered(send: Callable[[], Any]) -> Any:
    """Send it again where we are told to."""
    for _attempt in range(5):
        response = send()
        if response.status_code != 503:
            break
    return response


def test_a_day_is_what_is_promised() -> None:
    from django_dana.models.idempotency import KEPT_FOR

    assert timedelta(days=1) == KEPT_FOR
