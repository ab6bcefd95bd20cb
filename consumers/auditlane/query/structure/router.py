"""Routes for the data structure: the environment's under `/v1/structure`, a tenant's under its own path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.query.etags import etags_of, required_etags
from auditlane.query.router import Authorize, caller_of, granted
from auditlane.query.structure import responses, rights
from auditlane.query.structure.audit import audit_events, schema_events, unfinished
from auditlane.query.structure.contract_repository import Registrations
from auditlane.query.structure.models import (
    Catalogue,
    ChangedField,
    Contract,
    DataStructure,
    DataStructureUpdate,
    History,
    LabelledActions,
    NewField,
)
from auditlane.query.structure.service import FieldChange, StructureChange, StructureService, Unfinished
from auditlane.query.structure.views import ScopeState
from auditlane.runtime.errors import (
    Forbidden,
    InvalidInput,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotFound,
)
from auditlane.runtime.log import get
from auditlane.store.presentation import NamedAction

_Responses = dict[int | str, dict[str, Any]]
_CHANGED: Final[_Responses] = {
    412: {"description": "The structure has changed since it was read."},
    428: {"description": "If-Match is missing."},
}
_ADDED: Final[_Responses] = {
    409: {"description": "A field of this name exists with other attributes."},
    412: _CHANGED[412],
}
_WITH_ETAG: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}
}


async def structure_of(request: Request) -> StructureService:
    """Return the structure service of the app that handles this request."""
    structure: StructureService = request.app.state.services.structure
    return structure


Caller = Annotated[Any, Depends(caller_of)]  # a TenantScope, or an environment-wide Principal
Service = Annotated[StructureService, Depends(structure_of)]


def show(request: Request, response: Response, caller: Caller, service: Service) -> DataStructure:
    """Return the fields that readers see, in their order, with the environment's and this scope's changes."""
    _not_audited(request)
    state = service.state(_tenant(caller))
    response.headers["ETag"] = state.etag
    return responses.structure(state)


def replace(
    request: Request, response: Response, body: DataStructureUpdate, caller: Caller, service: Service
) -> DataStructure:
    """Change how fields are shown. Requires `If-Match` with the ETag that was read. `*` overwrites any revision."""
    change = service.replace(
        _tenant(caller),
        fields=None if body.fields is None else [(field.name, field.view()) for field in body.fields],
        switch=(body.enabled,) if "enabled" in body.model_fields_set else None,
        etags=required_etags(request, "structure"),
        who=_name(caller),
    )
    return _recorded_answer(request, response, change)


def contract(request: Request, caller: Caller, service: Service) -> Contract:
    """List the fields beyond the base event's, with type, default and rules. Requires the schema registry."""
    _not_audited(request)
    tenant = _tenant(caller)
    with public_errors():
        registered = service.contracts().of(tenant)
    return responses.contract(registered, service.state(tenant))


def add(request: Request, response: Response, body: NewField, caller: Caller, service: Service) -> DataStructure:
    """Add a field to the contract, the table and exports, or restore a removed field. From now on, events may have the
    field.
    """
    field_change = _field_change(caller, body.name, body)
    with public_errors():
        change = service.add(
            _tenant(caller),
            field_change,
            etags=etags_of(request),
            who=_name(caller),
            unfinished=_unfinished_recorder(request, field_change),
        )
    return _recorded_answer(request, response, change, field_change)


def change(
    request: Request, response: Response, name: str, body: ChangedField, caller: Caller, service: Service
) -> DataStructure:
    """Change the given attributes of a field. Events stored earlier remain readable.

    `type`, `default`, `rules` and `exclusive` require `audits:contract`. All other attributes require
    `audits:configure`.
    """
    rights.require(caller.permissions, body)
    field_change = _field_change(caller, name, body)
    with public_errors():
        changed = service.change(
            _tenant(caller),
            field_change,
            etags=required_etags(request, "structure"),
            who=_name(caller),
            unfinished=_unfinished_recorder(request, field_change),
        )
    return _recorded_answer(request, response, changed, field_change)


