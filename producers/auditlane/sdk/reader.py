"""Read a tenant's log from a program: `AuditReader`, over the HTTP API."""

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
from auditlane.contract.stored_event import Event, Provenance, SingleEvent
from auditlane.runtime.errors import ConfigError, InvalidFilter
from auditlane.sdk.export import Download, ExportProgress, Progress
from auditlane.sdk.http import Http

__all__ = ["AuditReader", "Event", "EventFilters", "ExportProgress", "SingleEvent"]

Value = str | int | float | Decimal | UUID | date | datetime | Enum | IPv4Address | IPv6Address
Filters = Mapping[str, Value | Iterable[Value]]
_T = TypeVar("_T")
OneOrMore: TypeAlias = _T | Sequence[_T] | Set[_T] | Iterator[_T]
Text = str | Enum
Id = str | int | UUID | Enum
_PAGE: Final = 200


class EventFilters(TypedDict, total=False):
    """The filters of `GET /v1/events` as keywords. Of several values any one may match, and all filters must.

    An event is in the time from `from_` (included) to `to` (excluded): a datetime with a zone, or RFC 3339 text. `q`
    is words that all occur in some text of the event, `query` is the query language, and `actor` an id or a name. The
    rest equal a field of the event; the empty text matches events that have none.
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


class AuditReader:
    """Reads events and exports of one tenant over HTTP. Thread-safe; `close` it, or use it as a context manager.

        with AuditReader("https://audit.example.com", token=token) as audit:
            for event in audit.events(action="login", from_=datetime(2026, 1, 1, tzinfo=UTC), limit=100):
                print(event.occurred_at, event.actor_id)

    Every method raises the errors that the service names (`FILTER_INVALID` is InvalidFilter, and so on), and
    Unavailable when it does not answer.
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
        """Prepare requests; none is sent yet.

        Args:
            url: Where `auditlane serve` answers, such as `https://audit.example.com`.
            token: A viewer's or a client's token.
            client_id: In place of a token, with `secret`: a client for which tokens are fetched and renewed.
            secret: The secret of that client.
            tenant: The tenant to read, for a client of the whole environment.
            timeout_s: Seconds that one request may wait for the service.
            ca: Path of a PEM file with the authorities that the service's certificate is checked against.

        Raises:
            ConfigError: The URL is not valid, or there is no credential.
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
        """Yield the events that match, fetching a page of 200 when it is needed.

            audit.events(action=["login", "logout"], outcome="failure", limit=100)
            audit.events({"metadata.region": ["eu", "us"], "fields.project": "moon"}, sort="-severity")

        Args:
            filters: Filters by name, for those that are no keyword: `metadata.<key>` and `fields.<key>`, the latter
                for the tenant's own fields. Each has a value or several.
            limit: The largest number of events; None for all.
            sort: A sortable field of the tenant's structure, ascending, or with `-` before it descending. By default
                the newest event comes first.
            more: The filters of EventFilters.

        Raises:
            InvalidFilter: A filter is unknown, None, or has a value that it cannot have; `error.field` names it.
            ConfigError: A datetime has no zone.
        """
        pairs = _pairs(filters, more)
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            parameters = {"limit": str(size), "sort": sort, "cursor": cursor}
            own = [(name, value) for name, value in parameters.items() if value]
            page = self._http.json("GET", "/v1/events", fields=[*pairs, *own])
            found = [Event.model_validate(one) for one in page["data"]]
            yield from found
            cursor = page["next"]
            left = None if left is None else left - len(found)
            if not cursor:
                return

    def event(self, event_id: str, *, content_hash: str = "") -> SingleEvent:
        """Return one event, and as its `others` those with the same id.

        Of several it is the one that Kafka had first, or the one with this `content_hash` (32 hexadecimal digits).
        Raises NotFound.
        """
        pairs = [("content_hash", content_hash)] if content_hash else []
        return SingleEvent.model_validate(
            self._http.json("GET", f"/v1/events/{quote(event_id, safe='')}", fields=pairs)
        )

    def export(
        self,
        path: str | Path,
        filters: Filters | None = None,
        /,
        *,
        format: Literal["csv", "jsonl", "parquet", "pdf"] = "jsonl",  # noqa: A002 - the API's name for it
        columns: Sequence[str] | None = None,
        raw_formulas: bool = False,
        resume: bool = True,
        progress: Progress = lambda _: None,
        poll_s: float = 0.5,
        **more: Unpack[EventFilters],
    ) -> int:
        """Write every event that matches to a file, and return their number.

            rows = audit.export("logins.csv", format="csv", action="login", from_="2026-01-01")

        The service makes the file as a job, and the file appears under its name when it is whole. After an
        interruption of any kind the same call continues: with the same job, at the byte where the download ended.

        Args:
            path: The file. `<path>.part` and `<path>.part.json` lie beside it until it is whole.
            filters: Filters by name, as `events` takes them.
            format: Form of the file.
            columns: Names of the fields in it, in this order; by default all that may be downloaded.
            raw_formulas: In a CSV, leave cells that a spreadsheet would run as a formula as they are.
            resume: False to start again, even if an earlier call can be continued.
            progress: Called with an ExportProgress: events while the service makes the file, then bytes.
            poll_s: Seconds between two looks at the job.
            more: The filters of EventFilters.

        Raises:
            InvalidFilter, ConfigError: As `events`.
            Conflict: The job failed or was cancelled.
            OSError: The file cannot be written.
        """
        request: dict[str, Any] = {"format": format, "formulas": "raw" if raw_formulas else "neutralised"}
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
            raise InvalidFilter(f"A filter has a name of type {type(name).__name__}.", fix="Give its name as text.")
        pairs += [(name.removesuffix("_"), _text(name, value)) for value in _several(given)]
    return pairs


def _several(given: Any) -> Iterable[Any]:
    """Only what is plainly several values: a network or bytes could be iterated over, too."""
    return given if isinstance(given, list | tuple | set | frozenset | Iterator) else [given]


def _text(name: str, value: Any) -> str:
    """The value as the API reads it."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(f"The time {name!r} has no zone.", field=name, fix="Use datetime.now(UTC) and the like.")
        return value.isoformat()
    if isinstance(value, date):
        raise InvalidFilter(
            f"The filter {name!r} is a day, which begins at another time in each zone.",
            field=name,
            fix="Give a datetime with a zone.",
        )
    if isinstance(value, Value):
        return str(value)
    if value is None:
        raise InvalidFilter(f"The filter {name!r} is None.", field=name, fix="Leave it out, or give it a value.")
    raise InvalidFilter(
        f"The filter {name!r} has a value of type {type(value).__name__}.",
        field=name,
        fix="Give text, a number, a UUID, an address, an enum's member or a datetime, or several of them in a list.",
    )


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
