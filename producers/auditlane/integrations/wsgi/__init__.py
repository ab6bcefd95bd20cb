"""Records configured routes of any WSGI application with `AuditMiddleware`."""

from auditlane.integrations.web.resolvers import Actor
from auditlane.integrations.web.routes import AuditRoute
from auditlane.integrations.wsgi.middleware import AuditMiddleware

__all__ = ["Actor", "AuditMiddleware", "AuditRoute"]
