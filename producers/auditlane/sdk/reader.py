"""Reads and exports a tenant's log over the HTTP API with `AuditReader`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar, Unpack
from urllib.parse import quote
from uuid import UUID

from auditlane.contract.event import Outcome, OutcomeName, Severity, SeverityName
from auditlane.contract.event_groups import EventGroups
from auditlane.contract.stored_event import Event, Provenance, SingleEvent
from auditlane.runtime.errors import ConfigError, InvalidFilter
from auditlane.sdk.export import Download, ExportProgress, Progress
from auditlane.sdk.http import Http

__all__ = ["AuditReader", "Event", "EventFilters", "EventGroups", "ExportProgress", "SingleEvent"]

Value = str | int | float | Decimal | UUID | date | datetime | Enum | IPv4Address | IPv6Address
Filters = Mapping[str, Value | Iterable[Value]]
_T = TypeVar("_T")
OneOrMore: TypeAlias = _T | Sequence[_T] | Set[_T] | Iterator[_T]
Text = str | Enum
Id = str | int | UUID | Enum
_PAGE: Final = 200


class EventFilters(TypedDict, total=False):
    """The filters of `GET /v1/events` as keywords. An event must match all filters, and one of the values if a filter
    has several.

    `from_` (inclusive) and `to` (exclusive) take a datetime with a time zone, or RFC 3339 text. `q` takes words that
    must all occur in the event's text, `query` takes the query language, and `actor` takes an id or a name. The other
    filters compare a field for equality, and an empty string matches events without a value. With
    `include_access=True`, the result also contains auditlane's own events about access to the log: reads, exports,
    viewer tokens and links.
    """

    from_: datetime | str
    to: datetime | str
    event_id: OneOrMore[str | UUID]
    action: OneOrMore[Text]
    actor: OneOrMore[Id]
    actor_id: OneOrMore[Id]
    actor_type: OneOrMore[Text]
    actor_name: OneOrMore[Text]
    on_behalf_of: OneOrMore[Id]
    resource: OneOrMore[Text]
    resource_id: OneOrMore[Id]
    outcome: OneOrMore[Outcome | OutcomeName]
    severity: OneOrMore[Severity | SeverityName]
    description: OneOrMore[Text]
    ip: OneOrMore[str | IPv4Address | IPv6Address]
    user_agent: OneOrMore[Text]
    request_id: OneOrMore[Id]
    source: OneOrMore[Text]
    provenance: OneOrMore[Provenance]
    provenance_id: OneOrMore[Text]
    q: OneOrMore[str]
    query: str
    include_access: bool


class AuditReader:
    """Reads and exports one tenant's events over HTTP. Thread-safe. Call `close`, or use it as a context manager.

        with AuditReader("https://audit.example.com", token=token) as audit:
            for event in audit.events(action="login", from_=datetime(2026, 1, 1, tzinfo=UTC), limit=100):
                print(event.occurred_at, event.actor_id)

    Every method raises the service's errors as exceptions (`FILTER_INVALID` as InvalidFilter, and so on), and
    Unavailable if the service does not respond.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        client_id: str = "",
        secret: str = "",
        tenant: str = "",
        timeout_s: float = 60.0,
        ca: str = "",
    ) -> None:
        """Store the options. No request is sent until a method is called.

        Args:
            url: URL of `auditlane serve`, such as `https://audit.example.com`.
            token: Token of a viewer or a client.
            client_id: Id of a client, used with `secret` instead of `token`: tokens are fetched and renewed.
            secret: Secret of that client.
            tenant: Tenant to read; required for a client that may read every tenant.
            timeout_s: Timeout of one request in seconds.
            ca: Path of a PEM file with the certificate authorities to trust for the service.

        Raises:
            ConfigError: The URL is invalid, or the credential is missing.
        """
        self._http = Http(
            url, token=token, client_id=client_id, secret=secret, tenant=tenant, timeout_s=timeout_s, ca=ca
        )

    def events(
        self,
        filters: Filters | None = None,
        /,
        *,
        limit: int | None = None,
        sort: str | None = None,
        **more: Unpack[EventFilters],
    ) -> Iterator[Event]:
        """Yield the matching events, fetching pages of up to 200 as needed.

            audit.events(action=["login", "logout"], outcome="failure", limit=100)
            audit.events({"metadata.region": ["eu", "us"], "fields.project": "moon"}, sort="-severity")

        Args:
            filters: Filters whose names are not valid keywords: `metadata.<key>`, and `fields.<key>` for custom
                fields. Each takes one value or several.
            limit: Maximum number of events; None for all.
            sort: Name of a sortable field, for ascending order, or prefixed with `-` for descending order. Default:
                newest first.
            more: The filters of EventFilters.

        Raises:
            InvalidFilter: A filter is unknown, None, or has an invalid value; `error.field` names it.
            ConfigError: A datetime has no time zone.
        """
        pairs = _pairs(filters, more)
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            parameters = {"limit": str(size), "sort": sort, "cursor": cursor}
            own = [(name, value) for name, value in parameters.items() if value]
            page = self._http.json("GET", "/v1/events", fields=[*pairs, *own])
            found = [Event.model_validate(event) for event in page["data"]]
            yield from found
            cursor = page["next"]
            left = None if left is None else left - len(found)
            if not cursor:
                return

    def event(self, event_id: str, *, content_hash: str = "") -> SingleEvent:
        """Return one event. `others` contains the tenant's other events with the same id.

        If there are several, returns the first that reached Kafka, or the one with this `content_hash` (32 hexadecimal
        digits). Raises NotFound.
        """
        pairs = [("content_hash", content_hash)] if content_hash else []
        return SingleEvent.model_validate(
            self._http.json("GET", f"/v1/events/{quote(event_id, safe='')}", fields=pairs)
        )

    def groups(
        self,
        field: str,
        filters: Filters | None = None,
        /,
        *,
        limit: int = 10,
        buckets: int = 60,
        zone: str = "UTC",
        compare: bool = False,
        **more: Unpack[EventFilters],
    ) -> EventGroups:
        """Count the matching events by a field and over time.

            found = audit.groups("actor", outcome="denied", from_=datetime(2026, 1, 1, tzinfo=UTC), compare=True)
            print({group.value: (group.events, group.before) for group in found.data})

        Every event is in exactly one group of `data`, in `others` or in `none` (without a value).

        Args:
            field: Name of the field, such as `action`, `metadata.region` or `fields.project`.
            filters: Filters by name, as in `events`.
            limit: Number of values that get their own group, 1 to 20.
            buckets: Approximate number of time buckets, 1 to 500.
            zone: Time zone (IANA) in which days and months begin.
            compare: Also count the period of the same length directly before `from_`, which is then required.
            more: The filters of EventFilters.

        Raises:
            InvalidFilter, ConfigError: As in `events`.
        """
        numbers = {"limit": limit, "buckets": buckets}
        own = [("field", field), ("tz", zone), *((name, str(number)) for name, number in numbers.items())]
        own += [("compare", "true")] if compare else []
        pairs = [*_pairs(filters, more), *own]
        return EventGroups.model_validate(self._http.json("GET", "/v1/stats/groups", fields=pairs))

    def export(
        self,
        path: str | Path,
        filters: Filters | None = None,
        /,
        *,
        format: Literal["csv", "xlsx", "jsonl", "parquet", "pdf", "ocsf"] = "jsonl",  # noqa: A002 - the API's name for it
        columns: Sequence[str] | None = None,
        raw_formulas: bool = False,
        dialect: Literal["raw", "spreadsheet"] = "raw",
        separator: Literal["comma", "semicolon", "tab"] = "comma",
        zone: str = "UTC",
        language: Literal["en", "de"] = "en",
        since: Literal["all", "last"] | None = None,
        ocsf_version: Literal["1.8.0", "1.9.0-dev"] = "1.8.0",
        resume: bool = True,
        progress: Progress = lambda _: None,
        poll_s: float = 0.5,
        **more: Unpack[EventFilters],
    ) -> int:
        """Write every matching event to a file, and return the number of events.

            rows = audit.export("logins.csv", format="csv", action="login", from_="2026-01-01T00:00:00Z")

        The service creates the file in an export job, which is then downloaded. The file appears at `path` when it is
        complete. After an interruption, the same call resumes the same job, at the byte where the download stopped.

        Args:
            path: Path of the file. `<path>.part` and `<path>.part.json` exist next to it until it is complete.
            filters: Filters by name, as in `events`.
            format: File format.
            columns: Names of the fields to export, in this order; default: all downloadable fields.
            raw_formulas: In a CSV, do not escape cells that a spreadsheet would evaluate as formulas.
            dialect: `spreadsheet` writes a CSV with a byte order mark and times that a spreadsheet recognises.
            separator: Separator of the cells of a CSV.
            zone: Time zone (IANA) of the times in a file for spreadsheets.
            language: Language of the column `sentence`.
            since: `last` exports the events stored since the caller's last export of these filters with `since`.
            ocsf_version: Version of the schema of OCSF events.
            resume: False to start over, even if an earlier call can be resumed.
            progress: Called with an ExportProgress: in events while the job runs, then in bytes.
            poll_s: Seconds between polls of the job's state.
            more: The filters of EventFilters.

        Raises:
            InvalidFilter, ConfigError: As in `events`.
            Conflict: The job failed or was cancelled.
            OSError: The file cannot be written.
        """
        request: dict[str, Any] = {"format": format, "formulas": "raw" if raw_formulas else "neutralised"}
        if format == "ocsf":
            request["ocsf_version"] = ocsf_version
        options = {"dialect": (dialect, "raw"), "separator": (separator, "comma"), "zone": (zone, "UTC")}
        options["language"] = (language, "en")
        request |= {name: given for name, (given, default) in options.items() if given != default}
        if since:
            request["since"] = since
        if columns:
            request["columns"] = list(columns)
        request["filter"] = _grouped(_pairs(filters, more))
        return Download(self._http, Path(path), request, progress, poll_s).run(resume=resume)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> AuditReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _pairs(filters: Filters | None, more: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, given in [*(filters or {}).items(), *more.items()]:
        if not isinstance(name, str):
            raise InvalidFilter(
                f"The name of a filter must be text, not {type(name).__name__}.", fix="Pass a dict with text keys."
            )
        pairs += [(name.removesuffix("_"), _text(name, value)) for value in _several(given)]
    return pairs


def _several(given: Any) -> Iterable[Any]:
    """Return a filter's values.

    Only plain collections count as several values, because networks and bytes are iterable too.
    """
    return given if isinstance(given, list | tuple | set | frozenset | Iterator) else [given]


def _text(name: str, value: Any) -> str:
    """Return the value as text for the API. Raises InvalidFilter or ConfigError, naming the filter."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(
                f"The datetime of the filter {name!r} has no time zone.",
                field=name,
                fix="Pass an aware datetime, such as datetime.now(UTC).",
            )
        return value.isoformat()
    if isinstance(value, date):
        raise InvalidFilter(
            f"The filter {name!r} is a date, but a date begins at a different time in each time zone.",
            field=name,
            fix="Pass a datetime with a time zone.",
        )
    if isinstance(value, Value):
        return str(value)
    if value is None:
        raise InvalidFilter(f"The filter {name!r} is None.", field=name, fix="Omit it, or set a value.")
    raise InvalidFilter(
        f"The filter {name!r} does not support values of type {type(value).__name__}.",
        field=name,
        fix="Pass text, a number, a UUID, an IP address, an enum member or a datetime, or a list of them.",
    )


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
