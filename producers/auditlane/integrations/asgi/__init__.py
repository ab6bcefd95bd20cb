"""Records configured routes of any ASGI application with `AuditMiddleware`."""

from auditlane.integrations.asgi.middleware import AuditMiddleware
from auditlane.integrations.web.resolvers import Actor
from auditlane.integrations.web.routes import AuditRoute

__all__ = ["Actor", "AuditMiddleware", "AuditRoute"]
