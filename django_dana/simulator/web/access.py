"""Who may use the pages and the control API. DANA's operations need none of this: they ask for a signature."""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from django_dana.simulator.web.http import Request


def is_trusted_host(host: str, base_url: str) -> bool:
    """Whether no web page can have led a browser here under the name ``host``.

    A page on the web may let its own name point to this machine (DNS rebinding) and then read and press everything
    here. IP addresses, names without a dot and localhost can't be pointed anywhere by strangers.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if "." not in name or name.endswith(".localhost") or name == urlsplit(base_url).hostname:
        return True
    return name.replace(".", "").isdecimal()


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def may_control(request: Request, token: str) -> bool:
    """Whether a request carries the control token, as a bearer or as ``?token=``; an empty token asks for nothing."""
    if not token:
        return True
    given = request.header("Authorization").removeprefix("Bearer ") or request.query.get("token", "")
    return hmac.compare_digest(given.encode(), token.encode())
