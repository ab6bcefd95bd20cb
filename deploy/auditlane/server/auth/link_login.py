"""Signs users in to and out of the pages. A link's code is exchanged for an HttpOnly cookie; signing out deletes it.

A GET of a link only shows a button, which submits a form by POST. Mail scanners and chat previews follow links with GET
and therefore do not use them up.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from auditlane.access.audit import Action, auditor_of
from auditlane.access.links import Page
from auditlane.runtime.errors import InvalidInput
from auditlane.server.auth.authentication import require_not_cross_site
from auditlane.server.pages.i18n import catalogue_for
from auditlane.server.pages.message_page import page
from auditlane.server.pages.sign_in import sign_in_address
from auditlane.server.pages.templates import address
from auditlane.server.services import Services, services_of

_SCRIPT: Final = files("auditlane.server.pages").joinpath("static", "enter.js").read_bytes()
SCRIPT_PATH: Final = f"/static/enter-{hashlib.sha256(_SCRIPT).hexdigest()[:12]}.js"
_CODE_LENGTH: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "code": {"type": "string", "maxLength": _CODE_LENGTH, "description": "The link's code."}
                    },
                }
            }
        }
    }
}
Code = Annotated[str, Query(max_length=_CODE_LENGTH, description="The link's code.")]
AppServices = Annotated[Services, Depends(services_of)]


async def show_button(request: Request, code: Code, services: AppServices) -> Response:
    """Return a page with a form that posts the code. This request does not use up the link."""
    with services.sign_in_limits.charging_failures(request):
        leads_to = services.links.page_of(code, now=datetime.now(UTC))
    words = catalogue_for(request)
    title = words.gettext("Open the console") if leads_to is Page.console else words.gettext("Open the audit log")
    form = (
        f'<form method="post" action="{escape(address(request, "/enter"))}">'
        f'<input type="hidden" name="code" value="{escape(code)}"><button>{escape(title)}</button></form>'
    )
    if leads_to is Page.embed:
        form += f'<script src="{SCRIPT_PATH}" defer></script>'
    return page(request, title, words.gettext("This link works only once."), form=form)


async def enter(
    request: Request,
    services: AppServices,
    code: Annotated[str, Query(max_length=_CODE_LENGTH, include_in_schema=False)] = "",
) -> Response:
    """Use the link: set the session cookie, and redirect to an address without the code. A code works once.

    A visitor who first opened a shared link without a session is redirected to its view.
    """
    require_not_cross_site(request)  # another site could sign the visitor in as a different user
    code, now = await _code(request) or code, datetime.now(UTC)
    with services.sign_in_limits.charging_failures(request):
        opened = await services.links.open(code, now=now)
    auditor = auditor_of(request)
    auditor.actor_id, auditor.actor_type = opened.user, "user"
    auditor.tenant, auditor.client_id = opened.tenant, opened.client_id
    auditor.record(
        Action.link_opened, resource="session", page=opened.page, ttl_s=int(opened.token.ttl.total_seconds())
    )
    cookies = services.authenticator.cookies
    shared = cookies.view_of(request) if opened.page is Page.log and not opened.view else ""
    answer = RedirectResponse(f"{Page.log.value}?{shared}" if shared else opened.address, status_code=303)
    cookies.put(request, answer, opened.page, opened.token)
    if opened.page is Page.log:
        cookies.forget_view(request, answer)
    return answer


async def script() -> Response:
    """Return the script that submits the form inside an embedding page. Its name changes with its content."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_SCRIPT, media_type="text/javascript", headers=headers)


async def leave(request: Request, services: AppServices) -> Response:
    """Delete the session cookie. Its token expires after its short lifetime."""
    require_not_cross_site(request)  # another site could sign the visitor out
    words = catalogue_for(request)
    sign_in, text, form = sign_in_address(request, services.settings, path="/"), "", ""
    if sign_in:
        form = f'<p><a class="button primary" href="{escape(sign_in)}">{escape(words.gettext("Sign in again"))}</a></p>'
    else:
        text = words.gettext("To sign in again, request a new link where you got the last one.")
    answer = page(request, words.gettext("You are signed out"), text, form=form)
    services.authenticator.cookies.drop(request, answer)
    return answer


def build() -> APIRouter:
    """Return the routes `/enter` and `/leave`, and the script for `/enter`."""
    router = APIRouter(tags=["pages"])
    router.get("/enter", summary="Show the button that opens a link", response_class=HTMLResponse)(show_button)
    router.post(
        "/enter",
        summary="Open the pages with a link's code",
        status_code=303,
        response_class=RedirectResponse,
        openapi_extra=_BODY,
    )(enter)
    router.get(SCRIPT_PATH, include_in_schema=False)(script)
    router.post("/leave", include_in_schema=False)(leave)
    return router


async def _code(request: Request) -> str:
    """Return the code in the form, or an empty string. Raises InvalidInput for an oversized code."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    found = parse_qs((await request.body()).decode(errors="replace")).get("code", [""])[0]
    if len(found) > _CODE_LENGTH:
        raise InvalidInput("The code is too long.", field="code", fix="Open the link exactly as you received it.")
    return found
