"""Records configured Flask routes and Flask-Login logins with `Audit(app, routes=…)`."""

from auditlane.integrations.flask.extension import Audit
from auditlane.integrations.web.resolvers import Actor
from auditlane.integrations.web.routes import AuditRoute

__all__ = ["Actor", "Audit", "AuditRoute"]
