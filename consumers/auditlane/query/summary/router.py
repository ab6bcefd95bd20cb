"""The routes for summaries: facets, a histogram and the figures of a dashboard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Request

from auditlane.access.permissions import Permission
from auditlane.query.fields import CustomFields, find, from_structure, parse_zone
from auditlane.query.filters import openapi_parameters, split, whole_number
from auditlane.query.language.tree import Field, Kind
from auditlane.query.router import Authenticator, Scope, Structures, granted, services_of
from auditlane.query.summary.models import Facet, Histogram, Stats
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.errors import InvalidFilter

_MAX_VALUES: Final = 100
_MAX_BUCKETS: Final = 500
_TZ: Final[dict[str, Any]] = {"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]}
_FACETS = openapi_parameters(
    field={"type": "string", "required": True, "description": "The field, such as `action` or `metadata.region`."},
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_VALUES,
        "default": 10,
        "description": "The number of values.",
    },
)
_HISTOGRAM = openapi_parameters(
    tz=_TZ | {"description": "The time zone (IANA) in which days and months begin."},
    buckets={
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_BUCKETS,
        "default": 60,
        "description": "The approximate number of buckets; it determines their width.",
    },
)
_STATS = openapi_parameters(tz=_TZ | {"description": "The time zone (IANA) of `today`."})


class SummaryServices(Protocol):
    """The services that these routes use."""

    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def summaries(self) -> Summaries: ...
    @property
    def structures(self) -> Structures: ...


Services = Annotated[SummaryServices, Depends(services_of)]


def facets(request: Request, scope: Scope, services: Services) -> Facet:
    """Return the most frequent values of a field among the events that match the filters."""
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("field", "limit"), custom)
    field = _field(own.get("field"), custom)
    limit = whole_number("limit", own.get("limit"), default=10, maximum=_MAX_VALUES)
    return services.summaries.facet(scope, filter_, field, limit=limit)


def histogram(request: Request, scope: Scope, services: Services) -> Histogram:
    """Count the events that match the filters in buckets of equal width, between `from` and `to`."""
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("tz", "buckets"), custom)
    max_buckets = whole_number("buckets", own.get("buckets"), default=60, maximum=_MAX_BUCKETS)
    return services.summaries.histogram(scope, filter_, zone=parse_zone("tz", own.get("tz")), max_buckets=max_buckets)


def stats(request: Request, scope: Scope, services: Services) -> Stats:
    """Count events, today's and severe ones, and the most frequent actions and actors; by default, of seven days."""
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("tz",), custom)
    return services.summaries.stats(scope, filter_, zone=parse_zone("tz", own.get("tz")), now=datetime.now(UTC))


def build(services: SummaryServices) -> APIRouter:
    """Build the summary routes under `/v1`."""
    reads = granted(services.authenticator.authorize(Permission.read))
    router = APIRouter(prefix="/v1", tags=["summaries"], dependencies=[reads])
    router.get("/facets", summary="Count a field's values", openapi_extra=_FACETS)(facets)
    router.get("/histogram", summary="Count events over time", openapi_extra=_HISTOGRAM)(histogram)
    router.get("/stats", summary="Get the figures of a dashboard", openapi_extra=_STATS)(stats)
    return router


def _field(name: str | None, custom: CustomFields) -> Field:
    if not name:
        raise InvalidFilter("'field' is missing.", field="field", fix="Name a field, such as action.")
    try:
        field = find(name, {} if "." in name else custom())
    except InvalidFilter as error:
        raise InvalidFilter(f"'field': {error.message}.", field="field", fix=error.fix) from None
    if not field.group and field.kind in (Kind.time, Kind.id):
        raise InvalidFilter(
            f"{name} has a different value in nearly every event.",
            field="field",
            fix="Name another field; for times, use GET /v1/histogram.",
        )
    return field
