"""Users and calls of the REST API."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

ROOT = "/dana/api/"


class Api:
    """A program that speaks to the API as one user, or as nobody."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client(enforce_csrf_checks=False)
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path if path.startswith(("/", "http")) else ROOT + path, query)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        if key is not None:
            headers["Idempotency-Key"] = key
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.post(ROOT + path, content, content_type="application/json", headers=headers)


def permission(name: str) -> Permission:
    app, _dot, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


@pytest.fixture
def api_of(db: None) -> Callable[[Sequence[str]], Api]:
    """Make a user with these permissions, and its program."""

    def make(permissions: Sequence[str]) -> Api:
        user = User.objects.create_user(f"user{User.objects.count()}")
        user.user_permissions.set([permission(name) for name in permissions])
        return Api(user)

    return make


@pytest.fixture
def api(db: None) -> Api:
    """The program of a user who may do everything."""
    return Api(User.objects.create_superuser("root"))
