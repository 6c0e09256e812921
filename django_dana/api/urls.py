"""The routes to include: ``path("dana/api/", include("django_dana.api.urls"))``."""

from contextlib import suppress

from django.urls import URLPattern, path

from django_dana.api import views

app_name = "django_dana_api"

# str, also for a number or a UUID: what is none is not found in JSON, like all else
urlpatterns: list[URLPattern] = [
    path("orders/", views.OrderList.as_view(), name="orders"),
    path("orders/<str:reference>/", views.OrderDetail.as_view(), name="order"),
    path("orders/<str:reference>/cancel/", views.OrderCancel.as_view(), name="cancel"),
    path("orders/<str:reference>/refund/", views.OrderRefund.as_view(), name="refund"),
    path("orders/<str:reference>/sync/", views.OrderSync.as_view(), name="sync"),
    path("cancel-requests/", views.CancelRequestList.as_view(), name="cancel-requests"),
    path("cancel-requests/<str:request_id>/", views.CancelRequestDetail.as_view(), name="cancel-request"),
    path("refund-requests/", views.RefundRequestList.as_view(), name="refund-requests"),
    path("refund-requests/<str:request_id>/", views.RefundRequestDetail.as_view(), name="refund-request"),
    path("status/<str:public_id>/", views.Status.as_view(), name="status"),
]

# the extra may not be installed, and then there is no description to serve
with suppress(ImportError):
    from django_dana.api.openapi import SchemaView

    urlpatterns.append(path("schema/", SchemaView.as_view(), name="schema"))
