"""The shop's settings for many requests, with only what changing an invoice requires."""

from __future__ import annotations

import os

SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_shop.loop_urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["SHOP_DATABASE"],
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
INSTALLED_APPS = [
    "auditlane.integrations.django",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django_shop",
]
MIDDLEWARE = ["auditlane.integrations.django.AuditMiddleware"]
AUDITLANE = {"TENANT": lambda request: request.headers["x-tenant"]}
