"""Routes that list, save, change, share and delete saved views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.query.base_filter import digest
from auditlane.query.etags import etags_of, required_etags
from auditlane.query.router import Authorize, Scope, Structures, granted, services_of
from auditlane.query.saved_views.checks import check
from auditlane.query.saved_views.models import SavedView, SavedViewList, ViewRequest
from auditlane.query.saved_views.service import Owner, SavedViews
from auditlane.runtime.errors import Forbidden

_PATH: Final = "/v1/views"
_WITH_ETAG: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "For If-Match: the view's revision.", "schema": {"type": "string"}}}
}


class ViewServices(Protocol):
    """The services that these routes use."""

    @property
    def saved_views(self) -> SavedViews: ...
    @property
    def structures(self) -> Structures: ...


async def owner_of(request: Request) -> Owner:
    """Return the person who sent an authorized request."""
    principal: Principal = request.state.principal
    scope: TenantScope = request.state.granted
    auditor_of(request).recorded = True  # reading a view reveals none of the log's content
    return Owner(scope.tenant, "operator" if principal.console else principal.kind, scope.actor, digest(scope))


Services = Annotated[ViewServices, Depends(services_of)]
Caller = Annotated[Owner, Depends(owner_of)]


def list_views(caller: Caller, services: Services) -> SavedViewList:
    """List the views that the caller can use, the tenant's before the caller's own."""
    return SavedViewList(data=services.saved_views.all(caller))


def get_view(response: Response, view_id: str, caller: Caller, services: Services) -> SavedView:
    """Return one of these views. Another person's view results in a 404."""
    return _with_etag(response, services.saved_views.find(caller, view_id))


def save(
    request: Request, response: Response, body: ViewRequest, scope: Scope, caller: Caller, services: Services
) -> SavedView:
    """Save a view. It belongs to the caller or, with `shared`, to the whole tenant. The latter requires
    `audits:configure`.
    """
    if body.shared:
        _require_configure(scope)
    check(body, services.structures.of, scope.tenant)
    view = services.saved_views.create(caller, body)
    _record(request, Action.saved_view_created, view)
    response.headers["Location"] = f"{_PATH}/{view.id}"
    return _with_etag(response, view)


def replace(
    request: Request,
    response: Response,
    view_id: str,
    body: ViewRequest,
    scope: Scope,
    caller: Caller,
    services: Services,
) -> SavedView:
    """Replace a view, and share it or stop sharing it. A view that is no longer shared belongs to the caller. Requires
    `If-Match` with the ETag that was read. `*` overwrites any revision. A shared view requires `audits:configure`.
    """
    if body.shared:
        _require_configure(scope)
    etags = required_etags(request, "view")
    check(body, services.structures.of, scope.tenant)
    before = _changeable(view_id, scope, caller, services)
    view = services.saved_views.replace(caller, before, body, etags)
    _record(request, Action.saved_view_changed, view)
    return _with_etag(response, view)


def delete(request: Request, view_id: str, scope: Scope, caller: Caller, services: Services) -> None:
    """Delete a view. `If-Match` is optional. A shared view is deleted for everyone, which requires
    `audits:configure`.
    """
    view = _changeable(view_id, scope, caller, services)
    services.saved_views.delete(caller, view, etags_of(request))
    _record(request, Action.saved_view_deleted, view)


def build(authorize: Authorize, *, only: Callable[..., Any]) -> APIRouter:
    """Build the routes under `/v1/views`.

    `authorize` takes permissions and returns a dependency that provides the request's TenantScope. `only()` is a
    dependency that rejects query parameters.
    """
    reads = granted(authorize(Permission.read))
    router = APIRouter(prefix=_PATH, tags=["views"], dependencies=[reads, Depends(only())])
    router.get("", summary="List saved views")(list_views)
    router.post("", summary="Save a view", status_code=201, responses={201: _WITH_ETAG})(save)
    router.get("/{view_id}", summary="Get a saved view", responses={200: _WITH_ETAG})(get_view)
    router.put("/{view_id}", summary="Replace a saved view", responses={200: _WITH_ETAG})(replace)
    router.delete("/{view_id}", summary="Delete a saved view", status_code=204)(delete)
    return router


def _changeable(view_id: str, scope: TenantScope, caller: Owner, services: ViewServices) -> SavedView:
    """Return a view that the caller may change. Raises NotFound if there is no such view, and Forbidden if it is shared
    and they may not change shared views.
    """
    view = services.saved_views.find(caller, view_id)
    if view.shared:
        _require_configure(scope)
    return view


def _require_configure(scope: TenantScope) -> None:
    if Permission.configure not in scope.permissions:
        raise Forbidden(
            f"This credential lacks the permission {Permission.configure}, which a shared view requires.",
            field="shared",
            fix="Save the view as your own, or use a credential that has the permission.",
        )


def _record(request: Request, action: Action, view: SavedView) -> None:
    """Record a change. The event contains neither the view's search nor, for a person's own view, its name."""
    name = view.name if view.shared else None
    auditor_of(request).record(
        action, resource="saved_view", resource_id=view.id, shared=view.shared, name=name, revision=view.revision
    )


def _with_etag(response: Response, view: SavedView) -> SavedView:
    response.headers["ETag"] = view.etag
    return view