def remove(request: Request, response: Response, name: str, caller: Caller, service: Service) -> None:
    """Remove a field. Readers no longer see it, and events no longer need it. Its data is kept, and POST restores
    it.
    """
    with public_errors():
        change = service.remove(
            _tenant(caller),
            name,
            etags=etags_of(request),
            who=_name(caller),
            unfinished=_unfinished_recorder(request, None, name),
        )
    _recorded_answer(request, response, change)


def history(
    request: Request,
    caller: Caller,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=200, description="Revisions on a page.")] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the previous page.")] = None,
) -> History:
    """List the revisions, newest first, each with its changes."""
    _not_audited(request)
    if isinstance(caller, TenantScope) and caller.base_filter:
        raise Forbidden(
            "This token is limited by a filter, so it cannot read the history, which names the people who made "
            "changes.",
            fix="Use a token without a filter.",
        )
    return responses.history(service.history(_tenant(caller), limit=limit, before=before), limit)


def catalogue(request: Request, response: Response, caller: Caller, service: Service) -> Catalogue:
    """List the known actions with their labels: the built-in ones and those that the environment added."""
    _not_audited(request)
    state = service.state(_tenant(caller))
    response.headers["ETag"] = ScopeState(state.environment, state.environment).etag
    return responses.catalogue(state)


def name_actions(
    request: Request, response: Response, body: LabelledActions, caller: Caller, service: Service
) -> Catalogue:
    """Add actions with their labels and sentences, or replace those of existing actions. All other actions stay
    unchanged.
    """

    def given(own: Sequence[NamedAction]) -> list[NamedAction]:
        return [action.stored(own) for action in body.actions]

    change = service.name_actions(given, etags=etags_of(request), who=_name(caller))
    _recorded_answer(request, response, change)
    return responses.catalogue(change.after)


def forget_action(request: Request, response: Response, name: str, caller: Caller, service: Service) -> None:
    """Remove the environment's label of an action. A built-in label applies again. Events are not changed."""
    _recorded_answer(request, response, service.forget_action(name, etags=etags_of(request), who=_name(caller)))


def build(
    authorize: Authorize,
    environment: Authorize,
    *,
    only: Callable[..., Any],
    prefix: str = "/v1",
    documented: bool = True,
) -> APIRouter:
    """Build the routes for the environment and for a tenant.

    `authorize` and `environment` take permissions, any one of which is sufficient, and return a dependency. The
    dependency returns the TenantScope for the tenant in the path (`authorize`), or an environment-wide Principal
    (`environment`). `only(*names)` is a dependency that rejects any other query parameter.
    """
    router = APIRouter(prefix=prefix, tags=["structure"], include_in_schema=documented)
    plain, paged = Depends(only()), Depends(only("limit", "before"))
    _mount(router, "/structure", environment, Permission.configure, plain, paged)
    _mount(router, "/tenants/{tenant}/structure", authorize, Permission.read, plain, paged)
    _mount_actions(router, environment, plain)
    return router


def _mount(router: APIRouter, path: str, authorize: Authorize, to_read: Permission, plain: Any, paged: Any) -> None:
    whose = "a tenant's" if "{tenant}" in path else "the environment's"
    reads, configures = granted(authorize(to_read)), granted(authorize(Permission.configure))
    decides = granted(authorize(Permission.contract))
    changes = granted(authorize(Permission.configure, Permission.contract))  # `rights` decides which of them
    router.get(path, summary=f"Get {whose} data structure", dependencies=[reads, plain], responses={200: _WITH_ETAG})(
        show
    )
    router.put(
        path,
        summary=f"Change {whose} data structure",
        dependencies=[configures, plain],
        responses={200: _WITH_ETAG, **_CHANGED},
    )(replace)
    fields, field = f"{path}/fields", f"{path}/fields/{{name}}"
    router.get(fields, summary=f"List the fields of {whose} contract", dependencies=[reads, plain])(contract)
    router.post(
        fields,
        summary=f"Add a field to {whose} events",
        status_code=201,
        dependencies=[decides, plain],
        responses={201: _WITH_ETAG, **_ADDED},
    )(add)
    router.put(
        field,
        summary=f"Change a field of {whose} events",
        dependencies=[changes, plain],
        responses={200: _WITH_ETAG, **_CHANGED, 409: {"description": "The field cannot be changed this way."}},
    )(change)
    router.delete(
        field,
        summary=f"Remove a field from {whose} events",
        status_code=204,
        dependencies=[decides, plain],
        responses={412: _CHANGED[412]},
    )(remove)
    router.get(
        f"{path}/actions",
        summary="List the known actions" if "{tenant}" in path else "List the known actions of the environment",
        dependencies=[reads, plain],
        responses={200: _WITH_ETAG},
    )(catalogue)
    router.get(f"{path}/history", summary=f"List the changes to {whose} data structure", dependencies=[reads, paged])(
        history
    )


