"""Which tenant's a request is where its route asks for no credential before it runs: the pages, and a link's file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.query.export.links import DOWNLOAD_PATH, DownloadLinks
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.auth.authentication import Authenticator

_LOOKS = frozenset({"GET", "HEAD"})


def finder(authenticator: Authenticator, links: DownloadLinks | None) -> Callable[[Request], Awaitable[str]]:
    """What finds the tenant, "" without one that its credential proves. Without `links` there are none."""

    async def whose(request: Request) -> str:
        if request.method not in _LOOKS:
            return ""
        try:
            if links and request.url.path == DOWNLOAD_PATH:
                return links.open(request.query_params.get("code", "")).scope.tenant
            return (await authenticator.principal(request)).tenant or ""
        except AuditlaneError:  # the route says so, in its own way
            return ""

    return whose
