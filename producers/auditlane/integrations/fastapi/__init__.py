"""Records requests to configured FastAPI and Starlette routes, and fastapi-users account events.

app.add_middleware(AuditMiddleware, routes={"DELETE /documents/{document_id}": "document.deleted"}, tenant=tenant_of)
"""

from auditlane.integrations.fastapi.middleware import AuditMiddleware
from auditlane.integrations.fastapi.users import AuditedUsers
from auditlane.integrations.web.resolvers import Actor
from auditlane.integrations.web.routes import AuditRoute

__all__ = ["Actor", "AuditMiddleware", "AuditRoute", "AuditedUsers"]
