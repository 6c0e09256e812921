"""DANA's notification address: bytes in, an outcome, one of DANA's answers out. No rule about money stands here.

The view names its own renderer, permissions and so on, so that a shop's REST_FRAMEWORK settings change
nothing that DANA sees. It runs outside ATOMIC_REQUESTS: what was received stays stored even where applying it fails.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, UnreadablePostError
from django.utils.decorators import method_decorator
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_dana.log_throttle import once_a_minute
from django_dana.services import notifications
from django_dana.services.notifications import AcceptanceTest
from django_dana.webhook import answers
from django_dana.webhook.answers import Answer

logger: Final = logging.getLogger("django_dana.notifications")

#: DANA's longest captured notification has about 4 KiB.
MAX_BODY_BYTES: Final = 128 * 1024


class TooLarge(APIException):
    """The body is longer than MAX_BODY_BYTES or the shop's own limit; it is neither parsed nor stored."""


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

    acceptance_test: AcceptanceTest | None = None

    http_method_names = ["post"]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    parser_classes = []
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON
    versioning_class = None
    schema = None

    def perform_authentication(self, request: Request) -> None:
        """Ask for no user: DANA is known by its signature."""

    def post(self, request: Request) -> Response:
        """Take a message, and answer in DANA's format."""
        body = read_body(request._request)
        outcome = notifications.receive(body, request.headers, acceptance_test=self.acceptance_test)
        return answers.BY_OUTCOME[outcome].response()

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """Answer every error in DANA's format, ours instead of the shop's."""
        return _answer_error


def read_body(request: HttpRequest) -> bytes:
    """Return the body, of which one byte more than may be kept is read at most, whatever its Content-Length says.

    Raises:
        TooLarge: it is, or says so itself.
        NoLength: its Content-Length is no number.
    """
    of_shop = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    limit = MAX_BODY_BYTES if of_shop is None else min(MAX_BODY_BYTES, of_shop)
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise NoLength from None
    if announced > limit:
        raise TooLarge
    if not hasattr(request, "_body"):
        # the shop's middleware may ask for it once more, on the way out
        request._body = _read(request, limit + 1)
    if len(request.body) > limit:
        raise TooLarge
    return request.body


def _read(request: HttpRequest, size: int) -> bytes:
    """Read up to so many bytes; a server may hand them over in pieces."""
    pieces: list[bytes] = []
    while size > 0 and (piece := request.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _answer_error(error: Exception, context: dict[str, Any]) -> Response:
    return _answer_for(error).response()


def _answer_for(error: Exception) -> Answer:
    if isinstance(error, MethodNotAllowed):
        return answers.METHOD_NOT_ALLOWED
    if isinstance(error, TooLarge):
        return answers.TOO_LARGE
    if isinstance(error, NoLength):
        return answers.INVALID_FORMAT
    # a connection that breaks is nobody's bug
    traceback = None if isinstance(error, UnreadablePostError) else error
    name = type(error).__name__
    once_a_minute(logger, logging.ERROR, ("failed", name), "A notification was not taken (%s)", name, error=traceback)
    return answers.OUR_FAULT
