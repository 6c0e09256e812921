"""What every view of the API has in common, whatever the shop's REST_FRAMEWORK setting says.

The shop's authentication, filter backends, throttles and page size hold here too. Formats, permissions and the shape of
errors are ours, since the documentation promises them.
"""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, ClassVar, Final

from django.core import exceptions as django_exceptions
from django.db import transaction
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from rest_framework.exceptions import APIException, MethodNotAllowed, ParseError, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle
from rest_framework.views import APIView, exception_handler


class TooLarge(APIException):
    """The body is longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = 413
    default_detail = _("The request is too large.")
    default_code = "too_large"


class AlwaysJSON(BaseContentNegotiation):
    """Answers JSON whatever the Accept header or a ``format`` in the address says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser for JSON, or None for anything else."""
        wanted = str(request.content_type or "application/json").partition(";")[0].strip().lower()
        return parsers[0] if wanted == "application/json" else None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer."""
        return renderers[0], "application/json"


class StrictParser(JSONParser):
    """Reads JSON as the shop's limit on its size allows, and nothing that JSON has no word for."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what the body says.

        Raises:
            ParseError: it is not JSON in UTF-8, is nested too deeply, or holds half a surrogate pair.
        """
        request: Request = (parser_context or {})["request"]
        try:
            text = codecs.decode(request._request.body, "utf-8")
            value = json.loads(text, parse_constant=_refuse_constant)
            # what can't be written as UTF-8 could be neither stored nor answered
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not JSON: %(error)s") % {"error": type(error).__name__}) from None
        return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


class HasPermissions(BasePermission):
    """Whether the user has every permission that the view names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Ask the user, who need not be a row of the database."""
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in view.permissions:
            raise MethodNotAllowed(method)
        user = request.user
        return bool(user and user.is_authenticated and user.has_perms(view.permissions[method]))


class Throttle(ScopedRateThrottle):
    """The rates of DEFAULT_THROTTLE_RATES for our scopes; a scope without a rate is not throttled.

    DRF's own class raises ImproperlyConfigured where a rate is missing, and a shop that uses it for its own views would
    get no answer from ours.
    """

    def get_rate(self) -> Any:
        """Return the rate of the scope, or None."""
        return api_settings.DEFAULT_THROTTLE_RATES.get(str(self.scope))

    def allow_request(self, request: Request, view: Any) -> bool:
        """Allow what has no rate."""
        self.scope = view.throttle_scope
        return self.get_rate() is None or super().allow_request(request, view)


@method_decorator([transaction.non_atomic_requests, never_cache], name="dispatch")
class DanaView(APIView):
    """A view of the API. It runs outside ATOMIC_REQUESTS, since some ask DANA, and the others make their transactions.

    Attributes:
        permissions: by method, the permissions that a user must have, all of them.
        throttle_scope: the name in DEFAULT_THROTTLE_RATES.
    """

    http_method_names = ["get", "head", "post"]
    parser_classes = [StrictParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON
    permission_classes = [HasPermissions]
    versioning_class = None
    metadata_class = None

    permissions: ClassVar[Mapping[str, Sequence[str]]]
    throttle_scope: ClassVar[str]

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the shop's throttles, and ours for the scopes."""
        shops = [throttle for throttle in self.throttle_classes if not issubclass(throttle, ScopedRateThrottle)]
        return [throttle() for throttle in (*shops, Throttle)]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Answer errors in the documented shape."""
        return answer_error


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return ``{field: [sentence, …]}`` for what is wrong with a request, and ``{"detail": sentence}`` for the rest."""
    if isinstance(error, django_exceptions.ValidationError | ValidationError):
        return answer_refusal(error)
    if isinstance(error, django_exceptions.RequestDataTooBig):
        error = TooLarge()
    return exception_handler(error, context)


def answer_refusal(error: django_exceptions.ValidationError | ValidationError) -> Response:
    """Return ``{field: [sentence, …]}``."""
    detail = as_serializer_error(error) if isinstance(error, django_exceptions.ValidationError) else error.detail
    return Response(_by_field(detail), status=400)


def _by_field(detail: Any) -> dict[str, list[str]]:
    """Return the sentences by field; those about the parts of a field belong to it."""
    if not isinstance(detail, dict):
        return {WHOLE_BODY: list(_sentences(detail))}
    return {
        WHOLE_BODY if name == api_settings.NON_FIELD_ERRORS_KEY else str(name): list(_sentences(part))
        for name, part in detail.items()
    }


def _sentences(detail: Any) -> Iterator[str]:
    if isinstance(detail, Mapping):
        for part in detail.values():
            yield from _sentences(part)
    elif isinstance(detail, list | tuple):
        for part in detail:
            yield from _sentences(part)
    else:
        yield str(detail)


#: The field of an error that concerns no single one.
WHOLE_BODY: Final = "body"


def django_request(request: Request) -> HttpRequest:
    """Return Django's request, which DRF's wraps."""
    return request._request
