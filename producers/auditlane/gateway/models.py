"""The routes' parameters, requests and responses for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Body, Header
from pydantic import BaseModel, Field

from auditlane.access.scope import TENANT_HEADER

Tenant = Annotated[
    str | None,
    Header(
        alias=TENANT_HEADER,
        description="Tenant of all events, with a token that is valid for every tenant. If omitted, each event has a "
        "`tenant_id`.",
        examples=["acme"],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes the request safe to retry: event ids are derived from the key, the tenant and the index. "
        "Retry with the same key and the same events in the same order.",
        examples=["6a1f3c2e-1b7d-4d0e-9a55-0c8f6b1f0d11"],
    ),
]
OwnFields = Annotated[
    dict[str, Any] | None,
    Body(
        description="Values of the tenant's custom fields, if its contract requires them. Other fields cannot be set.",
        examples=[{}],
    ),
]


class EventResult(BaseModel):
    """The outcome of one event."""

    index: int = Field(description="Position of the event in the request, from 0; blank lines do not count.")
    status: int = Field(
        description="202: Kafka has acknowledged it, or it is `spooled`. 400, 403, 413: it was rejected. "
        "429, 5xx: send it again."
    )
    event_id: str | None = None
    spooled: bool | None = Field(
        None, description="true if the event is on the service's disk, from which it is sent once Kafka is available."
    )
    code: str | None = Field(None, description="Error code, for programs.")
    detail: str | None = Field(None, description="Error message, for people.")
    fix: str | None = Field(None, description="How to resolve the error.")
    field: str | None = Field(None, description="Name of the invalid field.")


class EventsAnswer(BaseModel):
    """The outcome of a request's events."""

    accepted: int = Field(description="Events that Kafka has acknowledged, and `spooled` events.")
    spooled: int | None = Field(
        None, description="Of the accepted events, those on the service's disk. Omitted if there are none."
    )
    refused: int = Field(description="Events that were not accepted.")
    results: list[EventResult] = Field(
        description="The results of all events if the request has at most 1,000, otherwise the first 1,000 errors."
    )
    left_out: int = Field(description="Events without an entry in `results`.")


class TestEvent(BaseModel):
    """The sent event. It is available at `GET /v1/events/{event_id}` a moment later."""

    event_id: str
    tenant_id: str


_ID: Final = "019391a4-7f3c-7cc2-9d2e-0242ac120002"
_EVENT: Final = {
    "occurred_at": "2026-01-31T13:45:00.123456Z",
    "action": "document.deleted",
    "actor_id": "user-17",
    "resource": "document",
    "resource_id": "d-98765",
    "outcome": "success",
    "ip": "192.0.2.17",
    "before": {"title": "Draft"},
    "metadata": {"region": "eu-1"},
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["action"],
    "description": "An event. The tenant's custom fields go next to these fields or under `fields`. null means absent.",
    "properties": {
        "event_id": {
            "type": "string",
            "format": "uuid",
            "description": "Set it to make retries harmless. Default: a new UUID.",
        },
        "tenant_id": {
            "type": "string",
            "description": f"Default: the tenant of the header {TENANT_HEADER} or of the token.",
        },
        "occurred_at": {"type": "string", "format": "date-time", "description": "With a UTC offset. Default: now."},
        "action": {"type": "string", "minLength": 1, "pattern": r"\S"},
        **{name: {"type": "string"} for name in ("actor_id", "actor_type", "actor_name", "on_behalf_of")},
        **{name: {"type": "string"} for name in ("resource", "resource_id", "description", "ip", "user_agent")},
        "outcome": {"type": "string", "enum": ["unknown", "success", "failure", "denied"]},
        "severity": {"type": "string", "enum": ["Info", "Low", "Medium", "High", "Critical", "Error"]},
        "request_id": {"type": "string", "description": "Default: this request's id."},
        "source": {"type": "string", "description": "Default: the credential's client id."},
        "before": {"description": "State before the change. Objects and arrays are stored as JSON text."},
        "after": {"description": "State after the change."},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "fields": {"type": "object"},
    },
    "additionalProperties": True,
}
_ALL: Final = {"accepted": 1, "refused": 0, "results": [{"index": 0, "status": 202, "event_id": _ID}], "left_out": 0}
_SOME: Final = {
    "accepted": 1,
    "refused": 1,
    "results": [
        {"index": 0, "status": 202, "event_id": _ID},
        {
            "index": 1,
            "status": 400,
            "code": "EVENT_INVALID",
            "detail": "The event is not valid: action is missing",
            "field": "action",
        },
    ],
    "left_out": 0,
}
EVENTS: Final[dict[str, Any]] = {
    "summary": "Send events",
    "status_code": 202,
    "response_model": None,
    "responses": {
        202: {
            "model": EventsAnswer,
            "description": "Every event was accepted: Kafka has acknowledged it.",
            "content": {"application/json": {"example": _ALL}},
        },
        207: {
            "model": EventsAnswer,
            "description": "Some events were accepted. With `Retry-After`, others may be accepted if sent again.",
            "content": {"application/json": {"example": _SOME}},
        },
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [_SCHEMA, {"type": "array", "items": _SCHEMA}]},
                    "examples": {"one": {"value": _EVENT}, "several": {"value": [_EVENT, {"action": "Login"}]}},
                },
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "One event per line; the body may be sent chunked."},
                    "example": '{"action": "Login", "actor_id": "a"}\n{"action": "Logout", "actor_id": "a"}\n',
                },
            },
        }
    },
}
TEST_EVENT: Final[dict[str, Any]] = {"summary": "Send a test event", "status_code": 202}
