"""The control API: JSON over HTTP, for scripts and for the hands of a tester.

Requests that change something must be of type application/json, so that no web page can send them from a form.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django_dana.protocol.notation import parse_json_object
from django_dana.simulator import faults
from django_dana.simulator.faults import Fault
from django_dana.simulator.http import Reply, Request
from django_dana.simulator.orders import WrongState

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

PREFIX: Final = "/simulator/"

Number = TypeVar("Number", int, float)
Action = Callable[["Simulator", dict[str, Any]], Any]


def answer(dana: "Simulator", request: Request) -> Reply:
    """Answer one request of the control API."""
    action = ACTIONS.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if action is None:
        names = sorted(f"{method} {PREFIX}{name}" for method, name in ACTIONS)
        return _json(404, {"error": "There is no such action.", "actions": names})
    if request.method != "GET" and not request.header("Content-Type").startswith("application/json"):
        return _json(415, {"error": "Send Content-Type: application/json."})
    try:
        values = request.query if request.method == "GET" else parse_json_object(request.body or b"{}")
        return _json(200, action(dana, values))
    except KeyError as error:
        return _json(400, {"error": f"{error} is missing."})
    except LookupError as error:
        return _json(404, {"error": str(error)})
    except WrongState as error:
        return _json(409, {"error": str(error)})
    except ValueError as error:
        return _json(400, {"error": str(error)})


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value, indent=1, default=str).encode())


def _number(body: dict[str, Any], name: str, kind: Callable[[Any], Number]) -> Number:
    try:
        return kind(body[name])
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} can't be {body[name]!r}.") from None


def _health(dana: "Simulator", body: dict[str, Any]) -> Any:
    return {"simulator": True, "base_url": dana.base_url, "public_key": dana.public_key, "seed": dana.seed}


def _books(dana: "Simulator", body: dict[str, Any]) -> Any:
    return dana.books()


def _faults(dana: "Simulator", body: dict[str, Any]) -> Any:
    return {"faults": [_fault(fault) for fault in dana.faults.all]}


def _fault(fault: Fault) -> dict[str, Any]:
    return {"number": fault.number, "spec": fault.spec}


def _add_fault(dana: "Simulator", body: dict[str, Any]) -> Any:
    if "spec" in body:
        return _fault(dana.faults.add(str(body["spec"])))
    values = {name: value for name, value in body.items() if name not in ("operation", "kind")}
    return _fault(dana.faults.add(faults.make(str(body["operation"]), str(body["kind"]), values)))


def _remove_faults(dana: "Simulator", body: dict[str, Any]) -> Any:
    if "number" in body:
        dana.faults.remove(_number(body, "number", int))
    else:
        dana.faults.clear()
    return _faults(dana, body)


def _habits(dana: "Simulator", body: dict[str, Any]) -> Any:
    return dana.habits.as_json()


def _change_habits(dana: "Simulator", body: dict[str, Any]) -> Any:
    with dana.lock:
        dana.habits = dana.habits.changed(body)
        return dana.habits.as_json()


def _order(dana: "Simulator", body: dict[str, Any]) -> Any:
    handle = dana.order(str(body["reference"]), body.get("merchantId"))
    return {"reference": handle.order.reference, "state": handle.state, "reference_no": handle.order.reference_no}


def _copies(body: dict[str, Any]) -> int:
    copies = _number({"copies": 1, **body}, "copies", int)
    if not 1 <= copies <= 100:
        raise ValueError("copies lies between 1 and 100.")
    return copies


def _pay(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.order(str(body["reference"]), body.get("merchantId")).pay(
        str(body.get("method", "")),
        copies=_copies(body),
        even_if_closed=bool(body.get("evenIfClosed", False)),
    )
    return _order(dana, body)


def _start_paying(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.order(str(body["reference"]), body.get("merchantId")).start_paying()
    return _order(dana, body)


def _expire(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.order(str(body["reference"]), body.get("merchantId")).expire()
    return _order(dana, body)


def _notify(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.order(str(body["reference"]), body.get("merchantId")).notify(_copies(body))
    return _order(dana, body)


def _resend(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.notifications.resend(_number(body, "number", int))
    return _notifications(dana, body)


def _notifications(dana: "Simulator", body: dict[str, Any]) -> Any:
    return {"notifications": [asdict(item) for item in dana.sent(str(body.get("reference", "")))]}


def _advance(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.advance(_number(body, "seconds", float))
    return {"now": dana.clock.now().isoformat()}


def _reset(dana: "Simulator", body: dict[str, Any]) -> Any:
    dana.reset()
    return {}


ACTIONS: Final[dict[tuple[str, str], Action]] = {
    ("GET", "health"): _health,
    ("GET", "books"): _books,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _remove_faults,
    ("GET", "habits"): _habits,
    ("POST", "habits"): _change_habits,
    ("GET", "notifications"): _notifications,
    ("POST", "notifications/resend"): _resend,
    ("POST", "orders/state"): _order,
    ("POST", "orders/pay"): _pay,
    ("POST", "orders/start-paying"): _start_paying,
    ("POST", "orders/expire"): _expire,
    ("POST", "orders/notify"): _notify,
    ("POST", "clock/advance"): _advance,
    ("POST", "reset"): _reset,
}
