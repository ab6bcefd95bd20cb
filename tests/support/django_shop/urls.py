"""The shop's pages."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path

from django_shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html")),
    path("accounts/", include("django.contrib.auth.urls")),
    path("allauth/", include("allauth.urls")),
    path("create/<str:number>/", views.create),
    path("create-async/<str:number>/", views.create_async),
    path("stream/", views.stream),
    path("stream-async/", views.stream_async),
    path("leave/", views.leave),
    path("api/", views.Api.as_view()),
    path("api/staff/", views.StaffApi.as_view()),
]
