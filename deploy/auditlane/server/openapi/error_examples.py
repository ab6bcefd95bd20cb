"""Examples of each problem in `openapi.json`, with its error's status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from auditlane.gateway.kafka import public_error
from auditlane.runtime.errors import (
    AuditlaneError,
    BodyTooLarge,
    BufferFull,
    Busy,
    Conflict,
    EventTooLarge,
    FieldConflict,
    Forbidden,
    InvalidCursor,
    InvalidEvent,
    InvalidFilter,
    InvalidInput,
    IssuerUnavailable,
    KafkaUnavailable,
    LogsDisabled,
    MediaTypeUnsupported,
    NotFound,
    PreconditionFailed,
    PreconditionMissing,
    QueryTooLarge,
    RangeNotSatisfiable,
    RateLimited,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotFound,
    StoreRefused,
    StoreUnavailable,
    TokenExpired,
    TooManyExports,
    TooManyVersions,
    Unauthenticated,
    Unavailable,
    WrongTenant,
    http_status,
)
from auditlane.server.problems import HTTP_CODES, WITHOUT_DETAILS, Problem

_AGAIN: Final = "Try again in a moment."
_REQUEST: Final = "019391a4-7f3c-7cc2-9d2e-0242ac120002"
_EXPORT: Final = "019391a5-02d1-7e58-8a3c-0242ac120002"
# A test checks that the messages equal those in the code.
_ERRORS: Final = (
    InvalidInput("A viewer must belong to a tenant.", field="tenant"),
    InvalidEvent("The event is not valid: action is missing", field="action"),
    InvalidFilter("There is no filter 'actr'.", field="actr", fix="Known filters: action, actor, actor_id, from, to."),
    InvalidCursor(
        "The cursor does not belong to this query.",
        field="cursor",
        fix="Repeat the query without a cursor. "
        "Keep the same filters and `sort` on every page, and pass `next` unchanged.",
    ),
    QueryTooLarge("The query exceeded its time limit.", fix="Use a shorter time range or more filters."),
    Unauthenticated("The token is not valid.", fix="Get a new token."),
    TokenExpired("The token has expired.", fix="Get a new token."),
    Forbidden(
        "This credential lacks the permission audits:export.", fix="Ask the issuer for a credential that has it."
    ),
    WrongTenant(
        "This credential belongs to another tenant.",
        field="Auditlane-Tenant",
        fix="Omit the header Auditlane-Tenant, or use a credential of that tenant.",
    ),
    LogsDisabled(
        "Audit logs are disabled for this tenant.",
        fix="Ask a user with the permission audits:configure to enable them. Events are still recorded.",
    ),
    NotFound(f"There is no export '{_EXPORT}'.", fix="If it has expired, create it again."),
    Conflict("Too many concurrent changes to the structure."),
    FieldConflict(
        "The field order_number already exists.",
        field="name",
        fix="Change it with PUT …/fields/{name}, or choose another name.",
    ),
    TooManyVersions(
        "The contract has 500 versions, which is the limit.",
        fix="Combine several changes into one, or ask an operator to raise AUDITLANE_CONTRACT_VERSIONS.",
    ),
    TooManyExports(
        "This tenant already has 10 exports; the limit is 10.",
        fix=f"Remove one that is no longer needed: DELETE /v1/exports/{_EXPORT}.",
    ),
    PreconditionFailed(
        "The data structure has changed since it was read.", fix="Read it again, then repeat the change."
    ),
    PreconditionMissing(
        "The request does not name the revision that it changes.",
        field="If-Match",
        fix="Send the header If-Match with the ETag of the structure you read, or * to overwrite any revision.",
    ),
    BodyTooLarge(
        "The body exceeds the limit of 1048576 bytes.",
        fix="Send fewer events per request, or NDJSON, which has a higher limit.",
    ),
    EventTooLarge(
        "The encoded event is 300000 bytes long (limit 262144); its largest field is after.",
        field="after",
        fix="Store large objects elsewhere and put a link to them into the event.",
    ),
    MediaTypeUnsupported(
        "The content type 'text/csv' is not supported.",
        field="Content-Type",
        fix="Use application/json for an event or an array, "
        "application/x-ndjson for one event per line; both in UTF-8.",
    ),
    RangeNotSatisfiable(
        "The requested range is outside the file, which is 1204 bytes long.",
        field="Range",
        fix="Request bytes within the file, or omit the header.",
        size=1_204,
    ),
    RateLimited(
        "16 queries of this tenant are already running.",
        fix="Repeat the request after the time in Retry-After; AUDITLANE_QUERY_CONCURRENCY is the limit.",
    ),
    RegistryRefused("The schema registry rejected the contract.", fix="See the service's log for the reason."),
    SchemaNotFound("The schema registry has no contract for events yet.", fix="See the service's log for the reason."),
    StoreRefused("The tables do not exist yet.", fix="Run `auditlane init`."),
    Unavailable("Kafka did not respond in time."),
    Busy(
        "This process is already handling 256 requests, which is the limit.",
        fix=f"{_AGAIN} If this persists, add processes or raise AUDITLANE_SERVE_MAX_CONCURRENCY.",
    ),
    public_error(BufferFull("")),
    public_error(KafkaUnavailable("")),
    public_error(RegistryUnavailable("")),
    StoreUnavailable("ClickHouse did not respond in time.", fix=_AGAIN),
    IssuerUnavailable("Too many requests are waiting for the issuer's keys.", fix=_AGAIN),
    AuditlaneError(
        "An internal error occurred.", fix="Report the request id to the operator, who can find the error in the log."
    ),
)
_OF_HTTP: Final = {
    408: (
        "The body arrived too slowly: 4096 bytes so far.",
        "Send it faster, or split it into smaller requests. None of it was acknowledged.",
    ),
    411: ("The request has no Content-Length.", "Send the header Content-Length."),
}


def _document(status: int, code: str, detail: str, fix: str, field: str) -> dict[str, Any]:
    problem = Problem(
        type=f"urn:auditlane:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        fix=fix or None,
        field=field or None,
        column=None,
        errors=None,
        request_id=_REQUEST,
    )
    return problem.model_dump(exclude_none=True)


PROBLEMS: Final[dict[str, dict[str, Any]]] = {
    error.code: _document(
        http_status(error), error.code, WITHOUT_DETAILS.get(error.code, error.message), error.fix, error.field
    )
    for error in _ERRORS
} | {HTTP_CODES[status][0]: _document(status, HTTP_CODES[status][0], *texts, "") for status, texts in _OF_HTTP.items()}
