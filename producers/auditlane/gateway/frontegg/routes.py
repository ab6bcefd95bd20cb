"""`POST /audits` accepts one audit in Frontegg's format, and responds once Kafka has it."""

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
    """Build the route. `client` is a dependency that returns a Principal, and `named` reads the tenant header."""
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
        event_id = idempotent_id(sender.provenance_id, tenant, key, 0) if key else ""
        own = await service.own_fields(tenant)
        event = event_of(audit, tenant, now=now, own=own, source=sender.client_id, event_id=event_id)
        if key and event.occurred_at == now:  # a retry would get a different time, and so become a different event
            raise InvalidEvent(
                "time is missing; it is required with an Idempotency-Key.", field="time", fix="Add time, as RFC 3339."
            )
        [result] = await service.send([posted_of(event)], sender)
        if result.error:
            raise result.error
        return JSONResponse(row_of(as_read(event), vendor=sender.client_id), 202)

    router.add_api_route(PATH, send, methods=["POST"])
    return router


def audit_of(body: bytes) -> dict[str, Any]:
    """Parse the JSON object in a body. Raises InvalidInput for any other body."""
    try:
        audit = parse(body.removeprefix(BOM), _DECODER)
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}", field="body") from None
    if not isinstance(audit, dict):
        raise InvalidInput(
            "The audit is not a JSON object.", field="body", fix='Send an object such as {"action": "Login"}.'
        )
    return audit


def tenant_of(audit: Mapping[str, Any], sender: Sender) -> str:
    """Return the tenant from the header or credential, or else from the body. Raises InvalidEvent if it is missing or
    the two differ.
    """
    tenant = audit.get("tenantId")
    if tenant in (None, ""):
        tenant = sender.tenant
    if tenant is None:
        raise InvalidEvent("The tenant is missing.", field=TENANT_HEADER, fix=f"Send the header {TENANT_HEADER}.")
    if not isinstance(tenant, str):
        raise InvalidEvent("tenantId must be text.", field="tenantId")
    if sender.tenant not in (None, tenant):
        raise InvalidEvent(
            f"tenantId differs from the tenant in the header {TENANT_HEADER} or in the credential.",
            field="tenantId",
            fix="Send the same tenant in both, or omit tenantId.",
        )
    return check_tenant(tenant)


def _number(text: str) -> float | str:
    """Return the number, or its text if a double cannot represent it."""
    try:
        return finite(text)
    except UnusableNumber:
        return text


_DECODER: Final = json.JSONDecoder(parse_float=_number, parse_constant=no_constant)
