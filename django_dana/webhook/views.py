"""Hear from DANA: bytes → signature → shape → order → one transaction → answer.

The view names its own renderer, permissions and so on, so that a shop's REST_FRAMEWORK settings change
nothing that DANA sees. It runs outside ATOMIC_REQUESTS: what was received stays stored even where applying it fails.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, UnreadablePostError
from django.utils.decorators import method_decorator
from rest_framework.exceptions import APIException, AuthenticationFailed, MethodNotAllowed, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_dana.models import Notification, Order
from django_dana.protocol import notation
from django_dana.services import notifications
from django_dana.uat import notifications as uat
from django_dana.webhook import answers
from django_dana.webhook.answers import Answer
from django_dana.webhook.authentication import DanaSignature, OutOfReach, Verified
from django_dana.webhook.serializers import NotificationSerializer

logger = logging.getLogger(__name__)

#: DANA's longest captured notification has about 4 KiB.
MAX_BODY_BYTES: Final = 128 * 1024


class TooLarge(APIException):
    """The body is longer than MAX_BODY_BYTES; it is neither parsed nor stored."""


class NoLength(APIException):
    """The Content-Length is no number, so there is no body that could be read or stored."""


class AlwaysJSON(BaseContentNegotiation):
    """DANA gets JSON whatever its Accept header says."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer."""
        return renderers[0], "application/json"


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class NotificationView(APIView):
    """Finish Notify."""

    http_method_names = ["post"]
    authentication_classes = [DanaSignature]
    permission_classes = []
    throttle_classes = []
    parser_classes = []
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON
    versioning_class = None
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what can't be a notification before its signature is looked at."""
        if request.method != "POST":
            raise MethodNotAllowed(str(request.method))
        _check_size(request._request)
        super().initial(request, *args, **kwargs)

    def post(self, request: Request) -> Response:
        """Apply a verified message, and answer in DANA's format."""
        verified: Verified = request.auth  # type: ignore[assignment]
        # not request.data, which is another reading of the request: without a Content-Length it is empty
        serializer = NotificationSerializer(data=_parse(verified.text))
        if not serializer.is_valid():
            error = f"wrong fields: {', '.join(map(str, serializer.errors))}"
            _keep(request, Notification.Outcome.BAD_SHAPE, error=error)
            lacking = serializer.lacks_mandatory_field
            return (answers.INVALID_MANDATORY_FIELD if lacking else answers.INVALID_FORMAT).response()
        notification = _keep(request, None)
        order = _find_order(verified, serializer)
        if order is None:
            return _answer_without_order(notification, verified, serializer).response()
        if order.environment != verified.accounts[order.account].environment:
            # the account was another environment's when the order was made; the sandbox's money pays nothing
            return _answer_unknown(notification).response()
        return _answer_about(order, notification, verified, serializer).response()

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """Answer every error in DANA's format, ours instead of the shop's."""
        return _answer_error


def _parse(text: bytes) -> dict[str, Any]:
    try:
        return notation.parse_json_object(text)
    except ValueError as error:
        raise ParseError(str(error)) from None


def _find_order(verified: Verified, serializer: NotificationSerializer) -> Order | None:
    return notifications.find_order(
        verified.accounts,
        merchant_id=serializer.validated_data["merchantId"],
        partner_reference_no=serializer.validated_data["originalPartnerReferenceNo"],
    )


def _answer_about(
    order: Order, notification: Notification, verified: Verified, serializer: NotificationSerializer
) -> Answer:
    account, report = verified.accounts[order.account], serializer.report()
    if account.is_sandbox and uat.fails_on_purpose(report, order.partner_reference_no, order):
        return _fail_on_purpose(notification, order)
    try:
        notifications.apply_notification(notification, order, account, report)
    except Exception as error:
        notifications.conclude_notification(
            notification, Notification.Outcome.FAILED, order=order, error=type(error).__name__
        )
        raise
    return answers.SUCCESSFUL


def _answer_without_order(notification: Notification, verified: Verified, serializer: NotificationSerializer) -> Answer:
    reference = serializer.validated_data["originalPartnerReferenceNo"]
    if not uat.is_about_a_test(reference, serializer.validated_data["merchantId"], verified.accounts.values()):
        return _answer_unknown(notification)
    if uat.fails_on_purpose(serializer.report(), reference, None):
        return _fail_on_purpose(notification, None)
    notifications.conclude_notification(notification, Notification.Outcome.TEST)
    return answers.SUCCESSFUL


def _answer_unknown(notification: Notification) -> Answer:
    notifications.conclude_notification(notification, Notification.Outcome.UNKNOWN_ORDER)
    return answers.NOT_FOUND


def _fail_on_purpose(notification: Notification, order: Order | None) -> Answer:
    notifications.conclude_notification(
        notification, Notification.Outcome.FAILED, order=order, error=uat.REFUSED_ON_PURPOSE
    )
    return answers.OUR_FAULT


def _check_size(request: HttpRequest) -> None:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise NoLength from None
    try:
        # the header first, so that what is announced as too large is not even read
        if length > MAX_BODY_BYTES:
            raise TooLarge
        if not length and not hasattr(request, "_body"):
            # ASGI lets a body come without its length, and Django would read all of it
            request._body = request.read(MAX_BODY_BYTES + 1)
        if len(request.body) > MAX_BODY_BYTES:
            raise TooLarge
    except RequestDataTooBig:
        raise TooLarge from None


def _answer_error(error: Exception, context: dict[str, Any]) -> Response:
    request: Request = context["request"]
    try:
        answer = _answer_for(error, request)
    except Exception as second_error:  # noqa: BLE001  the database may be gone just as it was for the first
        answer, error = answers.OUR_FAULT, second_error
    if answer is answers.OUR_FAULT:
        # DANA tries again for up to seven days; no stranger fills the log with tracebacks
        is_bug = not isinstance(error, OutOfReach | UnreadablePostError)
        logger.error("A notification was not applied (%s)", type(error).__name__, exc_info=error if is_bug else None)
    return answer.response()


def _answer_for(error: Exception, request: Request) -> Answer:
    if isinstance(error, MethodNotAllowed):
        return answers.METHOD_NOT_ALLOWED
    if isinstance(error, TooLarge):
        return answers.TOO_LARGE
    if isinstance(error, NoLength):
        return answers.INVALID_FORMAT
    if isinstance(error, AuthenticationFailed):
        _keep(request, Notification.Outcome.BAD_SIGNATURE, error=str(error.detail), verified=False)
        return answers.UNAUTHORIZED
    if isinstance(error, OutOfReach):
        _keep(request, Notification.Outcome.FAILED, error=str(error), verified=False)
        return answers.OUR_FAULT
    if isinstance(error, ParseError):
        _keep(request, Notification.Outcome.BAD_SHAPE, error=str(error.detail))
        return answers.INVALID_FORMAT
    return answers.OUR_FAULT


def _keep(
    request: Request, outcome: Notification.Outcome | None, *, error: str = "", verified: bool = True
) -> Notification:
    proof: Verified | None = request.auth if verified else None  # type: ignore[assignment]
    return notifications.keep_notification(
        body=request._request.body,
        headers={name: _storable(value) for name, value in request.headers.items()},
        account=next(iter(proof.accounts)) if proof else "",
        verified_by=proof.fingerprint if proof else "",
        outcome=outcome or "",
        error=error,
    )


def _storable(value: str) -> str:
    # No database stores half a surrogate pair, and PostgreSQL stores no NUL; some servers let them through.
    return value.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
