"""The routes of the data structure: the environment's under `/v1/structure`, a tenant's under its own path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.query.structure import responses, rights
from auditlane.query.structure.audit import audit_events, unfinished
from auditlane.query.structure.models import (
    ChangedField,
    Contract,
    History,
    NewField,
    ShownStructure,
    StatedStructure,
)
from auditlane.query.structure.service import FieldChange, StructureChange, StructureService, Unfinished
from auditlane.runtime.errors import (
    InvalidInput,
    PreconditionMissing,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotFound,
)
from auditlane.runtime.log import get

Authorize = Callable[..., Callable[..., Any]]  # called with the permissions of which a caller needs one
_Responses = dict[int | str, dict[str, Any]]
_CHANGED: Final[_Responses] = {
    412: {"description": "It was changed since it was read."},
    428: {"description": "If-Match is missing."},
}
_ADDED: Final[_Responses] = {409: {"description": "There is such a field, in another form."}, 412: _CHANGED[412]}
_WITH_ETAG: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}
}


def build(
    service: StructureService,
    authorize: Authorize,
    environment: Authorize,
    *,
    only: Callable[..., Any],
    prefix: str = "/v1",
    documented: bool = True,
) -> APIRouter:
    """`authorize` gives a TenantScope (of the path's tenant), `environment` a Principal of the whole environment; each
    is called with the permissions of which the caller needs one.

    `only(*names)` is a dependency that refuses any other query parameter.
    """
    router = APIRouter(prefix=prefix, tags=["structure"], include_in_schema=documented)
    plain, paged = [Depends(only())], [Depends(only("limit", "before"))]
    _mount(router, service, "/structure", environment, Permission.configure, plain, paged)
    _mount(router, service, "/tenants/{tenant}/structure", authorize, Permission.read, plain, paged)
    return router


def _mount(
    router: APIRouter,
    service: StructureService,
    path: str,
    authorize: Authorize,
    to_read: Permission,
    plain: list[Any],
    paged: list[Any],
) -> None:
    """The same routes for the environment and for a tenant."""
    whose = "a tenant's" if "{tenant}" in path else "the environment's"
    # As defaults: annotations are text here, and FastAPI could not resolve local names in them.
    reads, configures = Depends(authorize(to_read)), Depends(authorize(Permission.configure))
    decides = Depends(authorize(Permission.contract))
    changes = Depends(authorize(Permission.configure, Permission.contract))  # by what is changed: see `rights`

    @router.get(path, summary=f"Get {whose} data structure", dependencies=plain, responses={200: _WITH_ETAG})
    def show(request: Request, response: Response, who: Any = reads) -> ShownStructure:
        """What readers see: fields in their order, with the environment's and this scope's own changes."""
        _not_audited(request)
        shown = service.state(_tenant(who))
        response.headers["ETag"] = shown.etag
        return responses.structure(shown)

    @router.put(
        path, summary=f"Change {whose} data structure", dependencies=plain, responses={200: _WITH_ETAG, **_CHANGED}
    )
    def replace(request: Request, response: Response, body: StatedStructure, who: Any = configures) -> ShownStructure:
        """Needs `If-Match` with the ETag that was read; `*` overwrites whatever is there."""
        done = service.replace(
            _tenant(who),
            fields=None if body.fields is None else [(one.name, one.view()) for one in body.fields],
            switch=(body.enabled,) if "enabled" in body.model_fields_set else None,
            etags=_required_etags(request),
            who=_name(who),
        )
        return _recorded_answer(request, response, done)

    @router.get(f"{path}/fields", summary=f"List the fields of {whose} contract", dependencies=plain)
    def contract(request: Request, who: Any = reads) -> Contract:
        """Fields beyond the base event's, each with its type, default and rules. Needs the schema registry."""
        _not_audited(request)
        tenant = _tenant(who)
        with public_errors():
            registered = service.contracts().of(tenant)
        return responses.contract(registered, service.state(tenant))

    @router.post(
        f"{path}/fields",
        summary=f"Add a field to {whose} events",
        status_code=201,
        dependencies=plain,
        responses={201: _WITH_ETAG, **_ADDED},
    )
    def add(request: Request, response: Response, body: NewField, who: Any = decides) -> ShownStructure:
        """Events may carry it from now on: in the contract, in the table, in exports. Also restores a removed one."""
        field_change = _field_change(who, body.name, body)
        with public_errors():
            done = service.add(
                _tenant(who),
                field_change,
                etags=_etags(request),
                who=_name(who),
                unfinished=_unfinished_recorder(request, field_change),
            )
        return _recorded_answer(request, response, done, field_change)

    @router.put(
        f"{path}/fields/{{name}}",
        summary=f"Change a field of {whose} events",
        dependencies=plain,
        responses={200: _WITH_ETAG, **_CHANGED, 409: {"description": "It cannot hold that from now on."}},
    )
    def change(
        request: Request, response: Response, name: str, body: ChangedField, who: Any = changes
    ) -> ShownStructure:
        """What is left out stays. Events that were written before keep being read.

        `type`, `default`, `rules` and `exclusive` take `audits:contract`, everything else `audits:configure`.
        """
        rights.require(who.permissions, body)
        field_change = _field_change(who, name, body)
        with public_errors():
            done = service.change(
                _tenant(who),
                field_change,
                etags=_required_etags(request),
                who=_name(who),
                unfinished=_unfinished_recorder(request, field_change),
            )
        return _recorded_answer(request, response, done, field_change)

    @router.delete(
        f"{path}/fields/{{name}}",
        summary=f"Remove a field from {whose} events",
        status_code=204,
        dependencies=plain,
        responses={412: _CHANGED[412]},
    )
    def remove(request: Request, response: Response, name: str, who: Any = decides) -> None:
        """Readers no longer see it, and events need not carry it. Its data is kept: POST restores it."""
        with public_errors():
            done = service.remove(
                _tenant(who),
                name,
                etags=_etags(request),
                who=_name(who),
                unfinished=_unfinished_recorder(request, None, name),
            )
        _recorded_answer(request, response, done)

    @router.get(f"{path}/history", summary=f"Who changed {whose} data structure", dependencies=paged)
    def history(
        request: Request,
        who: Any = reads,
        limit: int = Query(50, ge=1, le=200, description="Revisions on a page."),
        before: int | None = Query(None, ge=1, le=2**62, description="`next` of an answer."),
    ) -> History:
        """Every revision, newest first, with what it changed."""
        _not_audited(request)
        return responses.history(service.history(_tenant(who), limit=limit, before=before), limit)


def _tenant(who: TenantScope | Principal) -> str | None:
    return who.tenant


def _name(who: TenantScope | Principal) -> str:
    return who.actor if isinstance(who, TenantScope) else who.subject


def _field_change(who: TenantScope | Principal, name: str, body: ChangedField) -> FieldChange:
    if body.exclusive is not None and _tenant(who) is None:
        raise InvalidInput("The base event is every tenant's.", field="exclusive", fix="Say it for a tenant.")
    rules = body.rules.stated() if body.rules is not None else None
    ends = "default" in body.model_fields_set and body.default is None
    return FieldChange(name, body.type, body.default, rules, body.exclusive, body.view(), without_default=ends)


def _etags(request: Request) -> list[str] | None:
    """The ETags that the caller saw; None when it does not say."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    return [one.strip().removeprefix("W/") for one in header.split(",")]


def _required_etags(request: Request) -> list[str]:
    given = _etags(request)
    if given is None:
        raise PreconditionMissing(
            "The request does not say which revision it changes.",
            field="If-Match",
            fix="Send the header If-Match with the ETag of the structure that was read, or * to overwrite any.",
        )
    return given


def _recorded_answer(
    request: Request, response: Response, done: StructureChange, field_change: FieldChange | None = None
) -> ShownStructure:
    """Record what was done, and answer with what there is now."""
    for action, facts in audit_events(done, field_change):
        auditor_of(request).record(action, **facts)
    response.headers["ETag"] = done.after.etag
    return responses.structure(done.after)


def _unfinished_recorder(request: Request, field_change: FieldChange | None, name: str = "") -> Unfinished:
    """Records a change that failed though the contract may have been changed."""

    def note(error: BaseException) -> None:
        action, facts = unfinished(field_change.name if field_change else name, field_change, error)
        auditor_of(request).record(action, **facts)

    return note


def _not_audited(request: Request) -> None:
    """How a log is laid out says nothing of what is in it: to read that is no event of its own."""
    auditor_of(request).recorded = True


@contextmanager
def public_errors() -> Iterator[None]:
    """Raises RegistryUnavailable and RegistryRefused, SchemaNotFound among them, without hosts and settings."""
    try:
        yield
    except (RegistryUnavailable, RegistryRefused) as error:
        get("structure").warning("structure.registry", code=error.code, problem=str(error))
        raise _public_error(error) from error


def _public_error(error: RegistryUnavailable | RegistryRefused) -> RegistryUnavailable | RegistryRefused:
    if isinstance(error, RegistryUnavailable):
        return RegistryUnavailable(
            "The schema registry does not answer now, so it is not sure whether the contract was changed.",
            fix="Repeat the request a little later: it finishes what is left.",
        )
    reason = "The service's log says why."
    if isinstance(error, SchemaNotFound):
        return SchemaNotFound("The schema registry holds no contract of the events yet.", fix=reason)
    return RegistryRefused("The schema registry refused the contract.", fix=reason)
