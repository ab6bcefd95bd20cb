"""The problems of each documented route: its own errors, and those of the middleware around every route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_EVERY: Final = ("INPUT_INVALID", "UNAUTHENTICATED", "INTERNAL")
# Not returned by /v1/token, which must be available even when other routes are slow.
_MIDDLEWARE: Final = ("TOKEN_EXPIRED", "BUSY", "RATE_LIMITED")
_AUTHENTICATED: Final = ("FORBIDDEN", "TENANT_FORBIDDEN", "ISSUER_UNAVAILABLE")
_BODY: Final = ("BODY_TIMEOUT", "LENGTH_REQUIRED", "TOO_LARGE")
_STORE: Final = ("STORE_UNAVAILABLE", "STORE_REFUSED")
_REGISTRY: Final = ("REGISTRY_UNAVAILABLE", "REGISTRY_REFUSED")
_READS: Final = (*_STORE, "AUDIT_LOGS_DISABLED")
_QUERIES: Final = ("FILTER_INVALID", "QUERY_TOO_LARGE")
_SENDS: Final = ("EVENT_INVALID", "EVENT_TOO_LARGE", "KAFKA_UNAVAILABLE", "BUFFER_FULL", *_REGISTRY)
_KAFKA: Final = ("KAFKA_UNAVAILABLE", "UNAVAILABLE")
_FILE: Final = ("NOT_FOUND", "CONFLICT", "RANGE_NOT_SATISFIABLE")
_CHANGES: Final = ("PRECONDITION_FAILED", "CONFLICT")

_OF: Final[dict[str, tuple[str, ...]]] = {
    "POST /v1/token": ("RATE_LIMITED",),
    "POST /v1/viewer-tokens": ("FILTER_INVALID",),
    "GET /enter": ("FORBIDDEN",),
    "POST /enter": ("FORBIDDEN", *_STORE),
    "POST /v1/events": (*_SENDS, "TOO_LARGE", "BODY_TIMEOUT", "MEDIA_TYPE_UNSUPPORTED"),
    "POST /v1/test-event": _SENDS,
    "GET /v1/session": _STORE,
    "GET /v1/events": (*_READS, *_QUERIES, "CURSOR_INVALID"),
    "GET /v1/events/stream": (*_READS, *_QUERIES, "CURSOR_INVALID"),
    "GET /v1/events/{event_id}": (*_READS, *_QUERIES, "NOT_FOUND"),
    "GET /v1/check": (*_READS, "FILTER_INVALID"),
    "GET /v1/facets": (*_READS, *_QUERIES),
    "GET /v1/histogram": (*_READS, *_QUERIES),
    "GET /v1/stats": (*_READS, *_QUERIES),
    "GET /v1/stats/groups": (*_READS, *_QUERIES),
    "GET /v1/export": (*_READS, *_QUERIES),
    "GET /v1/last-download": (*_READS, *_QUERIES),
    "POST /v1/export-links": (*_READS, "FILTER_INVALID"),
    "GET /v1/download": (*_READS, *_QUERIES, *_FILE),
    "POST /v1/exports": (*_READS, *_QUERIES, "TOO_MANY_EXPORTS", "UNAVAILABLE"),
    "GET /v1/exports": _READS,
    "GET /v1/exports/{export_id}": (*_READS, "NOT_FOUND"),
    "DELETE /v1/exports/{export_id}": (*_READS, "NOT_FOUND"),
    "GET /v1/exports/{export_id}/file": (*_READS, *_FILE),
    "GET /v1/views": _STORE,
    "POST /v1/views": (*_STORE, "FILTER_INVALID", "CONFLICT"),
    "GET /v1/views/{view_id}": (*_STORE, "NOT_FOUND"),
    "PUT /v1/views/{view_id}": (*_STORE, *_CHANGES, "FILTER_INVALID", "NOT_FOUND", "PRECONDITION_REQUIRED"),
    "DELETE /v1/views/{view_id}": (*_STORE, *_CHANGES, "NOT_FOUND"),
    "GET /v1/admin/tenants": (*_STORE, "UNAVAILABLE", "QUERY_TOO_LARGE"),
    "GET /v1/admin/lag": (*_KAFKA, "NOT_FOUND"),
    "GET /v1/admin/rate": _KAFKA,
    "GET /v1/admin/dead-letters": (*_KAFKA, "NOT_FOUND"),
    "GET /v1/admin/health": (),
    "GET /v1/admin/history": (*_STORE, "UNAVAILABLE", "QUERY_TOO_LARGE"),
    "GET /v1/admin/timeline": (*_STORE, "UNAVAILABLE", "QUERY_TOO_LARGE"),
    "POST /v1/admin/console-links": (),
}
# For both the environment and a tenant, by the rest of the path.
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
    "GET /actions": (),
    "POST /actions": _CHANGES,
    "DELETE /actions/{name}": (*_CHANGES, "NOT_FOUND"),
    "GET /history": (),
}
_STRUCTURES: Final = ("/v1/structure", "/v1/tenants/{tenant}/structure")
_MONITORING: Final = ("/health/", "/metrics")  # these reject cross-site requests; their 503 has a different body


def codes_of(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    """Return an operation's problem codes.

    For a route that is not listed, these are only the codes common to all routes. A test reports such routes.
    """
    return sorted(set(_all(f"{method.upper()} {path}", path, has_body="requestBody" in operation)))


def listed(method: str, path: str) -> bool:
    """Return whether this route's errors are listed."""
    return _own(f"{method.upper()} {path}") is not None or path.startswith(_MONITORING)


def _all(route: str, path: str, *, has_body: bool) -> Iterator[str]:
    if path.startswith(_MONITORING):
        yield "FORBIDDEN"
        return
    yield from _EVERY
    if path != "/v1/token":
        yield from _MIDDLEWARE
    if path not in ("/v1/token", "/enter"):
        yield from _AUTHENTICATED
    if has_body and route != "POST /v1/events":  # that route also accepts a body of unknown length
        yield from _BODY
    yield from _own(route) or ()


def _own(route: str) -> tuple[str, ...] | None:
    method, _, path = route.partition(" ")
    for structure in _STRUCTURES:
        if path.startswith(structure):
            own = _OF_STRUCTURE.get(f"{method} {path.removeprefix(structure)}")
            return None if own is None else (*_STORE, *own)
    return _OF.get(route)
