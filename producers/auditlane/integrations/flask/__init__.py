"""Record configured routes of Flask, and the logins of Flask-Login: `Audit(app, routes=…)`."""

from auditlane.integrations.flask.extension import Audit
from auditlane.integrations.web.resolvers import Actor
from auditlane.integrations.web.routes import AuditRoute

__all__ = ["Actor", "Audit", "AuditRoute"]
