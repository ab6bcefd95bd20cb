"""What the routes take and answer, in OpenAPI's words."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Body, Header
from pydantic import BaseModel, Field

from auditlane.access.scope import TENANT_HEADER

Tenant = Annotated[
    str | None,
    Header(
        alias=TENANT_HEADER,
        description="Whose events these are, with a token that is valid for every tenant; else each has `tenant_id`.",
        examples=["acme"],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes this request safe to repeat: an event's id follows from it, the tenant and its index. "
        "The repeated request has the same key and the same events in the same order.",
        examples=["6a1f3c2e-1b7d-4d0e-9a55-0c8f6b1f0d11"],
    ),
]
OwnFields = Annotated[
    dict[str, Any] | None,
    Body(
        description="Values of the tenant's own fields, such as its contract requires. Nothing else can be chosen.",
        examples=[{}],
    ),
]


class EventResult(BaseModel):
    """What became of one event."""

    index: int = Field(description="Its place in the request, from 0; blank lines do not count.")
    status: int = Field(description="202: Kafka has it. 400, 403, 413: it is refused. 5xx: send it again.")
    event_id: str | None = None
    code: str | None = Field(None, description="What is wrong, for programs.")
    detail: str | None = Field(None, description="What is wrong, for people.")
    fix: str | None = None
    field: str | None = Field(None, description="The event's field that is wrong.")


class EventsAnswer(BaseModel):
    """What became of a request's events."""

    accepted: int = Field(description="Events that Kafka has acknowledged.")
    refused: int
    results: list[EventResult] = Field(
        description="Each event of a request of up to 1,000; of a longer one the first 1,000 that were refused."
    )
    left_out: int = Field(description="Events without a result here.")


class TestEvent(BaseModel):
    """The event that was sent; `GET /v1/events/{event_id}` finds it a moment later."""

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
    "description": "An event; the tenant's own fields stand beside these or under `fields`. null is absent.",
    "properties": {
        "event_id": {"type": "string", "format": "uuid", "description": "Yours, to make a retry harmless."},
        "tenant_id": {"type": "string", "description": f"Unless the header {TENANT_HEADER} or the token says it."},
        "occurred_at": {"type": "string", "format": "date-time", "description": "With its offset. Default: now."},
        "action": {"type": "string", "minLength": 1, "pattern": r"\S"},
        **{name: {"type": "string"} for name in ("actor_id", "actor_type", "actor_name", "on_behalf_of")},
        **{name: {"type": "string"} for name in ("resource", "resource_id", "description", "ip", "user_agent")},
        "outcome": {"type": "string", "enum": ["unknown", "success", "failure", "denied"]},
        "severity": {"type": "string", "enum": ["Info", "Low", "Medium", "High", "Critical", "Error"]},
        "request_id": {"type": "string", "description": "Default: this request's id."},
        "source": {"type": "string", "description": "Default: the credential's client id."},
        "before": {"description": "The changed object before; an object becomes JSON text."},
        "after": {"description": "… and after."},
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
            "description": "Every event is accepted: Kafka has acknowledged it.",
            "content": {"application/json": {"example": _ALL}},
        },
        207: {
            "model": EventsAnswer,
            "description": "Some events are accepted. With `Retry-After`: others may be, when the request is repeated.",
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
                    "schema": {"type": "string", "description": "An event a line; the body may be sent chunked."},
                    "example": '{"action": "Login", "actor_id": "a"}\n{"action": "Logout", "actor_id": "a"}\n',
                },
            },
        }
    },
}
TEST_EVENT: Final[dict[str, Any]] = {"summary": "Send a test event", "status_code": 202}
