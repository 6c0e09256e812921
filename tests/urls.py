"""The routes of the test suite: as a shop includes them."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("dana/", include("django_dana.urls")),
    path("dana/", include("django_dana.health.urls")),
    path("dana/api/", include("django_dana.api.urls")),
]
