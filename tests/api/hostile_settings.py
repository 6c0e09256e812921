"""A shop whose own API is nothing like ours: none of it may change an answer of ours."""

from typing import Any

from rest_framework.permissions import BasePermission

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

DATABASES["default"]["ATOMIC_REQUESTS"] = True
MIDDLEWARE = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
TIME_ZONE = "Asia/Jakarta"
USE_THOUSAND_SEPARATOR = True


class Nobody(BasePermission):
    """Lets nobody in."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


def no_answer(error: Exception, context: dict[str, Any]) -> None:
    """Answer nothing."""


REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_PERMISSION_CLASSES": ["tests.api.hostile_settings.Nobody"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"django_dana.sync": "2/day"},
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 2,
    "DEFAULT_FILTER_BACKENDS": ["rest_framework.filters.OrderingFilter", "rest_framework.filters.SearchFilter"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "DEFAULT_VERSION": "1",
    "ALLOWED_VERSIONS": ["1"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "rest_framework.negotiation.DefaultContentNegotiation",
    "EXCEPTION_HANDLER": "tests.api.hostile_settings.no_answer",
    "NON_FIELD_ERRORS_KEY": "oops",
    "COERCE_DECIMAL_TO_STRING": False,
    "DATETIME_FORMAT": "%d.%m.%Y",
    "DATETIME_INPUT_FORMATS": ["%d.%m.%Y"],
    "URL_FORMAT_OVERRIDE": "page_size",
    "STRICT_JSON": False,
    "UNAUTHENTICATED_USER": None,
}
