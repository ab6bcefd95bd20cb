"""Turns errors into responses: RFC 9457 problem+json with auditlane's codes, or a page for a browser that navigates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from auditlane.query.clickhouse.cancellation import is_cancelled
from auditlane.query.export.links import DOWNLOAD_PATH
from auditlane.runtime.errors import (
    AuditlaneError,
    BodyTooLarge,
    ConfigError,
    InvalidFilter,
    InvalidInput,
    IssuerUnavailable,
    RangeNotSatisfiable,
    RateLimited,
    StoreRefused,
    TokenExpired,
    http_status,
)
from auditlane.runtime.log import get
from auditlane.runtime.messages import escape_surrogates, plain
from auditlane.server.middleware.frontegg_paths import with_frontegg_members
from auditlane.server.pages.i18n import N_, catalogue_for
from auditlane.server.pages.message_page import page

MEDIA_TYPE: Final = "application/problem+json"
_API: Final = ("/v1/", "/health/", "/metrics", "/openapi.json")
# HTTP's own errors, which have no AuditlaneError. The docs list them alongside ours.
HTTP_CODES: Final = {
    404: ("NOT_FOUND", "no route has this path"),
    405: ("METHOD_NOT_ALLOWED", "the route does not support this method; `Allow` lists those it supports"),
    408: ("BODY_TIMEOUT", "the body arrived too slowly"),
    411: ("LENGTH_REQUIRED", "the request has no Content-Length"),
    413: ("TOO_LARGE", "the body is larger than the limit"),
    415: ("MEDIA_TYPE_UNSUPPORTED", "the route does not accept this content type"),
}

# Their messages quote another server's version, hosts or table names, so they appear only in the log.
WITHOUT_DETAILS: Final = {
    StoreRefused.code: "ClickHouse refused the query.",
    IssuerUnavailable.code: "The issuer's keys are unavailable.",
}
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TITLES: Final = {
    403: N_("Access denied"),
    404: N_("Not found"),
    429: N_("Too many requests"),
    503: N_("The service is temporarily unavailable"),
}


class FieldProblem(BaseModel):
    """One invalid field of a request."""

    field: str = Field(description="Name of the parameter, or path of the field in the body.")
    message: str


class Problem(BaseModel):
    """An error in the format of RFC 9457. `code` is stable. `detail` and `fix` are for people, and may change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:auditlane:problem:FILTER_INVALID",
                    "title": "Bad Request",
                    "status": 400,
                    "code": "FILTER_INVALID",
                    "detail": "There is no filter 'actr'.",
                    "fix": "Known filters: action, actor, actor_id, from, to.",
                    "field": "actr",
                    "request_id": "019391a4-7f3c-7cc2-9d2e-0242ac120002",
                }
            ]
        }
    )

    type: str = Field(description="`urn:auditlane:problem:` followed by the code.")
    title: str = Field(description="Reason phrase of the HTTP status.")
    status: int
    code: str = Field(description="Identifies the error for programs.")
    detail: str = Field(description="Describes the error for people.")
    fix: str | None = Field(None, description="How to resolve the error.")
    field: str | None = Field(None, description="The invalid parameter, header or body field.")
    column: int | None = Field(None, description="Column of the error in `query`, counted from 1.")
    reason: str | None = Field(None, description="Identifies the query error for programs.")
    arguments: dict[str, str] | None = Field(None, description="Values that the query error refers to, by name.")
    errors: list[FieldProblem] | None = Field(None, description="All invalid fields, if there are several.")
    request_id: str = Field(description="Id of the request, also in the header X-Request-Id and in the service's log.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error to return. `more` contains members that a route adds to the problem."""

    status: int
    code: str
    detail: str
    fix: str = ""
    field: str = ""
    errors: list[FieldProblem] | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def install(app: FastAPI) -> None:
    """Register the handlers for errors raised by routes. RequestMiddleware handles unexpected errors."""
    app.add_exception_handler(AuditlaneError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, AuditlaneError)
    return of_error(request, error)


def of_error(request: Request, error: AuditlaneError, more: Mapping[str, Any] | None = None) -> Response:
    """Return the response to an AuditlaneError. `more` contains members that a route adds to the problem."""
    status = http_status(error)
    # no client waits for a cancelled query's response
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_cancelled():
        get("serve").error("http.failed", code=error.code, problem=str(error), request_id=request_id(request))
    if isinstance(error, ConfigError):  # may name local files, so only the operator's log contains it
        return unexpected(request)
    message = WITHOUT_DETAILS.get(error.code, error.message)
    headers = {"WWW-Authenticate": challenge(error)} if status == HTTPStatus.UNAUTHORIZED else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, BodyTooLarge):
        headers["Connection"] = "close"  # the unread body must not be parsed as the next request
    return answer(
        request,
        Failure(
            status=status,
            code=error.code,
            detail=message,
            fix=error.fix,
            field=error.field,
            headers=headers,
            more={**_query_error(error), **(more or {})},
        ),
    )


