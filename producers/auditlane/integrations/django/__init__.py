"""Records the actions of a Django project's users and administrators. It takes one line each in INSTALLED_APPS and
MIDDLEWARE.

Start in `apps.py`, which connects the signals once. Nothing here raises into a request.
"""

from auditlane.integrations.django.audited_models import audited_model
from auditlane.integrations.django.bulk import bulk
from auditlane.integrations.django.middleware import AuditMiddleware

__all__ = ["AuditMiddleware", "audited_model", "bulk"]
