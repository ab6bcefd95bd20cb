"""The tenant of a request whose route checks no credential beforehand: a page, or a download by link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.query.export.links import DOWNLOAD_PATH, DownloadLinks
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.auth.authentication import Authenticator

_READS = frozenset({"GET", "HEAD"})


def tenant_finder(authenticator: Authenticator, links: DownloadLinks | None) -> Callable[[Request], Awaitable[str]]:
    """Return a function that returns the tenant proven by the request's credential, or an empty string. `links` opens
    the codes of downloads."""

    async def tenant_of(request: Request) -> str:
        if request.method not in _READS:
            return ""
        try:
            if links and request.url.path == DOWNLOAD_PATH:
                return links.open(request.query_params.get("code", "")).scope.tenant
            return (await authenticator.principal(request)).tenant or ""
        except AuditlaneError:  # the route reports it
            return ""

    return tenant_of
