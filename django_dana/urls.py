"""The routes to include: ``path("dana/", include("django_dana.urls"))``."""

from django.urls import path, re_path

from django_dana.pages.views import PayView, QrView, ReturnView
from django_dana.uat import notifications as uat
from django_dana.webhook.views import NotificationView

app_name = "django_dana"

urlpatterns = [
    # With and without a trailing slash, and never a redirect: DANA would not follow one with a POST.
    # The one place where DANA's acceptance test comes in.
    re_path(r"^v1\.0/debit/notify/?$", NotificationView.as_view(acceptance_test=uat.conclude), name="notify"),
    path("pay/<uuid:public_id>/", PayView.as_view(), name="pay"),
    path("pay/<uuid:public_id>/qr.png", QrView.as_view(), name="qr"),
    path("return/<uuid:public_id>/", ReturnView.as_view(), name="return"),
]
