"""HTML for the simulator's pages, in which every value is escaped unless it was made here."""

import html
import secrets
import string
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from django_dana.protocol.notation import jakarta_time
from django_dana.simulator.web.http import Reply


class Html(str):
    """Text that is HTML already; everything else is escaped when it enters a page."""

    __slots__ = ()


def fill(template: str, **values: object) -> Html:
    """Return ``template`` with each ``{name}`` replaced by its value, escaped for text and quoted attributes.

    Templates are constants of this package; values are whatever a shop or a buyer sent.
    """
    return Html(template.format(**{name: _escaped(value) for name, value in values.items()}))


def join(pieces: list[Html]) -> Html:
    """Return pieces of HTML in a row."""
    return Html("".join(pieces))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))


def clock(moment: datetime) -> str:
    """Return a moment as people in Jakarta read it, to the second."""
    return jakarta_time(moment)[:19].replace("T", " ")


def rupiah(amount: Decimal) -> str:
    """Return an amount as people in Indonesia read it."""
    whole, _, cents = f"{amount:,.2f}".partition(".")
    return f"Rp {whole.replace(',', '.')}" + (f",{cents}" if cents != "00" else "")


_STYLE: Final = Html("""
:root { --blue: #118eea; --ink: #1b2733; --grey: #5d6b78; --line: #dde4ea; --paper: #f4f7fa }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header { background: var(--blue); color: #fff; padding: .8rem 1rem }
header b { background: #fff; color: var(--blue); border-radius: .2rem; padding: .1rem .5rem; letter-spacing: .08em }
main { max-width: 30rem; margin: 1rem auto; padding: 0 1rem }
main.wide { max-width: 80rem }
section { background: #fff; border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin-bottom: 1rem }
h1 { font-size: 1.2rem; margin: 0 0 .5rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 0 0 .5rem }
p { margin: .4rem 0 }
.amount { font-size: clamp(1.2rem, 7vw, 1.8rem); font-weight: 700; overflow-wrap: anywhere }
.grey { color: var(--grey); font-size: .9rem; overflow-wrap: anywhere }
label { display: block; padding: .45rem 0; border-top: 1px solid var(--line) }
button, a.button { display: block; width: 100%; margin-top: .6rem; padding: .8rem; border: 0; border-radius: .5rem;
  background: var(--blue); color: #fff; font: inherit; font-weight: 600; text-align: center; text-decoration: none }
/* however many ways to pay there are, the button stays in sight */
button.first { position: sticky; bottom: .6rem }
button.plain { background: #fff; color: var(--blue); border: 1px solid var(--blue) }
button:focus-visible, a:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px }
svg { display: block; width: 100%; max-width: 18rem; height: auto; margin: 0 auto }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .85rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-top: 1px solid var(--line) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .8rem }
.good { color: #11723b } .bad { color: #b3261e }
""")

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title} - DANA simulator</title><style nonce="{nonce}">{style}</style>
</head><body><header><b>SIMULATOR</b> of DANA. No real money moves here.</header>
<main class="{kind}">{content}</main>{script}</body></html>
"""


def page(title: str, content: Html, *, status: int = 200, wide: bool = False, script: str = "") -> Reply:
    """Return a whole page; nothing in it is loaded from anywhere, and only ``script`` runs."""
    nonce = secrets.token_urlsafe(16)
    code = Html(f'<script nonce="{nonce}">{script}</script>') if script else Html("")
    text = fill(
        _PAGE, title=title, nonce=nonce, style=_STYLE, kind="wide" if wide else "", content=content, script=code
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
    return Reply(
        status,
        text.encode(),
        "text/html; charset=utf-8",
        [
            ("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'none'"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )


def redirect(url: str) -> Reply:
    """Return a reply that sends the browser on; what is not ASCII in ``url`` goes into the header as %XX."""
    location = quote(url, safe=string.punctuation)
    return Reply(303, b"", "text/plain", [("Location", location), ("Cache-Control", "no-store")])
