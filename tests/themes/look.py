"""Print the pages of staff as an admin theme shows them: ``python -m tests.themes.look unfold``.

A process of its own for each theme, since a theme stands before the admin in INSTALLED_APPS.
"""

import json
import sys
from typing import Any

import django
from django.conf import settings

from tests import settings as suite


def main(*themes: str) -> dict[str, str]:
    """Return the pages by name."""
    values = {name: getattr(suite, name) for name in dir(suite) if name.isupper()}
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    settings.configure(**{**values, "INSTALLED_APPS": [*themes, *suite.INSTALLED_APPS], "DATABASES": databases})
    django.setup()

    from django.db import connection
    from django.test.utils import setup_test_environment

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    return pages()


def pages() -> dict[str, str]:
    """Return what a member of staff sees."""
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.admin.helpers import ORDERS, aborted, cancel_page, notification_of, page, paid

    def shown(url: str, **data: Any) -> str:
        answer = staff.post(url, data) if data else staff.get(url)
        assert answer.status_code == 200, url
        return answer.content.decode()

    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    order = paid()
    cancel_request = aborted(order)
    notification_of(None, outcome="unknown_order", partner_reference_no="LOST-1")
    return {
        "list": shown(ORDERS),
        "order": shown(page(order)),
        "give back": shown(page(order, "give-back")),
        "note": shown(page(order, "settle-outside")),
        "request": shown(cancel_page(cancel_request)),
        "inbox": shown(f"{ORDERS}inbox/"),
        "overview": shown(f"{ORDERS}overview/"),
        "several": shown(ORDERS, action="give_back_selected", _selected_action=[order.pk]),
        "history": shown(page(order, "history")),
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
