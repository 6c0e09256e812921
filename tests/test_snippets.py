"""The Python of the documentation runs."""

import ast
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from django.test import RequestFactory, override_settings
from django.urls import resolve, reverse
from django.utils import translation

from django_dana import conf, services, signals, tasks
from django_dana.checks import check_setting
from django_dana.models import Order
from django_dana.testing import Dana, running_dana
from tests.factories import new_order
from tests.keys import DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY
from tests.snippets import DOCS, python_blocks

PAGES = sorted(path.name for path in DOCS.glob("*.rst"))


def run(source: str, **names: Any) -> dict[str, Any]:
    """Run an example; return what it defines."""
    exec(source, names)  # noqa: S102  it is ours
    return names


def block_with(page: str, text: str) -> str:
    """Return the one example of a page that holds a text."""
    (found,) = [block for block in python_blocks(page) if text in block]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_each_example_is_python(page: str) -> None:
    for block in python_blocks(page):
        ast.parse(block)


# -- orders -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def dana(db: None) -> Iterator[Dana]:
    with running_dana() as dana:
        yield dana


def test_the_checkout_view_of_the_installation(dana: Dana) -> None:
    view = "def view():\n" + textwrap.indent(block_with("installation.rst", "create_order"), "    ")
    response = run(view)["view"]()
    assert resolve(response.url).kwargs == {"public_id": Order.objects.get().public_id}


def test_two_refunds_give_back_all(dana: Dana) -> None:
    order = dana.pay(new_order())
    run(block_with("refunds.rst", "one cup of two"), order=order, Decimal=Decimal, request=Mock(user=None))
    order.refresh_from_db()
    assert (order.payment_status, order.amount_left) == ("refunded", Decimal(0))


def test_a_receiver_is_told_of_the_payment(dana: Dana) -> None:
    purchases = Mock()
    names = run(block_with("signals.rst", "def pack"), Purchase=purchases)
    order = dana.pay(new_order())
    signals.order_paid.disconnect(names["pack"])
    purchases.objects.filter.assert_called_once_with(payment=order, packed_at=None)


def test_personal_data_is_erased(dana: Dana) -> None:
    order = dana.pay(new_order(return_url="/orders/7/"))
    run(block_with("personal_data.rst", "erase_personal_data"), order=order)
    assert Order.objects.get().return_url == ""


def test_beat_and_routes_name_tasks_that_are_there() -> None:
    beat = run(block_with("installation.rst", "BEAT_SCHEDULE"))["CELERY_BEAT_SCHEDULE"]
    routes = run(block_with("performance.rst", "CELERY_TASK_ROUTES"))["CELERY_TASK_ROUTES"]
    assert {entry["task"] for entry in beat.values()} | set(routes) <= set(tasks.retry_due.app.tasks)


def test_the_loggers_can_be_configured() -> None:
    script = block_with("monitoring.rst", "LOGGING = ") + "import logging.config\nlogging.config.dictConfig(LOGGING)"
    subprocess.run([sys.executable, "-c", script], check=True)


# -- several accounts -------------------------------------------------------------------------------------------------


@pytest.fixture
def accounts_of_the_page() -> Any:
    setting = run(block_with("accounts.rst", "COMMON = "))["DANA"]
    ours = {"PRIVATE_KEY": SHOP_PRIVATE_KEY, "DANA_PUBLIC_KEY": DANA_PUBLIC_KEY}
    return {
        alias: {name: value for name, value in {**options, **ours}.items() if not name.endswith("_PATH")}
        for alias, options in setting.items()
    }


@pytest.mark.django_db
def test_two_accounts(settings: Any, accounts_of_the_page: Any) -> None:
    settings.DANA = accounts_of_the_page
    assert check_setting() == []
    run(block_with("accounts.rst", 'account="beans"'), services=services)
    assert Order.objects.get().merchant_id == "216620000000000000002"


