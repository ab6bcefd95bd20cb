"""Converts letters, without their bodies, to JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditlane.contract.dead_letter import Letter
from auditlane.operations.dlq.index import Count

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_json(letter: Letter) -> dict[str, Any]:
    """Return a dead letter as a JSON object."""
    return {
        "id": letter.name,
        "topic_id": letter.identity.topic_id,
        "state": letter.state.value,
        "note": letter.note,
        "tenant": letter.tenant,
        "code": letter.code,
        "reason": letter.reason,
        "schema_id": letter.schema_id,
        "received_at": time_of(letter.received_ms),
        "published_at": time_of(letter.published_ms),
        "position": f"{letter.place.partition}:{letter.place.offset}",
        "original_bytes": letter.whole_bytes,
        "sha256": letter.sha256,
    }


def counted(counts: Sequence[Count], foreign: int) -> dict[str, Any]:
    """Return the counts as a document. `foreign` is the number of records in the topic that are neither letters nor
    resolutions.
    """
    return {
        "count": sum(one.letters for one in counts),
        "unrecognized_records": foreign,
        "counts": [
            {
                "code": count.code,
                "tenant": count.tenant,
                "state": count.state.value,
                "count": count.letters,
                "first_received_at": time_of(count.first_ms),
                "last_received_at": time_of(count.last_ms),
            }
            for count in counts
        ],
    }


def time_of(ms: int) -> str:
    """Format milliseconds since 1970 as RFC 3339 in UTC. A time outside the calendar's range is formatted as a
    number.
    """
    return time_of_us(ms * 1_000, "milliseconds")


def time_of_us(us: int, precision: str) -> str:
    """Format microseconds since 1970 like `time_of`, with this `timespec`."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec=precision).replace("+00:00", "Z")
    except OverflowError:
        return f"{us} µs after 1970"
