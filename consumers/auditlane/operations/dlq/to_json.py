"""What is known of letters without their bodies, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditlane.contract.dead_letter import Letter
from auditlane.operations.dlq.index import Count

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_json(letter: Letter) -> dict[str, Any]:
    """One letter."""
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
        "published_at": time_of(letter.buried_ms),
        "position": f"{letter.place.partition}:{letter.place.offset}",
        "original_bytes": letter.whole_bytes,
        "sha256": letter.sha256,
    }


def counted(counts: Sequence[Count], foreign: int) -> dict[str, Any]:
    """How many of which code, tenant and state; `foreign` are records of the topic that are no letters."""
    return {
        "count": sum(one.letters for one in counts),
        "unrecognized_records": foreign,
        "counts": [
            {
                "code": one.code,
                "tenant": one.tenant,
                "state": one.state.value,
                "count": one.letters,
                "first_received_at": time_of(one.first_ms),
                "last_received_at": time_of(one.last_ms),
            }
            for one in counts
        ],
    }


def time_of(ms: int) -> str:
    """RFC 3339 in UTC; the number itself where no calendar has the time."""
    return time_of_us(ms * 1_000, "milliseconds")


def time_of_us(us: int, precision: str) -> str:
    """`time_of` for microseconds."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec=precision).replace("+00:00", "Z")
    except OverflowError:
        return f"{us} µs after 1970"
