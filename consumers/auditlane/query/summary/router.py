"""Routes for facets, a histogram and the figures for a dashboard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Request

from auditlane.access.permissions import Permission
from auditlane.contract.event_groups import EventGroups
from auditlane.query.fields import CustomFields, find, from_structure, parse_zone
from auditlane.query.filters import one_of, openapi_parameters, split, whole_number
from auditlane.query.language.tree import Field, Kind
from auditlane.query.router import Authenticator, Scope, Structures, granted, services_of
from auditlane.query.summary.comparison import COMPARE
from auditlane.query.summary.models import Facet, Histogram, Stats
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.errors import InvalidFilter

_MAX_VALUES: Final = 100
_MAX_GROUPS: Final = 20  # a query has at most 64 terms, and one that finds an actor may need three
_MAX_BUCKETS: Final = 500
_TZ: Final[dict[str, Any]] = {"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]}
_FALSE: Final[dict[str, Any]] = {"type": "boolean", "default": False}
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
_COMPARE_TEXT: Final = "Whether to count the period of the same length directly before `from` as well. Requires `from`"
_STATS = openapi_parameters(
    tz=_TZ | {"description": "The time zone (IANA) of `today`."},
    compare=_FALSE | {"description": f"{_COMPARE_TEXT}, unless both ends are missing."},
)
_GROUPS = openapi_parameters(
    field={"type": "string", "required": True, "description": "The field, such as `action` or `metadata.region`."},
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_GROUPS,
        "default": 10,
        "description": "The number of values with a group of their own.",
    },
    tz=_TZ | {"description": "The time zone (IANA) in which days and months begin."},
    buckets={
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_BUCKETS,
        "default": 60,
        "description": "The approximate number of buckets; it determines their width.",
    },
    compare=_FALSE | {"description": f"{_COMPARE_TEXT}."},
)


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
    """Return a field's most frequent values among the events that match the filters."""
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("field", "limit"), custom)
    field = grouping(own.get("field"), custom)
    limit = whole_number("limit", own.get("limit"), default=10, maximum=_MAX_VALUES)
    return services.summaries.facet(scope, filter_, field, limit=limit)


def histogram(request: Request, scope: Scope, services: Services) -> Histogram:
    """Count the events that match the filters in buckets of equal width, between `from` and `to`."""
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("tz", "buckets"), custom)
    max_buckets = whole_number("buckets", own.get("buckets"), default=60, maximum=_MAX_BUCKETS)
    return services.summaries.histogram(scope, filter_, zone=parse_zone("tz", own.get("tz")), max_buckets=max_buckets)


def stats(request: Request, scope: Scope, services: Services) -> Stats:
    """Count events, today's events and severe events, and the most frequent actions and actors. The default period is
    seven days.

    With `compare`, also count the events of the preceding period.
    """
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("tz", COMPARE), custom)
    zone, compare = parse_zone("tz", own.get("tz")), _compare(own)
    return services.summaries.stats(scope, filter_, zone=zone, now=datetime.now(UTC), compare=compare)


def groups(request: Request, scope: Scope, services: Services) -> EventGroups:
    """Count the events that match the filters by a field's most frequent values, each value also over time.

    With `compare`, the events of the preceding period are also counted. The result then marks values that are new
    (without events in it) and values that vanished (with events only in it).
    """
    custom = from_structure(services.structures.of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("field", "limit", "tz", "buckets", COMPARE), custom)
    return services.summaries.groups(
        scope,
        filter_,
        grouping(own.get("field"), custom),
        zone=parse_zone("tz", own.get("tz")),
        limit=whole_number("limit", own.get("limit"), default=10, maximum=_MAX_GROUPS),
        max_buckets=whole_number("buckets", own.get("buckets"), default=60, maximum=_MAX_BUCKETS),
        compare=_compare(own),
        now=datetime.now(UTC),
    )


def build(services: SummaryServices) -> APIRouter:
    """Build the summary routes under `/v1`."""
    reads = granted(services.authenticator.authorize(Permission.read))
    router = APIRouter(prefix="/v1", tags=["summaries"], dependencies=[reads])
    router.get("/facets", summary="Count a field's values", openapi_extra=_FACETS)(facets)
    router.get("/histogram", summary="Count events over time", openapi_extra=_HISTOGRAM)(histogram)
    router.get("/stats", summary="Get the figures of a dashboard", openapi_extra=_STATS)(stats)
    router.get("/stats/groups", summary="Count events by a field and over time", openapi_extra=_GROUPS)(groups)
    return router


def _compare(own: dict[str, str]) -> bool:
    return one_of(COMPARE, own.get(COMPARE), ("true", "false"), "false") == "true"


def grouping(name: str | None, custom: CustomFields, *, parameter: str = "field") -> Field:
    """Return the grouping field. Raises InvalidFilter, naming the parameter."""
    if not name:
        raise InvalidFilter(f"{parameter!r} is missing.", field=parameter, fix="Name a field, such as action.")
    try:
        field = find(name, {} if "." in name else custom())
    except InvalidFilter as error:
        raise InvalidFilter(f"{parameter!r}: {error.message}.", field=parameter, fix=error.fix) from None
    if not field.group and field.kind in (Kind.time, Kind.id):
        raise InvalidFilter(
            f"{name} cannot be counted: nearly every event has a different value.",
            field=parameter,
            fix="Name another field; for times, use GET /v1/histogram.",
        )
    return field
