"""The app to list in INSTALLED_APPS. It connects everything once Django has loaded all apps."""

from __future__ import annotations

from django.apps import AppConfig, apps

from auditlane.integrations.django.options import options


class AuditConfig(AppConfig):
    """Connects the signals of the installed apps."""

    name = "auditlane.integrations.django"
    label = "auditlane"
    verbose_name = "Audit log"

    def ready(self) -> None:
        """Connect the signals. Raises ConfigError if the AUDITLANE setting is invalid."""
        chosen = options()
        # Imported here, since each requires its app to be installed and its models to be loaded.
        if apps.is_installed("django.contrib.auth"):
            from auditlane.integrations.django import groups, sign_ins, users

            sign_ins.connect()
            users.connect()
            groups.connect()
        from auditlane.integrations.django import audited_models

        audited_models.connect(chosen.models)
        if apps.is_installed("django.contrib.admin"):
            from auditlane.integrations.django import admin_edits

            admin_edits.install()
        if apps.is_installed("rest_framework"):
            from auditlane.integrations.django import rest_views

            rest_views.install()
        if apps.is_installed("allauth.account"):
            from auditlane.integrations.django import allauth_signals

            allauth_signals.connect()
        if apps.is_installed("axes"):
            from auditlane.integrations.django import axes_signals

            axes_signals.connect()
