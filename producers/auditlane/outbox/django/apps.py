"""The configuration of the Django app."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The outbox app. Its label does not clash with a `django` or `outbox` app of the project."""

    name = "auditlane.outbox.django"
    label = "auditlane_outbox"
    verbose_name = "auditlane outbox"
    default_auto_field = "django.db.models.BigAutoField"
