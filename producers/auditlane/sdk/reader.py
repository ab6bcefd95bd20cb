"""Read a tenant's log from a program: `AuditReader`, over the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import UUID

from auditlane.contract.stored_event import Event, SingleEvent
from auditlane.runtime.errors import ConfigError, InvalidFilter
from auditlane.sdk.export import Download, ExportProgress, Progress
from auditlane.sdk.http import Http

__all__ = ["AuditReader", "Event", "ExportProgress", "SingleEvent"]

Value = str | int | float | Decimal | UUID | date | datetime | Enum | IPv4Address | IPv6Address
Filters = Mapping[str, Value | Iterable[Value]]
_PAGE: Final = 200


class AuditReader:
    """Events and exports of one tenant. Thread-safe; `close` it, or use it as a context manager.

    `url` is the service's; the credential a `token`, or a client's `client_id` and `secret`, for which tokens are
    fetched and renewed. A client of the whole environment names the `tenant`. `ca` is a file of authorities (PEM).

    Raises the errors that the service names (`FILTER_INVALID` is InvalidFilter, and so on), and Unavailable when it
    does not answer.
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
        self._http = Http(
            url, token=token, client_id=client_id, secret=secret, tenant=tenant, timeout_s=timeout_s, ca=ca
        )

    def events(
        self, filters: Filters | None = None, /, *, limit: int | None = None, sort: str | None = None, **more: Any
    ) -> Iterator[Event]:
        """Events that match, page by page as they are asked for; `limit` is the most.

        Newest first, or by `sort`: a sortable field of the tenant's structure, `-` before it for the greatest first.

        Filters are those of `GET /v1/events`, each with a value or several: `action="login"`, `from_=datetime(…)`,
        `{"metadata.region": ["eu", "us"]}`. Raises InvalidFilter for None and for what is no value of a filter.
        """
        pairs = _pairs(filters, more)
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            said = {"limit": str(size), "sort": sort, "cursor": cursor}
            own = [(name, value) for name, value in said.items() if value]
            page = self._http.json("GET", "/v1/events", fields=[*pairs, *own])
            found = [Event.model_validate(one) for one in page["data"]]
            yield from found
            cursor = page["next"]
            left = None if left is None else left - len(found)
            if not cursor:
                return

    def event(self, event_id: str, *, content_hash: str = "") -> SingleEvent:
        """One event, and as its `others` those with the same id. Raises NotFound.

        Of several it is the one that Kafka had first, or the one with the `content_hash`.
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
        **more: Any,
    ) -> int:
        """Write every event that matches to a file, however many; returns how many are in it.

        The service makes the file as a job, and the file appears under its name when it is whole. When this is
        interrupted, in whatever way, the same call goes on: with the same job, at the byte where the download broke
        off. `resume=False` begins anew. Raises OSError where the file cannot be written.
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


def _pairs(filters: Filters | None, more: Filters) -> list[tuple[str, str]]:
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
