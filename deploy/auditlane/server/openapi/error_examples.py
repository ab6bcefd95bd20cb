"""An example of each problem that documented routes answer with; its status is the error's own."""

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
    InvalidFilter("There is no filter 'actr'.", field="actr", fix="Did you mean actor?"),
    InvalidCursor("The cursor is not one of this list.", field="cursor", fix="Restart the list without a cursor."),
    QueryTooLarge("The query took longer than it may.", fix="Narrow it: a shorter time range, more filters."),
    Unauthenticated("The token does not verify.", fix="Get a new token."),
    TokenExpired("The token has expired.", fix="Get a new token."),
    Forbidden("This credential lacks the permission audits:export.", fix="Ask whoever issued it for one that has it."),
    WrongTenant("This credential belongs to another tenant.", field="Auditlane-Tenant"),
    LogsDisabled("Audit logs are switched off for this tenant.", fix="Ask whoever may configure them."),
    NotFound("There is nothing by this name.", fix="It may have expired: ask for it again."),
    Conflict("It is changed by many at once.", fix=_AGAIN),
    FieldConflict("The field order_number is there already, as Number.", field="type", fix="Choose another name."),
    TooManyVersions("The contract was changed 500 times.", fix="Make several changes at once."),
    TooManyExports("There are 20 exports, and no more than 20 can be kept.", fix="Remove one that is not needed."),
    PreconditionFailed("It was changed since it was read.", fix="Read it again, and change that."),
    PreconditionMissing("The request does not say which revision it changes.", field="If-Match"),
    BodyTooLarge("A body has at most 1048576 bytes here."),
    EventTooLarge("The event is larger than 262144 bytes.", fix="Leave something out."),
    MediaTypeUnsupported("This body is not read here.", fix="Send application/json or application/x-ndjson."),
    RangeNotSatisfiable("The file has 1204 bytes, and none of those that are asked for.", field="Range", size=1_204),
    RateLimited("10 queries of this tenant are running already.", fix="Repeat the request after Retry-After seconds."),
    RegistryRefused("The schema registry said no.", fix="The service's log says why."),
    SchemaNotFound("There is no such subject.", fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL."),
    StoreRefused("The tables are not there yet.", fix="Run `auditlane init`."),
    Unavailable("Kafka did not answer in time.", fix=_AGAIN),
    Busy("This process works on as many requests as it takes at once.", fix=_AGAIN),
    BufferFull("Kafka takes events more slowly than they arrive; this one was not taken.", fix=_AGAIN),
    KafkaUnavailable("Kafka did not acknowledge the event in time; it may be stored all the same.", fix=_AGAIN),
    RegistryUnavailable("The tenant's contract cannot be read now.", fix=_AGAIN),
    StoreUnavailable("ClickHouse did not answer in time.", fix=_AGAIN),
    IssuerUnavailable("The issuer's keys cannot be had.", fix=_AGAIN),
    AuditlaneError("Something went wrong on our side.", fix="The log has it by its request id."),
)
_OF_HTTP: Final = {
    408: ("The body came too slowly: 4096 bytes so far.", "Send it faster, or in smaller requests."),
    411: ("The body's length is missing.", "Send Content-Length."),
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
    one.code: _document(http_status(one), one.code, one.message, one.fix, one.field) for one in _ERRORS
} | {HTTP_CODES[status][0]: _document(status, HTTP_CODES[status][0], *said, "") for status, said in _OF_HTTP.items()}
