"""Calls the handlers of frequent requests without FastAPI, whose routing and dependency injection cost more than
accepting an event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from auditlane.runtime.errors import AuditlaneError
from auditlane.server.problems import of_error, of_http

Handler = Callable[[Request], Awaitable[Response]]


class DirectHandlers:
    """ASGI middleware that calls the handler of a method and a path, or the app for all other requests.

    FastAPI has the same routes, which describe them in OpenAPI. `ConcurrencyLimit` has authenticated the request.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await handler(request)
        except AuditlaneError as error:
            response = of_error(request, error)
        except HTTPException as error:
            response = of_http(request, error)
        await response(scope, receive, send)
