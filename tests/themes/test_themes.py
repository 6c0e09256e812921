"""At home in every admin: all buttons and the way back are there, whatever theme the shop's admin has."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import missing

THEMES: dict[str, tuple[str, ...]] = {
    "Django's own": (),
    "django-unfold": ("unfold",),
    "django-jazzmin": ("jazzmin",),
}

#: By what the way back is known that each theme draws above a page.
BREADCRUMBS = {
    "Django's own": 'class="breadcrumbs"',
    "django-unfold": 'href="/admin/django_dana/"',
    "django-jazzmin": 'class="breadcrumb-item"><a href="/admin/">Home</a>',
}

BACK = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK} "

#: What each page must have among what is ours.
OURS = {
    "order": [
        "Send the refund again",
        "Give money back…",
        "Close: no refund needed…",
        "Ask DANA now",
        "Settled outside…",
        "refund not done",
        "needs attention",
        "Tell the buyer",
        "What happened",
        BACK + "Orders",
    ],
    "give back": ["How much goes back?", "Yes, give it back", "No, take me back", 'name="reason"', 'name="amount"'],
    "note": ["Settled outside DANA", 'name="note"', "No, take me back"],
    "request": ["Send again", "Mark as reviewed", BACK + "Cancel requests"],
    "inbox": ["Apply again", "Match to order", "Mark as reviewed", "It did not happen.", BACK + "Orders"],
    "overview": ["Conversion", "Orders per day", BACK + "Orders"],
    "several": ["Yes, give the money of 1 order back", BACK + "Orders"],
}


@pytest.mark.parametrize("theme", THEMES)
def test_all_that_is_ours_is_there(theme: str) -> None:
    for app in THEMES[theme]:
        if find_spec(app) is None:
            missing(theme)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.themes.look", *THEMES[theme]],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages: dict[str, str] = json.loads(done.stdout)
    for name, texts in OURS.items():
        html = pages[name]
        ours = html[html.index('<div id="content-main" class="dana"') :]
        for text in texts:
            assert text in ours, f"{text} is not on the page {name}"
        assert "django_dana/admin.css" in html
        above = html[: html.index(ours)]
        assert BREADCRUMBS[theme] in above, name
    listed = pages["list"]
    for text in ("Needs a person", "Refunds under way", "Overview", "refund not done", "needs attention"):
        assert text in listed, text
    for text in ("give_back_selected", "export_selected", "being prepared", 'name="q"', "django_dana/admin.css"):
        assert text in listed, text
