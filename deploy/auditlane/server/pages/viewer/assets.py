"""Serves the viewer build's files to the server's own pages, and to script tags in vendors' pages."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from auditlane.runtime.errors import NotFound
from auditlane.server.pages.viewer.bundle import PATH, Bundle
from auditlane.server.services import Services, services_of

_SMALL: Final = 1_024  # size below which compression gains nothing
_YEAR: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "public, no-cache"  # stable names refer to hashed files, which a new build replaces
_PUBLIC: Final = {
    "Access-Control-Allow-Origin": "*",  # module scripts are fetched with CORS; the files are public
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
}


def asset(name: str, request: Request, services: Annotated[Services, Depends(services_of)]) -> Response:
    """Return a file from the build. Raises NotFound if it does not exist."""
    bundle = services.bundle
    found = bundle.assets.get(name) if bundle else None
    if found is None:
        raise NotFound(f"The viewer's build has no file {name[:100]}.", fix=_fix(bundle))
    headers = _PUBLIC | {"Cache-Control": _YEAR if found.lasting else _REVALIDATE, "ETag": found.etag}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = found.content
    if len(content) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = found.gzipped, headers | {"Content-Encoding": "gzip"}
    return Response(content, media_type=found.media_type, headers=headers)


def build() -> APIRouter:
    """Return the route `/static/viewer/…`."""
    router = APIRouter(include_in_schema=False)
    router.api_route(PATH + "/{name:path}", methods=["GET", "HEAD"])(asset)
    return router


def _fix(bundle: Bundle | None) -> str:
    return "Reload the page: there may be a newer build." if bundle else "Build the viewer: `make viewer`."
