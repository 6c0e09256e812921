"""A call from its headers to DANA's answer, by DANA's rules; faults of the connection are the web's."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django_dana.exceptions import InvalidSignature
from django_dana.protocol import signing
from django_dana.protocol.notation import parse_json_object
from django_dana.simulator.engine import codes, fields, merchants
from django_dana.simulator.engine.answers import Answer, Refusal
from django_dana.simulator.engine.call_log import Call
from django_dana.simulator.engine.incoming import IncomingRequest
from django_dana.simulator.engine.merchants import Merchant, Merchants
from django_dana.simulator.engine.operations import Endpoint, OperationContext
from django_dana.simulator.engine.orders import Orders
from django_dana.simulator.engine.schedule import Schedule
from django_dana.simulator.engine.shared import Shared

REQUIRED_HEADERS: Final = (
    "Content-Type",
    "X-TIMESTAMP",
    "X-SIGNATURE",
    "X-PARTNER-ID",
    "X-EXTERNAL-ID",
    "CHANNEL-ID",
)


class CallHandler:
    """Checks calls and carries them out, one at a time."""

    def __init__(self, shared: Shared, schedule: Schedule, merchants: Merchants, orders: Orders) -> None:
        self._shared = shared
        self._schedule = schedule
        self._merchants = merchants
        self._orders = orders

    def handle(
        self, endpoint: Endpoint, request: IncomingRequest, call: Call, *, lag: float = 0, act_after: float = 0
    ) -> Answer | None:
        """Check a call, carry it out and return DANA's answer, which the call's record keeps.

        Args:
            endpoint: the operation.
            request: the call.
            call: its record.
            lag: how many seconds old the state is that a query shows.
            act_after: carry it out so many seconds later; there is no answer then, unless the checks refuse the call.
        """
        with self._shared.lock:
            self._schedule.run_due()
            try:
                context = self._accept(endpoint, request, call, timedelta(seconds=lag))
            except Refusal as refusal:
                return _recorded(call, _refused(endpoint, refusal))
            act = partial(_act, endpoint, context, call)
            if not act_after:
                return act()
            self._schedule.add(context.now + timedelta(seconds=act_after), act)
            return None

    def _accept(self, endpoint: Endpoint, request: IncomingRequest, call: Call, lag: timedelta) -> OperationContext:
        """Check headers, signature and fields. Raises Refusal."""
        self._check_headers(request)
        signers, text = self._check_signature(request, call)
        body = _parse(text)
        call.hints += fields.hints(body, endpoint.check)
        problem = fields.first_problem(body, endpoint.check)
        if problem is not None:
            raise Refusal(problem.case, problem.why, field=problem.field, body=body)
        return OperationContext(
            body=body,
            external_id=request.header("X-EXTERNAL-ID"),
            merchants=signers,
            orders=self._orders,
            shared=self._shared,
            lag=lag,
        )

    def _check_headers(self, request: IncomingRequest) -> None:
        for name in REQUIRED_HEADERS:
            if not request.header(name):
                raise Refusal("40002", f"the header {name} is missing", field=name)
        if request.header("Content-Type").partition(";")[0].strip().lower() != "application/json":
            raise Refusal("40001", "Content-Type is not application/json", field="Content-Type")
        timestamp = request.header("X-TIMESTAMP")
        if not fields.is_time(timestamp):
            raise Refusal("40001", "X-TIMESTAMP is not YYYY-MM-DDTHH:mm:ss+07:00", field="X-TIMESTAMP")
        tolerance = self._shared.behaviour.clock_tolerance
        if tolerance is not None and abs(datetime.fromisoformat(timestamp) - self._shared.clock.now()) > tolerance:
            raise Refusal("40001", f"X-TIMESTAMP is off by more than {tolerance}", field="X-TIMESTAMP")
        for name in ("X-PARTNER-ID", "X-EXTERNAL-ID"):
            if len(request.header(name)) > 36:
                raise Refusal("40001", f"the header {name} has more than 36 characters", field=name)

    def _check_signature(self, request: IncomingRequest, call: Call) -> tuple[list[Merchant], bytes]:
        """Return the accounts that signed, and the text that the signature covers."""
        timestamp = request.header("X-TIMESTAMP")
        try:
            found = merchants.signers(
                self._merchants.of_partner(request.header("X-PARTNER-ID")),
                request.header("X-SIGNATURE"),
                path=request.path,
                body=request.body,
                timestamp=timestamp,
            )
        except InvalidSignature as error:
            call.signature = str(error)
            expected = signing.string_to_sign("POST", request.path, signing.minify(request.body), timestamp)
            raise Refusal("40100", f"{error}; DANA signs {expected.decode()}") from None
        call.signature = "valid"
        return found


def _parse(text: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(text)
    except ValueError as error:
        raise Refusal("40000", f"the body can't be parsed: {error}") from None


def _act(endpoint: Endpoint, context: OperationContext, call: Call) -> Answer:
    try:
        content = endpoint.act(context)
    except Refusal as refusal:
        refusal.body = context.body
        return _recorded(call, _refused(endpoint, refusal))
    code = content.pop("responseCode", codes.response_code(endpoint.service, "20000"))
    return _recorded(call, Answer(code, codes.message(code), content))


def _refused(endpoint: Endpoint, refusal: Refusal) -> Answer:
    code = refusal.case if len(refusal.case) == 7 else codes.response_code(endpoint.service, refusal.case)
    is_named = endpoint.names_malformed_field or refusal.case != "40001"
    message = f"{codes.message(code)} {refusal.field if is_named else ''}".strip()
    names = (endpoint.reference, *endpoint.repeated)
    repeated = {name: refusal.body[name] for name in names if isinstance(refusal.body.get(name), str)}
    return Answer(code, message, repeated, refusal.why)


def _recorded(call: Call, answer: Answer) -> Answer:
    call.acted = True
    call.record(answer)
    return answer
