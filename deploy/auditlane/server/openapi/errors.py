"""Which problems each documented route answers with: what it raises, and what stands around every route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_ANY: Final = ("INPUT_INVALID", "UNAUTHENTICATED", "INTERNAL")
_SURROUNDED: Final = ("TOKEN_EXPIRED", "BUSY", "RATE_LIMITED")  # tokens are to be had whatever else is slow
_WHO: Final = ("FORBIDDEN", "TENANT_FORBIDDEN", "ISSUER_UNAVAILABLE")
_BODY: Final = ("BODY_TIMEOUT", "LENGTH_REQUIRED", "TOO_LARGE")
_STORE: Final = ("STORE_UNAVAILABLE", "STORE_REFUSED")
_REGISTRY: Final = ("REGISTRY_UNAVAILABLE", "REGISTRY_REFUSED")
_VIEWS: Final = (*_STORE, "AUDIT_LOGS_DISABLED")
_ASKS: Final = ("FILTER_INVALID", "QUERY_TOO_LARGE")
_SENDS: Final = ("EVENT_INVALID", "EVENT_TOO_LARGE", "KAFKA_UNAVAILABLE", "BUFFER_FULL", *_REGISTRY)
_KAFKA: Final = ("KAFKA_UNAVAILABLE", "UNAVAILABLE")
_FILE: Final = ("NOT_FOUND", "CONFLICT", "RANGE_NOT_SATISFIABLE")
_CHANGES: Final = ("PRECONDITION_FAILED", "CONFLICT")

_OF: Final[dict[str, tuple[str, ...]]] = {
    "POST /v1/token": ("RATE_LIMITED",),
    "POST /v1/viewer-tokens": (),
    "GET /enter": ("FORBIDDEN",),
    "POST /enter": ("FORBIDDEN", *_STORE),
    "POST /v1/events": (*_SENDS, "TOO_LARGE", "BODY_TIMEOUT", "MEDIA_TYPE_UNSUPPORTED"),
    "POST /v1/test-event": _SENDS,
    "GET /v1/session": _STORE,
    "GET /v1/events": (*_VIEWS, *_ASKS, "CURSOR_INVALID"),
    "GET /v1/events/stream": (*_VIEWS, *_ASKS, "CURSOR_INVALID"),
    "GET /v1/events/{event_id}": (*_VIEWS, *_ASKS, "NOT_FOUND"),
    "GET /v1/check": (*_VIEWS, "FILTER_INVALID"),
    "GET /v1/facets": (*_VIEWS, *_ASKS),
    "GET /v1/histogram": (*_VIEWS, *_ASKS),
    "GET /v1/stats": (*_VIEWS, *_ASKS),
    "GET /v1/export": (*_VIEWS, *_ASKS),
    "POST /v1/export-links": (*_VIEWS, "FILTER_INVALID"),
    "GET /v1/download": (*_VIEWS, *_ASKS, *_FILE),
    "POST /v1/exports": (*_VIEWS, *_ASKS, "TOO_MANY_EXPORTS", "UNAVAILABLE"),
    "GET /v1/exports": _VIEWS,
    "GET /v1/exports/{export_id}": (*_VIEWS, "NOT_FOUND"),
    "DELETE /v1/exports/{export_id}": (*_VIEWS, "NOT_FOUND"),
    "GET /v1/exports/{export_id}/file": (*_VIEWS, *_FILE),
    "GET /v1/admin/tenants": (*_STORE, "UNAVAILABLE", "QUERY_TOO_LARGE"),
    "GET /v1/admin/lag": (*_KAFKA, "NOT_FOUND"),
    "GET /v1/admin/rate": _KAFKA,
    "GET /v1/admin/dead-letters": (*_KAFKA, "NOT_FOUND"),
    "GET /v1/admin/health": (),
    "POST /v1/admin/console-links": (),
}
# The same for the environment and for a tenant, after their path.
_OF_STRUCTURE: Final[dict[str, tuple[str, ...]]] = {
    "GET ": (),
    "PUT ": (*_CHANGES, "PRECONDITION_REQUIRED"),
    "GET /fields": _REGISTRY,
    "POST /fields": (*_CHANGES, *_REGISTRY, "FIELD_CONFLICT", "TOO_MANY_VERSIONS"),
    "PUT /fields/{name}": (
        *_CHANGES,
        *_REGISTRY,
        "FIELD_CONFLICT",
        "TOO_MANY_VERSIONS",
        "PRECONDITION_REQUIRED",
        "NOT_FOUND",
    ),
    "DELETE /fields/{name}": (*_CHANGES, *_REGISTRY, "FIELD_CONFLICT", "NOT_FOUND"),
    "GET /history": (),
}
_STRUCTURES: Final = ("/v1/structure", "/v1/tenants/{tenant}/structure")
_ELSEWHERE: Final = ("/health/", "/metrics")  # they refuse foreign pages; a 503 there has a body of its own


def codes_of(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    """The codes of the problems that this operation of the document answers with. One that is not listed here has those
    that any has: a test finds it."""
    return sorted(set(_all(f"{method.upper()} {path}", path, has_body="requestBody" in operation)))


def listed(method: str, path: str) -> bool:
    """Whether it is known what this route raises."""
    return _own(f"{method.upper()} {path}") is not None or path.startswith(_ELSEWHERE)


def _all(route: str, path: str, *, has_body: bool) -> Iterator[str]:
    if path.startswith(_ELSEWHERE):
        yield "FORBIDDEN"
        return
    yield from _ANY
    if path != "/v1/token":
        yield from _SURROUNDED
    if path not in ("/v1/token", "/enter"):
        yield from _WHO
    if has_body and route != "POST /v1/events":  # which takes a body of unknown length too
        yield from _BODY
    yield from _own(route) or ()


def _own(route: str) -> tuple[str, ...] | None:
    method, _, path = route.partition(" ")
    for structure in _STRUCTURES:
        if path.startswith(structure):
            own = _OF_STRUCTURE.get(f"{method} {path.removeprefix(structure)}")
            return None if own is None else (*_STORE, *own)
    return _OF.get(route)
