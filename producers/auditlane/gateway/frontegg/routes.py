"""`POST /audits`: one audit as their clients send it, answered when Kafka has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from auditlane.access.scope import Principal
from auditlane.contract.event_json import UnusableNumber, finite, no_constant
from auditlane.contract.frontegg import TENANT_HEADER, as_read, row_of
from auditlane.contract.tenants import check_tenant
from auditlane.gateway.body import BOM, parse
from auditlane.gateway.frontegg.audit import event_of, posted_of
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.sender import Sender, idempotent_id
from auditlane.runtime.errors import InvalidEvent, InvalidInput

PATH: Final = "/audits"


def build(service: IngestService, client: Callable[..., Any], *, named: Callable[[Request], str | None]) -> APIRouter:
    """The route. `client` is a dependency that gives a Principal; `named` reads the header that names a tenant."""
    router = APIRouter(include_in_schema=False)
    sends = Depends(client)

    async def send(request: Request, principal: Principal = sends) -> JSONResponse:
        sender = Sender.of(
            principal,
            named(request),
            header=TENANT_HEADER,
            request_id=str(getattr(request.state, "request_id", "")),
            idempotency_key=request.headers.get("idempotency-key", ""),
        )
        audit = audit_of(await request.body())
        tenant = tenant_of(audit, sender)
        now = datetime.now(UTC)
        key = sender.idempotency_key
        event_id = idempotent_id(sender.vouched, tenant, key, 0) if key else ""
        own = await service.own_fields(tenant)
        event = event_of(audit, tenant, now=now, own=own, source=sender.client_id, event_id=event_id)
        if key and event.occurred_at == now:  # a repeat would have another time, and so be another event
            raise InvalidEvent(
                "With an Idempotency-Key, an audit says when it happened.", field="time", fix="Add time, as RFC 3339."
            )
        [result] = await service.send([posted_of(event)], sender)
        if result.error:
            raise result.error
        return JSONResponse(row_of(as_read(event), vendor=sender.client_id), 202)

    router.add_api_route(PATH, send, methods=["POST"])
    return router


def audit_of(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, or InvalidInput."""
    try:
        audit = parse(body.removeprefix(BOM), _DECODER)
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}", field="body") from None
    if not isinstance(audit, dict):
        raise InvalidInput("An audit is a JSON object.", field="body", fix='Such as {"action": "Login"}.')
    return audit


def tenant_of(audit: Mapping[str, Any], sender: Sender) -> str:
    """The header's (or the credential's) tenant; without one, the body's. Raises InvalidEvent when there is none, or
    when the two differ."""
    tenant = audit.get("tenantId")
    if tenant in (None, ""):
        tenant = sender.tenant
    if tenant is None:
        raise InvalidEvent("The audit names no tenant.", field=TENANT_HEADER, fix=f"Send the header {TENANT_HEADER}.")
    if not isinstance(tenant, str):
        raise InvalidEvent("tenantId must be text.", field="tenantId")
    if sender.tenant not in (None, tenant):
        raise InvalidEvent(
            f"tenantId is not the tenant of the header {TENANT_HEADER}, or of the credential.",
            field="tenantId",
            fix="Send the same in both, or leave tenantId out.",
        )
    return check_tenant(tenant)


def _number(text: str) -> float | str:
    """The number, or its text where a double cannot hold it."""
    try:
        return finite(text)
    except UnusableNumber:
        return text


_DECODER: Final = json.JSONDecoder(parse_float=_number, parse_constant=no_constant)
