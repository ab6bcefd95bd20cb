"""The options of `replay` and `verify` that say which messages, and what they mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from auditlane.contract.tenants import check_tenant
from auditlane.operations.selection import Bounds, Plan, Selection, Slice, plan
from auditlane.runtime.errors import ConfigError

Since = Annotated[str, typer.Option(help="From this Kafka timestamp on: RFC 3339, or a date (UTC).")]
Until = Annotated[str, typer.Option(help="Before this Kafka timestamp.")]

_RANGE = re.compile(r"(?:(\d+):)?(\d*)-(\d*)")


def selection(
    *, slices: tuple[Slice, ...] = (), since: str = "", until: str = "", tenants: list[str] | None = None
) -> Selection:
    """The selection of these options. Raises ConfigError, InvalidEvent for a tenant id."""
    since_ms, until_ms = _time("--since", since), _time("--until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError("--since is not before --until.", field="--since")
    named = frozenset(check_tenant(one, ours=True) for one in tenants or ())
    return Selection(slices, since_ms, until_ms, named)


def by_offsets(partitions: list[int] | None, first: int | None, last: int | None) -> tuple[Slice, ...]:
    """Slices of --partition, --from-offset and --to-offset."""
    if first is not None and last is not None and first > last:
        raise ConfigError("--from-offset is above --to-offset.", field="--from-offset")
    if partitions:
        return tuple(Slice(one, first, last) for one in partitions)
    return () if first is None and last is None else (Slice(None, first, last),)


def by_ranges(ranges: list[str] | None) -> tuple[Slice, ...]:
    """Slices of `PARTITION:FIRST-LAST`, each part optional."""
    return tuple(map(_slice, ranges or ()))


def _slice(text: str) -> Slice:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--range {text!r} is no range.",
            field="--range",
            fix="Write PARTITION:FIRST-LAST, as in 0:100-199 or 0:100-.",
        )
    partition, first, last = (int(part) if part else None for part in match.groups())
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--range {text}: the first offset is above the last.", field="--range")
    return Slice(partition, first, last)


def plan_of(selection_: Selection, bounds: list[Bounds], *, below_commit: bool) -> Plan:
    """`selection.plan`, its complaint as ours. Raises ConfigError."""
    try:
        return plan(selection_, bounds, below_commit=below_commit)
    except ValueError as error:
        raise ConfigError(f"{bounds[0].partition.topic}: {error}.", field="--partition") from error


def _time(option: str, text: str) -> int | None:
    """Milliseconds since 1970 of RFC 3339; a time without a zone is UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{option} {text!r} is no time.", field=option, fix="Write 2030-01-31T08:00:00Z, or 2030-01-31."
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)
