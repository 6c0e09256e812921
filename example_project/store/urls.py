"""The routes of the store."""

from django.urls import path

from store import views

urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("buy/<slug:slug>/", views.buy, name="buy"),
    path("purchase/<uuid:public_id>/", views.purchase, name="purchase"),
    path("purchase/<uuid:public_id>/pay/", views.pay, name="pay"),
    path("purchase/<uuid:public_id>/another-way/", views.turn_away, name="turn-away"),
]
