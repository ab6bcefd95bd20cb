"""The Django app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The outbox app. Its label does not clash with the project's own `django` or `outbox` app."""

    name = "auditlane.outbox.django"
    label = "auditlane_outbox"
    verbose_name = "auditlane outbox"
    default_auto_field = "django.db.models.BigAutoField"
