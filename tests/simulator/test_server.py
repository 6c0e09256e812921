"""The server and what begins it: connections, limits, keys, accounts."""

import ast
import io
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
import requests

import django_dana
from django_dana.exceptions import InvalidKey
from django_dana.simulator import Merchant, Simulator, WrongState
from django_dana.simulator import keys as simulator_keys
from django_dana.simulator.web.http import LONGEST_BODY
from tests import keys
from tests.simulator.conftest import MERCHANT
from tests.simulator.shop import Shop, answered, until

ROOT = Path(__file__).parents[2]


def test_keep_alive(dana: Simulator, shop: Shop) -> None:
    host, port = dana.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(b"GET /simulator/health HTTP/1.1\r\nHost: dana\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: d\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: d\r\nContent-Length: %d\r\n\r\n" % (LONGEST_BODY + 1), b"413"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_request__refused(dana: Simulator, head: bytes, status: bytes) -> None:
    host, port = dana.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head)
        assert status in connection.recv(65536).split(b"\r\n")[0]


def test_client_that_goes_away(dana: Simulator, shop: Shop) -> None:
    host, port = dana.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\nhalf")

    shop.create("INV-1")


def test_paths(dana: Simulator) -> None:
    unknown = requests.post(f"{dana.base_url}/v1.0/debit/status.htm", timeout=5)
    wrong_method = requests.get(f"{dana.base_url}/payment-gateway/v1.0/debit/status.htm", timeout=5)

    assert unknown.status_code == 404
    assert "/payment-gateway/v1.0/debit/status.htm" in unknown.json()["paths"]
    assert (wrong_method.status_code, wrong_method.headers["Allow"]) == (405, "POST")
    assert requests.head(dana.base_url, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8900", 200),
        ("192.168.1.7:8900", 200),
        ("[::1]:8900", 200),
        ("localhost:8900", 200),
        ("dana.localhost:8900", 200),
        ("dana:8900", 200),
        ("dana.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8900", 421),
        ("[nonsense", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/simulator/snapshot"])
def test_host__that_a_stranger_may_point_here_is_refused(host: str, status: int, path: str) -> None:
    tunnel = Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, public_url="https://dana.example")
    token = f"token={tunnel.control_token}"
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": host, "QUERY_STRING": token}
    statuses: list[str] = []

    tunnel.app(environ, lambda line, headers: statuses.append(line))

    assert statuses[0].startswith(str(status))


def test_host__of_a_signed_call_is_free(dana: Simulator, shop: Shop) -> None:
    answered(shop.call("query", shop.query("INV-1"), {"Host": "host.docker.internal"}), "4045501")


def test_many_at_once__one_order(dana: Simulator, shop: Shop) -> None:
    body = shop.order("INV-1")
    answers: list[dict[str, Any]] = []

    def create() -> None:
        with requests.Session() as session:
            own = Shop(dana.base_url, session=session)
            answers.append(answered(own.call("create", body), "2005400"))

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({answer["referenceNo"] for answer in answers}) == 1
    assert len(answers) == 16


def test_close__ends_sleeping_replies_and_idle_connections(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:delay:seconds=600")
    errors: list[Exception] = []

    def create() -> None:
        try:
            shop.call("create", shop.order("INV-1"))
        except requests.ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=create)
    thread.start()
    until(lambda: dana.calls)
    dana.close()
    thread.join()

    (call,) = dana.calls
    assert call.ended_at is not None
    assert call.ended_at - call.started_at < 600


def test_port_is_free_again(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    port = int(dana.base_url.rpartition(":")[2])
    dana.close()

    with Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, port=port) as again:
        assert again.base_url == dana.base_url.rpartition(":")[0] + f":{port}"


def test_no_account() -> None:
    with pytest.raises(ValueError, match="sandbox accounts only"):
        Simulator([])


def test_production_account() -> None:
    with pytest.raises(ValueError, match="not a sandbox account"):
        Simulator([Merchant("M", "P", keys.SHOP_PUBLIC_KEY, environment="production")])


def test_unreadable_public_key() -> None:
    with pytest.raises(InvalidKey):
        Simulator([Merchant("M", "P", "nonsense")])


def test_order__what_it_can_not_do(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    handle = dana.order("INV-1").pay()

    for act in (handle.pay, handle.expire, handle.start_paying):
        with pytest.raises(WrongState):
            act()
    with pytest.raises(ValueError, match="SHELLS"):
        handle.pay("SHELLS")


def test_key_file(tmp_path: Path) -> None:
    path = tmp_path / "dana.pem"

    key = simulator_keys.load_or_create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert simulator_keys.public_text(simulator_keys.load_or_create(path)) == simulator_keys.public_text(key)
    assert [item.name for item in tmp_path.iterdir()] == ["dana.pem"]


def test_key_file__something_else(tmp_path: Path) -> None:
    path = tmp_path / "dana.pem"
    path.write_text("nonsense")

    with pytest.raises(InvalidKey):
        simulator_keys.load_or_create(path)


def test_base_url(dana: Simulator) -> None:
    everywhere = Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, host="0.0.0.0", port=8900)  # noqa: S104
    tunnel = Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY, public_url="https://dana.example/")

    assert everywhere.base_url == "http://127.0.0.1:8900"
    assert tunnel.base_url == "https://dana.example"


def test_it_is_a_wsgi_application() -> None:
    dana = Simulator([MERCHANT], private_key=keys.DANA_PRIVATE_KEY)
    environ: dict[str, Any] = {"PATH_INFO": "/simulator/health", "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)
    environ |= {"QUERY_STRING": "", "SCRIPT_NAME": ""}
    statuses: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(status)
        return lambda data: None

    result = validator(dana.app)(environ, start_response)
    body = b"".join(result)
    result.close()  # type: ignore[attr-defined]

    assert statuses == ["200 OK"]
    assert b'"simulator": true' in body


WHOLE_PACKAGE = """
import importlib, sys
from pathlib import Path
import django
django.setup()
import django_dana
from django.core.management import call_command, load_command_class
from django.urls import get_resolver
root = Path(django_dana.__file__).parent
for path in root.rglob("*.py"):
    if not (path.is_relative_to(root / "simulator") or path.is_relative_to(root / "testing")):
        importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"))
get_resolver().url_patterns
call_command("check", deploy=True, fail_level="CRITICAL")
load_command_class("django_dana", "dana_simulator").create_parser("manage.py", "dana_simulator").format_help()
imported = [name for name in sys.modules if name.startswith("django_dana")]
assert len(imported) > 40, imported
print([name for name in imported if "simulator" in name])
"""


def test_production_code_does_not_import_it() -> None:
    result = subprocess.run([sys.executable, "-c", WHOLE_PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True)

    # the command's own module is there, and loads nothing before it runs
    assert result.stdout.splitlines()[-1] == "['django_dana.management.commands.dana_simulator']"


def test_it_imports_neither_django_nor_the_shops_side() -> None:
    allowed = ("django_dana.protocol", "django_dana.exceptions", "django_dana.simulator")
    root = Path(django_dana.__file__).parent / "simulator"
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module.partition(".")[0] not in ("django", "django_dana", "rest_framework", "celery"):
                continue
            for alias in node.names:
                name = node.module if node.module != "django_dana" else f"django_dana.{alias.name}"
                assert str(name).startswith(allowed), (path.name, name)
