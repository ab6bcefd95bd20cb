"""Errors as answers: RFC 9457 problem+json with our codes, or a page when a person's browser asked for one."""

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
from auditlane.runtime.messages import plain, sayable
from auditlane.server.middleware.frontegg_paths import with_frontegg_members
from auditlane.server.pages.i18n import N_, catalogue_for
from auditlane.server.pages.message_page import page

MEDIA_TYPE: Final = "application/problem+json"
_API: Final = ("/v1/", "/health/", "/metrics", "/openapi.json")
# What HTTP itself has no error of ours for; the docs list them beside ours.
HTTP_CODES: Final = {
    404: ("NOT_FOUND", "there is nothing at this address"),
    405: ("METHOD_NOT_ALLOWED", "the address does not know this method; `Allow` has those that it knows"),
    408: ("BODY_TIMEOUT", "the body came too slowly"),
    411: ("LENGTH_REQUIRED", "the body does not say how long it is"),
    413: ("TOO_LARGE", "the body is larger than the limit"),
    415: ("MEDIA_TYPE_UNSUPPORTED", "the body is in a form that is not read there"),
}

# Their messages hold what another server said: its version, hosts, names of tables. The log has it.
_WITHOUT_DETAILS: Final = {
    StoreRefused.code: "ClickHouse refused the query.",
    IssuerUnavailable.code: "The issuer's keys cannot be had.",
}
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TITLES: Final = {
    403: N_("You may not see this"),
    404: N_("This is not there"),
    429: N_("Too many requests at once"),
    503: N_("The service cannot answer right now"),
}


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    field: str = Field(description="Its place: the parameter's name, or the path into the body.")
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 describes it. `code` is stable; `detail` and `fix` are for people and may change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:auditlane:problem:FILTER_INVALID",
                    "title": "Bad Request",
                    "status": 400,
                    "code": "FILTER_INVALID",
                    "detail": "There is no parameter 'actr'.",
                    "fix": "Use one of: action, actor_id, cursor, from, limit, to.",
                    "field": "actr",
                    "request_id": "019391a4-7f3c-7cc2-9d2e-0242ac120002",
                }
            ]
        }
    )

    type: str = Field(description="`urn:auditlane:problem:` and the code.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: str = Field(description="What is wrong, for programs.")
    detail: str = Field(description="What is wrong, for people.")
    fix: str | None = Field(None, description="What to do about it.")
    field: str | None = Field(None, description="The parameter, header or body field that is wrong.")
    column: int | None = Field(None, description="The place in `query`, counted from 1.")
    reason: str | None = Field(None, description="Which mistake of the query language it is, for programs.")
    arguments: dict[str, str] | None = Field(None, description="What the mistake is about, by the reason.")
    errors: list[FieldProblem] | None = Field(None, description="Every wrong field, when there are several.")
    request_id: str = Field(description="Also in the header X-Request-Id and in the service's log.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is wrong with a request, before it is an answer. `more` are members that a route adds to the problem."""

    status: int
    code: str
    detail: str
    fix: str = ""
    field: str = ""
    errors: list[FieldProblem] | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def install(app: FastAPI) -> None:
    """Answer every error that a route raises. What nobody foresaw is answered by the middleware, as `unforeseen`."""
    app.add_exception_handler(AuditlaneError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, AuditlaneError)
    return of_error(request, error)


def of_error(request: Request, error: AuditlaneError, more: Mapping[str, Any] | None = None) -> Response:
    """The answer to an error of ours; `more` are members that a route adds to the problem."""
    status = http_status(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_cancelled():  # else it was cut off for who has gone
        get("serve").error("http.failed", code=error.code, problem=str(error), request_id=request_id(request))
    if isinstance(error, ConfigError):  # names files of this machine: for its operator's log only
        return unforeseen(request)
    message = _WITHOUT_DETAILS.get(error.code, error.message)
    headers = {"WWW-Authenticate": challenge(error)} if status == HTTPStatus.UNAUTHORIZED else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, BodyTooLarge):
        headers["Connection"] = "close"  # the unread body must not be taken for the next request
    return answer(
        request,
        Failure(
            status=status,
            code=error.code,
            detail=message,
            fix=error.fix,
            field=error.field,
            headers=headers,
            more={**_mistake(error), **(more or {})},
        ),
    )


def _mistake(error: AuditlaneError) -> dict[str, Any]:
    """The members of a mistake in a query, those that it has."""
    if not isinstance(error, InvalidFilter):
        return {}
    members = {"column": error.column, "reason": error.reason, "arguments": error.arguments}
    return {name: value for name, value in members.items() if value}


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        FieldProblem(field="body", message=f"is not JSON: {one['ctx']['error']}")
        if one["type"] == "json_invalid"  # its location ends with a position in the text
        else FieldProblem(field=_place(one["loc"]), message=sayable(plain(one)))
        for one in error.errors()
    ]
    detail = "; ".join(f"{one.field}: {one.message}" for one in problems)
    failure = Failure(status=400, code=InvalidInput.code, detail=detail, field=problems[0].field, errors=problems)
    return answer(request, failure)


def _place(location: tuple[int | str, ...]) -> str:
    """`("query", "limit")` as `limit`, `("body", "permissions", 0)` as `permissions.0`, a whole body as `body`."""
    return sayable(".".join(map(str, location[1:])) or str(location[0]))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return of_http(request, error)


def of_http(request: Request, error: HTTPException) -> Response:
    """The answer to an error that HTTP itself has."""
    code = HTTP_CODES.get(error.status_code, (f"HTTP_{error.status_code}", ""))[0]
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    detail, fix = {
        404: (f"There is nothing at {request.url.path}.", "See /openapi.json for the addresses that there are."),
        405: (f"{request.method} is not possible here.", f"Use {headers.get('Allow', '')}."),
        408: (str(error.detail), "Send it faster, or in smaller requests; nothing of it was answered for."),
    }.get(error.status_code, (str(error.detail), ""))
    return answer(request, Failure(status=error.status_code, code=code, detail=detail, fix=fix, headers=headers))


def _allowed(request: Request) -> list[str]:
    """The methods that the address knows; the routes of one address are several, and Starlette asks the first."""
    asked = {method: dict(request.scope) | {"method": method} for method in _METHODS}
    routes = request.app.routes
    return [name for name, scope in asked.items() if any(one.matches(scope)[0] is Match.FULL for one in routes)]


def unforeseen(request: Request) -> Response:
    """The answer to an error that nobody foresaw: it tells nothing but where to look."""
    return answer(
        request,
        Failure(
            status=500,
            code=AuditlaneError.code,
            detail="Something went wrong on our side.",
            fix="The log has it by its request id.",
        ),
    )


def answer(request: Request, failure: Failure) -> Response:
    """Return the problem as JSON, or as a page for a browser that navigates."""
    request.state.code = failure.code  # for the audit trail
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
    """The header WWW-Authenticate of a 401 (RFC 6750: a token that does not verify is an `invalid_token`)."""
    return f'Bearer realm="auditlane", error="invalid_token", error_description="{error.code}"'


def request_id(request: Request) -> str:
    """The id that the middleware gave this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def navigates(request: Request) -> bool:
    """Whether a person's browser asks for a page, as opposed to a program that asks for data.

    A download of the API (an export) that a person follows a link to is a navigation too.
    """
    wants_html = "text/html" in request.headers.get("accept", "")
    return wants_html and (not request.url.path.startswith(_API) or request.headers.get("sec-fetch-mode") == "navigate")


def _page(request: Request, problem: Problem, headers: Mapping[str, str] | None) -> Response:
    words, kept = catalogue_for(request), dict(headers or {})
    small = f"{problem.code} · {problem.request_id}"
    if problem.status != HTTPStatus.UNAUTHORIZED:
        usual = N_("Something went wrong") if problem.status >= 500 else N_("This request was not understood")
        title = words.gettext(_TITLES.get(problem.status, usual))
        told = f"{problem.detail} {problem.fix or ''}"
        return page(request, title, "", small, told=told, status=problem.status, headers=kept)
    kept.pop("WWW-Authenticate", None)  # it would make some browsers ask for a password that does not exist
    text = words.gettext("Get a new link where you got the last one. Each works once, within a few minutes.")
    if request.url.path == DOWNLOAD_PATH:
        text = words.gettext("Ask for the file again where you got this link.")
    if request.url.path in ("/enter", DOWNLOAD_PATH):
        title = words.gettext("This link no longer works")
    elif problem.code == TokenExpired.code:
        title = words.gettext("Your session has ended")
    else:
        title = words.gettext("You need a link to see this page")
    return page(request, title, text, small, status=problem.status, headers=kept)