def test_merchants_in_a_table(settings: Any, accounts_of_the_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [SimpleNamespace(alias=alias, dana_id=f"M-{alias}") for alias in ("default", "beans")]
    models: Any = ModuleType("shop.models")
    models.Merchant = SimpleNamespace(objects=SimpleNamespace(all=lambda: rows))
    payments: Any = ModuleType("shop.payments")
    payments.__dict__.update(run(block_with("accounts.rst", "def dana_accounts")))
    for name, module in {"shop": ModuleType("shop"), "shop.models": models, "shop.payments": payments}.items():
        monkeypatch.setitem(sys.modules, name, module)
    settings.DANA_COMMON = accounts_of_the_page["default"]
    settings.DANA = run(block_with("accounts.rst", "shop.payments.dana_accounts"))["DANA"]
    assert [account.merchant_id for account in conf.accounts()] == ["M-default", "M-beans"]


# -- how it runs ------------------------------------------------------------------------------------------------------


def test_languages_in_the_address() -> None:
    module: Any = ModuleType("urls_of_the_page")
    module.__dict__.update(run(block_with("deployment.rst", "i18n_patterns")))
    with override_settings(ROOT_URLCONF=module):
        for language in ("en", "id"):
            with translation.override(language):
                assert reverse("django_dana:notify") == "/dana/v1.0/debit/notify"
                assert reverse("admin:index") == f"/{language}/admin/"


def test_a_router_for_replicas(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [run(block_with("deployment.rst", "class ReplicaRouter"))["ReplicaRouter"]()]
    assert check_setting() == []


@pytest.mark.django_db
def test_an_order_from_async_code() -> None:
    checkout = run(block_with("deployment.rst", "sync_to_async"))["checkout"]
    response = async_to_sync(checkout)(RequestFactory().get("/"))
    assert resolve(response.url).kwargs == {"public_id": Order.objects.get().public_id}


# -- signals ----------------------------------------------------------------------------------------------------------


def test_one_cart_with_several_attempts(tmp_path: Path) -> None:
    models, view, receiver = python_blocks("several_attempts.rst")
    package = tmp_path / "cart"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "urls.py").write_text(URLS)
    (package / "models.py").write_text(models)
    (package / "views.py").write_text("from cart.models import Attempt, Cart\n" + view)
    (package / "receivers.py").write_text("from cart.models import Cart\n" + receiver)
    (tmp_path / "story.py").write_text(STORY)
    run = subprocess.run(
        [sys.executable, tmp_path / "story.py"],
        env={"PYTHONPATH": f"{tmp_path}:{DOCS.parent}"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")


URLS = """
from django.urls import include, path

urlpatterns = [path("dana/", include("django_dana.urls"))]
"""

STORY = textwrap.dedent(
    """
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_dana", "cart"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROOT_URLCONF="cart.urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",
        DANA={"default": {}},
    )
    django.setup()

    from django.core.management import call_command
    from django.test import RequestFactory
    from django.test.utils import setup_test_environment

    call_command("migrate", run_syncdb=True, verbosity=0)
    setup_test_environment()
    from cart import receivers, views
    from cart.models import Cart
    from django_dana.testing import running_dana

    request = RequestFactory().get("/")
    cart = Cart.objects.create(total=85_000)
    with running_dana() as dana:
        assert views.pay(request, cart.pk).status_code == 302
        assert views.pay(request, cart.pk).status_code == 302
        assert cart.attempts.count() == 1, "an attempt that can still be paid is used again"
        first = cart.attempts.get().order
        dana.expire(first)
        views.pay(request, cart.pk)
        second = cart.attempts.latest("pk").order
        assert second != first
        dana.pay(second)
        cart.refresh_from_db()
        assert cart.paid_by == second
        dana.pay(first, even_if_closed=True)
        dana.run_due()
        cart.refresh_from_db()
        assert cart.paid_by == second
        assert not second.cancel_requests.exists()
        assert [request.reason for request in first.cancel_requests.all()] == ["paid twice"]
    """
)
