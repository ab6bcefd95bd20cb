"""Django's description of the app."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The outbox, under a label that does not clash with an application's own `django` or `outbox`."""

    name = "auditlane.outbox.django"
    label = "auditlane_outbox"
    verbose_name = "auditlane outbox"
    default_auto_field = "django.db.models.BigAutoField"
