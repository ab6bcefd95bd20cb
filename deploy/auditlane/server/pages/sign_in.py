"""Sends people without a session to the vendor's sign-in page, which returns them to the requested page."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import Request

from auditlane.access.base_url import base_of
from auditlane.runtime.errors import InvalidInput
from auditlane.runtime.settings import Settings

RETURN_TO: Final = "return_to"


def sign_in_address(request: Request, settings: Settings, *, path: str = "") -> str:
    """Return `AUDITLANE_SIGN_IN_URL`, with the page to return to in `return_to`, or "" if the setting is empty.

    That page is `path`, or else the requested one. `return_to` is omitted if this service's address is unknown, since
    without `AUDITLANE_SERVE_URL`, it could only be taken from the Host header, which can be forged.
    """
    if not settings.sign_in_url:
        return ""
    try:
        base = base_of(request, settings.serve_url)
    except InvalidInput:
        return settings.sign_in_url
    page = path or request.url.path + (f"?{request.url.query}" if request.url.query else "")
    separator = "&" if urlsplit(settings.sign_in_url).query else "?"
    return f"{settings.sign_in_url}{separator}{RETURN_TO}={quote(base + page, safe='')}"