def _query_error(error: AuditlaneError) -> dict[str, Any]:
    if not isinstance(error, InvalidFilter):
        return {}
    members = {"column": error.column, "reason": error.reason, "arguments": error.arguments}
    return {name: value for name, value in members.items() if value}


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        FieldProblem(field="body", message=f"is not JSON: {item['ctx']['error']}")
        if item["type"] == "json_invalid"  # its location ends with a position in the body
        else FieldProblem(field=_field_of(item["loc"]), message=escape_surrogates(plain(item)))
        for item in error.errors()
    ]
    detail = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    failure = Failure(status=400, code=InvalidInput.code, detail=detail, field=problems[0].field, errors=problems)
    return answer(request, failure)


def _field_of(location: tuple[int | str, ...]) -> str:
    """Return the name of the field at a location: `("query", "limit")` becomes `limit`, `("body", "permissions", 0)`
    becomes `permissions.0`, and a whole body becomes `body`.
    """
    return escape_surrogates(".".join(map(str, location[1:])) or str(location[0]))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return of_http(request, error)


def of_http(request: Request, error: HTTPException) -> Response:
    """Return the response to an error in HTTP itself, such as an unknown path."""
    code = HTTP_CODES.get(error.status_code, (f"HTTP_{error.status_code}", ""))[0]
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    detail, fix = {
        404: (f"There is no route {request.url.path}.", "See /openapi.json for all routes."),
        405: (f"This route does not support {request.method}.", f"Use one of: {headers.get('Allow', '')}."),
        408: (str(error.detail), "Send it faster, or split it into smaller requests. None of it was acknowledged."),
    }.get(error.status_code, (str(error.detail), ""))
    return answer(request, Failure(status=error.status_code, code=code, detail=detail, fix=fix, headers=headers))


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes with this path. Starlette reports only those of the first such route."""
    scopes = {method: dict(request.scope) | {"method": method} for method in _METHODS}
    routes = request.app.routes
    return [name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def unexpected(request: Request) -> Response:
    """Return the response to an unexpected error, which contains only the request id."""
    return answer(
        request,
        Failure(
            status=500,
            code=AuditlaneError.code,
            detail="An internal error occurred.",
            fix="Report the request id to the operator, who can find the error in the log.",
        ),
    )


def answer(request: Request, failure: Failure) -> Response:
    """Return the problem as JSON, or as a page if a browser opened the address."""
    request.state.code = failure.code  # recorded by the audit trail
    problem = Problem(
        type=f"urn:auditlane:problem:{failure.code}",
        title=HTTPStatus(failure.status).phrase,
        status=failure.status,
        code=failure.code,
        detail=failure.detail,
        fix=failure.fix or None,
        field=failure.field or None,
        errors=failure.errors,
        request_id=request_id(request),
    )
    if navigates(request):
        return _page(request, problem, failure.headers)
    content: dict[str, Any] = problem.model_dump(exclude_none=True) | dict(failure.more)
    content = with_frontegg_members(request.url.path, content)
    return JSONResponse(content, failure.status, dict(failure.headers), media_type=MEDIA_TYPE)


def challenge(error: AuditlaneError) -> str:
    """Return the WWW-Authenticate header for a 401 response. RFC 6750 calls an invalid token `invalid_token`."""
    return f'Bearer realm="auditlane", error="invalid_token", error_description="{error.code}"'


def request_id(request: Request) -> str:
    """Return the id that the middleware assigned to this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def navigates(request: Request) -> bool:
    """Return whether a browser requests a page, as opposed to a program that requests data.

    Following a link to one of the API's downloads, such as an export, is a navigation too.
    """
    wants_html = "text/html" in request.headers.get("accept", "")
    return wants_html and (not request.url.path.startswith(_API) or request.headers.get("sec-fetch-mode") == "navigate")


def _page(request: Request, problem: Problem, headers: Mapping[str, str] | None) -> Response:
    words, kept = catalogue_for(request), dict(headers or {})
    small = f"{problem.code} · {problem.request_id}"
    if problem.status != HTTPStatus.UNAUTHORIZED:
        usual = N_("Something went wrong") if problem.status >= 500 else N_("Invalid request")
        title = words.gettext(_TITLES.get(problem.status, usual))
        told = f"{problem.detail} {problem.fix or ''}"
        return page(request, title, "", small, detail=told, status=problem.status, headers=kept)
    kept.pop("WWW-Authenticate", None)  # some browsers would prompt for a password
    text = words.gettext(
        "Request a new link where you got the last one. Each link works only once and expires after a few minutes."
    )
    if request.url.path == DOWNLOAD_PATH:
        text = words.gettext("Request the file again where you got this link.")
    if request.url.path in ("/enter", DOWNLOAD_PATH):
        title = words.gettext("This link no longer works")
    elif problem.code == TokenExpired.code:
        title = words.gettext("Your session has expired")
    else:
        title = words.gettext("You need a link to open this page")
    return page(request, title, text, small, status=problem.status, headers=kept)
