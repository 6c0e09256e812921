"""``health/`` and ``metrics/``, for a monitoring system.

Neither needs a login, so that a probe can ask; neither names an order, an amount or a person. Serve them where only
your monitoring comes.
"""

from datetime import timedelta
from threading import Lock
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from django_dana.health import findings
from django_dana.health.findings import Report

#: A process looks no more often than this, however often it is asked.
LOOK_EVERY: Final = timedelta(seconds=5)


class _Latest:
    """The latest report of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._report: Report | None = None

    def get(self) -> Report:
        """Return the latest report, or a new one; of several threads one looks and the others wait for it."""
        with self._lock:
            now = timezone.now()
            if self._report is None or not now - LOOK_EVERY < self._report.checked_at <= now:
                self._report = findings.report()
            return self._report

    def forget(self) -> None:
        """Look again at the next occasion."""
        self._report = None


latest: Final = _Latest()


@method_decorator([transaction.non_atomic_requests, login_not_required, never_cache], name="dispatch")
class HealthView(View):
    """200 where nothing is overdue, failing or unheard of, else 503."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with all that was found."""
        report = latest.get()
        return JsonResponse(report.as_json(), status=200 if report.is_healthy else 503)


@method_decorator([transaction.non_atomic_requests, login_not_required, never_cache], name="dispatch")
class MetricsView(View):
    """The same for Prometheus; always 200, since ``dana_healthy`` says whether all is well."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer in the format that the scraper accepts."""
        try:
            from django_dana.health import metrics  # the extra may not be installed
        except ImportError:
            text = "prometheus-client is not installed: pip install 'django-dana[metrics]'\n"
            return HttpResponse(text, status=501, content_type="text/plain; charset=utf-8")
        body, content_type = metrics.exposition(latest.get(), request.headers.get("Accept", ""))
        return HttpResponse(body, content_type=content_type)
