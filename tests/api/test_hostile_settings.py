"""The answers are the same in a shop with other ideas. Its settings are read once, so it is a process of its own."""

import base64
import json
import os
import subprocess
import sys

STORY = """
import json
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment
from django_dana import gateway, tasks
setup_test_environment()
call_command("migrate", verbosity=0)
tasks.start = lambda *args, **options: None
gateway.sync = lambda order_id, **options: False
User.objects.create_superuser("root", password="root")
client = Client(headers={"Authorization": "Basic cm9vdDpyb290"})

def post(path, body, **headers):
    return client.post("/dana/api/" + path, json.dumps(body), content_type="application/json", headers=headers)

def told(response):
    return [response.status_code, json.loads(response.content), dict(response.headers)]

said = {"created": told(post("orders/", {"amount": "15000.00", "title": "x", "partner_reference_no": "INV-1"}))}
said["replayed"] = [
    told(post("orders/", {"amount": "1.00", "title": ""}, **{"Idempotency-Key": "k1"})) for _time in range(2)
]
said["kept"] = [
    told(post("orders/", {"amount": "1.00", "title": "x"}, **{"Idempotency-Key": "k2"})) for _time in range(2)
]
said["whole"] = told(post("orders/", []))
post("orders/", {"amount": "1.00", "title": "x"})
said["list"] = told(client.get("/dana/api/orders/?ordering=amount&search=nothing", headers={"accept": "text/html"}))
said["sync"] = [told(post("orders/INV-1/sync/", {})) for _time in range(3)]
said["nobody"] = told(Client().get("/dana/api/orders/"))
said["status"] = told(Client().get("/dana/api/status/" + said["created"][1]["public_id"] + "/"))
print(json.dumps(said))
"""


def test_a_hostile_shop_changes_no_answer() -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.api.hostile_settings",
        "DATABASE_URL": "sqlite://:memory:",
        "CELERY_BROKER_URL": "memory://",
    }
    done = subprocess.run([sys.executable, "-c", STORY], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    status, order, headers = said["created"]
    assert (status, headers["Content-Type"]) == (201, "application/json")
    assert (order["amount"], order["state"]) == ("15000.00", "preparing")
    # moments in ISO 8601, in the shop's time zone
    assert order["created_at"].endswith("+07:00")
    assert [answer[0] for answer in said["replayed"]] == [400, 400]
    assert list(said["replayed"][0][1]) == ["title"]
    assert "Idempotent-Replayed" in said["replayed"][1][2]
    assert [answer[0] for answer in said["kept"]] == [201, 201]
    assert said["kept"][0][1] == said["kept"][1][1]
    assert said["whole"][0] == 400
    assert list(said["whole"][1]) == ["body"]
    status, page, _headers = said["list"]
    assert status == 200
    # the shop's PAGE_SIZE, our order, and no count
    assert len(page["results"]) == 2
    assert page.keys() == {"next", "previous", "results"}
    assert [row["amount"] for row in page["results"]] == ["1.00", "1.00"]
    # a rate holds where there is one, and a scope without a rate is open
    assert [answer[0] for answer in said["sync"]] == [200, 200, 429]
    assert said["nobody"][0] == 401
    assert said["status"][0] == 200
    assert base64.b64decode("cm9vdDpyb290") == b"root:root"
