"""The routes of summaries: what a dashboard or a filter form shows beside the list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Request

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.language.fields import OwnOf, find, none_known
from auditlane.query.language.tree import Field, Kind
from auditlane.query.parameters import openapi_parameters, split, whole_number
from auditlane.query.router import Authorize
from auditlane.query.summary.models import Facet, Histogram, Stats
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.errors import InvalidFilter

_MAX_VALUES: Final = 100
_MAX_BUCKETS: Final = 500
_TZ: Final[dict[str, Any]] = {"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]}
_FACETS = openapi_parameters(
    field={"type": "string", "required": True, "description": "Whose values: `action`, `metadata.region`, …"},
    limit={"type": "integer", "minimum": 1, "maximum": _MAX_VALUES, "default": 10, "description": "How many."},
)
_HISTOGRAM = openapi_parameters(
    tz=_TZ | {"description": "The time zone (IANA) whose midnights and months buckets begin with."},
    buckets={
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_BUCKETS,
        "default": 60,
        "description": "About how many buckets there may be; their width follows.",
    },
)
_STATS = openapi_parameters(tz=_TZ | {"description": "The time zone (IANA) in which today began."})


def build(summaries: Summaries, authorize: Authorize, own_of: OwnOf = none_known) -> APIRouter:
    """The routes under `/v1`."""
    router = APIRouter(prefix="/v1", tags=["summaries"])
    reads = Depends(authorize(Permission.read))

    @router.get("/facets", summary="Count a field's values", openapi_extra=_FACETS)
    def facets(request: Request, scope: TenantScope = reads) -> Facet:
        """The most frequent values of a field among the events that match the filters."""
        fields = own_of(scope.tenant)
        own, filter_ = split(request.query_params.multi_items(), ("field", "limit"), fields)
        field = _field(own.get("field"), fields)
        limit = whole_number("limit", own.get("limit"), default=10, maximum=_MAX_VALUES)
        return summaries.facet(scope, filter_, field, limit=limit)

    @router.get("/histogram", summary="Count events over time", openapi_extra=_HISTOGRAM)
    def histogram(request: Request, scope: TenantScope = reads) -> Histogram:
        """The events that match the filters, in buckets of equal width; `from` and `to` set its ends."""
        own, filter_ = split(request.query_params.multi_items(), ("tz", "buckets"), own_of(scope.tenant))
        max_buckets = whole_number("buckets", own.get("buckets"), default=60, maximum=_MAX_BUCKETS)
        return summaries.histogram(scope, filter_, zone=_zone(own.get("tz")), max_buckets=max_buckets)

    @router.get("/stats", summary="The numbers of a dashboard", openapi_extra=_STATS)
    def stats(request: Request, scope: TenantScope = reads) -> Stats:
        """Today, the severe ones of the last seven days, and who did what most often in them."""
        own, filter_ = split(request.query_params.multi_items(), ("tz",), own_of(scope.tenant))
        return summaries.stats(scope, filter_, zone=_zone(own.get("tz")), now=datetime.now(UTC))

    return router


def _field(name: str | None, fields: Any) -> Field:
    if not name:
        raise InvalidFilter("'field' is missing.", field="field", fix="Name a field, such as action.")
    try:
        field = find(name, {} if "." in name else fields())
    except InvalidFilter as error:
        raise InvalidFilter(f"'field': {error.message}.", field="field", fix=error.fix) from None
    if not field.group and field.kind in (Kind.time, Kind.id):
        raise InvalidFilter(f"Hardly two events share their {name}.", field="field", fix="Times: GET /v1/histogram.")
    return field


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidFilter(
            f"There is no time zone {str(name)[:60]!r}.", field="tz", fix="Name it as IANA does: Europe/Berlin, UTC."
        ) from None
