"""An example of each problem in `openapi.json`, with the status of its error."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

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
from auditlane.server.problems import HTTP_CODES, Problem

_AGAIN: Final = "Try again in a moment."
_REQUEST: Final = "019391a4-7f3c-7cc2-9d2e-0242ac120002"
_ERRORS: Final = (
    InvalidInput("tenant: is missing", field="tenant"),
    InvalidEvent("The event is not valid: action is missing", field="action"),
    InvalidFilter("Unknown filter 'actr'.", field="actr", fix="Did you mean actor?"),
    InvalidCursor("The cursor is invalid for this list.", field="cursor", fix="Restart the list without a cursor."),
    QueryTooLarge("The query exceeded its time limit.", fix="Use a shorter time range or more filters."),
    Unauthenticated("The token is invalid.", fix="Get a new token."),
    TokenExpired("The token has expired.", fix="Get a new token."),
    Forbidden("This credential lacks the permission audits:export.", fix="Use a credential that has it."),
    WrongTenant("This credential belongs to another tenant.", field="Auditlane-Tenant"),
    LogsDisabled("Audit logs are disabled for this tenant.", fix="Ask an administrator to enable them."),
    NotFound("The export does not exist.", fix="It may have expired: create it again."),
    Conflict("Too many clients are changing this at the same time.", fix=_AGAIN),
    FieldConflict("The field order_number already exists with type Number.", field="type", fix="Choose another name."),
    TooManyVersions("The contract has 500 versions, which is the limit.", fix="Combine several changes into one."),
    TooManyExports("The tenant has 20 exports, which is the limit.", fix="Delete an export that is no longer needed."),
    PreconditionFailed("The resource was changed after it was read.", fix="Read it again and repeat the change."),
    PreconditionMissing("The request does not name the revision to change.", field="If-Match"),
    BodyTooLarge("The body is larger than 1048576 bytes.", fix="Split it into smaller requests."),
    EventTooLarge("The event is larger than 262144 bytes.", fix="Send less data in the event."),
    MediaTypeUnsupported("This content type is not supported.", fix="Send application/json or application/x-ndjson."),
    RangeNotSatisfiable("The requested range is outside the file of 1204 bytes.", field="Range", size=1_204),
    RateLimited("This tenant already has 10 running queries.", fix="Retry after the time in Retry-After."),
    RegistryRefused("The schema registry rejected the request.", fix="See the service's log for the reason."),
    SchemaNotFound("The subject does not exist.", fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL."),
    StoreRefused("The tables do not exist.", fix="Run `auditlane init`."),
    Unavailable("Kafka did not answer in time.", fix=_AGAIN),
    Busy("This process has reached its limit of concurrent requests.", fix=_AGAIN),
    BufferFull("The buffer for Kafka is full; the event was not accepted.", fix=_AGAIN),
    KafkaUnavailable("Kafka did not acknowledge the event in time. It may still have been stored.", fix=_AGAIN),
    RegistryUnavailable("The tenant's contract is unavailable.", fix=_AGAIN),
    StoreUnavailable("ClickHouse did not answer in time.", fix=_AGAIN),
    IssuerUnavailable("The issuer's keys are unavailable.", fix=_AGAIN),
    AuditlaneError("An internal error occurred.", fix="Report the request id to the operator."),
)
_OF_HTTP: Final = {
    408: ("The body arrived too slowly: 4096 bytes so far.", "Send it faster, or split it into smaller requests."),
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
    error.code: _document(http_status(error), error.code, error.message, error.fix, error.field) for error in _ERRORS
} | {HTTP_CODES[status][0]: _document(status, HTTP_CODES[status][0], *texts, "") for status, texts in _OF_HTTP.items()}
