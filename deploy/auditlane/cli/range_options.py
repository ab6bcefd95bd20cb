"""The options of `replay` and `verify` that select messages, and their conversion to a selection."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from auditlane.contract.tenants import check_tenant
from auditlane.operations.selection import Bounds, Plan, Selection, Slice, plan
from auditlane.runtime.errors import ConfigError

Since = Annotated[str, typer.Option(help="Kafka timestamp at or after this time: RFC 3339, or a date (UTC).")]
Until = Annotated[str, typer.Option(help="Kafka timestamp before this time: RFC 3339, or a date (UTC).")]

_RANGE = re.compile(r"(?:(\d+):)?(\d*)-(\d*)")


def selection(
    *, slices: tuple[Slice, ...] = (), since: str = "", until: str = "", tenants: list[str] | None = None
) -> Selection:
    """Return the selection for these options. Raises ConfigError, and InvalidEvent for a malformed tenant id."""
    since_ms, until_ms = _time("--since", since), _time("--until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError("--since must be before --until.", field="--since")
    named = frozenset(check_tenant(tenant, ours=True) for tenant in tenants or ())
    return Selection(slices, since_ms, until_ms, named)


def by_offsets(partitions: list[int] | None, first: int | None, last: int | None) -> tuple[Slice, ...]:
    """Return the slices for --partition, --from-offset and --to-offset. Raises ConfigError if they are inconsistent."""
    if first is not None and last is not None and first > last:
        raise ConfigError("--from-offset is greater than --to-offset.", field="--from-offset")
    if partitions:
        return tuple(Slice(partition, first, last) for partition in partitions)
    return () if first is None and last is None else (Slice(None, first, last),)


def by_ranges(ranges: list[str] | None) -> tuple[Slice, ...]:
    """Return the slices for `PARTITION:FIRST-LAST` strings. Each part is optional. Raises ConfigError."""
    return tuple(map(_slice, ranges or ()))


def _slice(text: str) -> Slice:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"Invalid --range {text!r}.",
            field="--range",
            fix="Write PARTITION:FIRST-LAST, as in 0:100-199 or 0:100-.",
        )
    partition, first, last = (int(part) if part else None for part in match.groups())
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--range {text}: the first offset is greater than the last.", field="--range")
    return Slice(partition, first, last)


def plan_of(selection_: Selection, bounds: list[Bounds], *, below_commit: bool) -> Plan:
    """Return the result of `selection.plan`, raising ConfigError in place of its ValueError."""
    try:
        return plan(selection_, bounds, below_commit=below_commit)
    except ValueError as error:
        raise ConfigError(f"{bounds[0].partition.topic} cannot be read: {error}.", field="--partition") from error


def _time(option: str, text: str) -> int | None:
    """Parse RFC 3339 text to milliseconds since 1970. A time without a zone is UTC. Raises ConfigError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{option} {text!r} is not a time.",
            field=option,
            fix="Use a format such as 2030-01-31T08:00:00Z or 2030-01-31.",
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)
