"""ASGI middleware whose resolvers are called with a Starlette request."""

from __future__ import annotations

from starlette.requests import HTTPConnection, Request

from auditlane.integrations import asgi
from auditlane.integrations.asgi.middleware import Scope


class AuditMiddleware(asgi.AuditMiddleware):
    """Records the configured routes of a FastAPI or Starlette application.

        app.add_middleware(AuditMiddleware, routes={"DELETE /documents/{document_id}": "document.deleted"},
                           tenant=lambda request: request.state.tenant)

    `tenant` and `actor` are called with the Request or, for a WebSocket, with its HTTPConnection.
    """

    def request_of(self, scope: Scope) -> HTTPConnection:
        """Return the request."""
        return Request(scope) if scope["type"] == "http" else HTTPConnection(scope)
