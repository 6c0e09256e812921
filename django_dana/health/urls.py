"""The routes to include: ``path("dana/", include("django_dana.health.urls"))``."""

from django.urls import path

from django_dana.health.views import HealthView, MetricsView

app_name = "django_dana_health"

urlpatterns = [
    path("health/", HealthView.as_view(), name="health"),
    path("metrics/", MetricsView.as_view(), name="metrics"),
]