def _mount_actions(router: APIRouter, environment: Authorize, plain: Any) -> None:
    """Mount the routes that change the action catalogue, which is shared by all tenants."""
    configures = granted(environment(Permission.configure))
    router.post(
        "/structure/actions",
        summary="Add actions to the catalogue",
        dependencies=[configures, plain],
        responses={200: _WITH_ETAG, 412: _CHANGED[412]},
    )(name_actions)
    router.delete(
        "/structure/actions/{name}",
        summary="Remove an action from the catalogue",
        status_code=204,
        dependencies=[configures, plain],
        responses={412: _CHANGED[412]},
    )(forget_action)


def _tenant(caller: TenantScope | Principal) -> str | None:
    return caller.tenant


def _name(caller: TenantScope | Principal) -> str:
    return caller.actor if isinstance(caller, TenantScope) else caller.subject


def _field_change(caller: TenantScope | Principal, name: str, body: ChangedField) -> FieldChange:
    if body.exclusive is not None and _tenant(caller) is None:
        raise InvalidInput(
            "`exclusive` applies to a tenant's contract, but the base event is shared by all tenants.",
            field="exclusive",
            fix="Send the request for a tenant.",
        )
    rules = body.rules.stated() if body.rules is not None else None
    dropped = "default" in body.model_fields_set and body.default is None
    return FieldChange(name, body.type, body.default, rules, body.exclusive, body.view(), without_default=dropped)


def _recorded_answer(
    request: Request, response: Response, change: StructureChange, field_change: FieldChange | None = None
) -> DataStructure:
    """Record the change, and return the new state."""
    for action, facts in audit_events(change, field_change):
        auditor_of(request).record(action, **facts)
    response.headers["ETag"] = change.after.etag
    return responses.structure(change.after)


def _unfinished_recorder(request: Request, field_change: FieldChange | None, name: str = "") -> Unfinished:
    """Return a function that records a change that failed but may have changed the contract."""

    def note(error: BaseException, registered: Registrations) -> None:
        failed = unfinished(field_change.name if field_change else name, field_change, error)
        for action, facts in (failed, *schema_events(registered)):
            auditor_of(request).record(action, **facts)

    return note


def _not_audited(request: Request) -> None:
    """Keep a read of the structure out of the audit log, since it does not reveal any content of the log."""
    auditor_of(request).recorded = True


@contextmanager
def public_errors() -> Iterator[None]:
    """Remove the names of hosts and settings from RegistryUnavailable and RegistryRefused, including SchemaNotFound."""
    try:
        yield
    except (RegistryUnavailable, RegistryRefused) as error:
        get("structure").warning("structure.registry", code=error.code, problem=str(error))
        raise _public_error(error) from error


def _public_error(error: RegistryUnavailable | RegistryRefused) -> RegistryUnavailable | RegistryRefused:
    if isinstance(error, RegistryUnavailable):
        return RegistryUnavailable(
            "The schema registry does not respond, so the contract may or may not have been changed.",
            fix="Repeat the request later; it completes the change.",
        )
    reason = "See the service's log for the reason."
    if isinstance(error, SchemaNotFound):
        return SchemaNotFound("The schema registry has no contract for events yet.", fix=reason)
    return RegistryRefused("The schema registry rejected the contract.", fix=reason)
