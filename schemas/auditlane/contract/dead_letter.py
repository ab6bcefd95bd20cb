"""Records of the dead-letter topic: dead letters, and resolutions that close the letter with the same identity.

Only the headers distinguish the two. Key and value are the rejected message's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

TOPIC: Final = "__connect.errors.topic"
PARTITION: Final = "__connect.errors.partition"
OFFSET: Final = "__connect.errors.offset"
MESSAGE: Final = "__connect.errors.exception.message"
TOPIC_ID: Final = "auditlane.topic.id"
CODE: Final = "auditlane.error.code"
TENANT: Final = "auditlane.tenant"
SCHEMA_ID: Final = "auditlane.schema.id"
TIMESTAMP: Final = "auditlane.kafka.timestamp"
REPLAYS: Final = "auditlane.replays"  # header of a replayed event: its letter's identity
RESOLVED: Final = "auditlane.resolved"
NOTE: Final = "auditlane.resolved.note"
CUT_BYTES: Final = "auditlane.cut.bytes"  # header of a truncated letter: the complete value's size
CUT_SHA256: Final = "auditlane.cut.sha256"  # header of a truncated letter: the complete value's digest

RawHeaders = Sequence[tuple[str, str | bytes | None]]


class Identity(NamedTuple):
    """The rejected message's position. A recreated topic has a different id."""

    topic_id: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic_id}:{self.partition}:{self.offset}"


class Place(NamedTuple):
    """A record's position in the dead-letter topic."""

    partition: int
    offset: int


class State(StrEnum):
    """A letter's state."""

    open = "open"
    replayed = "replayed"
    discarded = "discarded"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, parsed from its headers.

    `received_ms` is the rejected message's Kafka timestamp, and `published_ms` the letter's own. `whole_bytes` and
    `sha256` describe the message's complete value if the letter truncates it. Otherwise they are None and "".
    """

    identity: Identity
    place: Place
    topic: str
    tenant: str | None
    code: str
    reason: str
    schema_id: int | None
    received_ms: int
    published_ms: int
    state: State = State.open
    note: str = ""
    whole_bytes: int | None = None
    sha256: str = ""

    @property
    def name(self) -> str:
        """The letter's name for operators, which is unique unless the topic was recreated."""
        return f"{self.topic}:{self.identity.partition}:{self.identity.offset}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Closes the letter with this identity and all its duplicates, wherever they are in the topic."""

    identity: Identity
    state: State
    note: str
    at_ms: int


def read(headers: RawHeaders, place: Place, timestamp_ms: int) -> Letter | Resolution | None:
    """Parse a record's headers. Returns None if auditlane did not write the record."""
    given = dict(headers)
    try:
        identity = Identity(_text(given[TOPIC_ID]), int(given[PARTITION] or ""), int(given[OFFSET] or ""))
        if RESOLVED in given:
            return Resolution(identity, State(_text(given[RESOLVED])), _text(given.get(NOTE)), timestamp_ms)
        tenant, schema_id = given.get(TENANT), given.get(SCHEMA_ID)
        return Letter(
            identity,
            place,
            topic=_text(given[TOPIC]),
            tenant=None if tenant is None else _text(tenant),
            code=_text(given[CODE]),
            reason=_text(given.get(MESSAGE)),
            schema_id=None if schema_id is None else int(schema_id),
            received_ms=int(given.get(TIMESTAMP) or timestamp_ms),
            published_ms=timestamp_ms,
            whole_bytes=int(given[CUT_BYTES] or "") if CUT_BYTES in given else None,
            sha256=_text(given.get(CUT_SHA256)),
        )
    except (KeyError, ValueError):
        return None


def resolution_headers(letter: Letter, state: State, note: str) -> list[tuple[str, str | bytes | None]]:
    """Return the headers of a record that closes the letter."""
    values: Mapping[str, object] = {
        TOPIC: letter.topic,
        PARTITION: letter.identity.partition,
        OFFSET: letter.identity.offset,
        TOPIC_ID: letter.identity.topic_id,
        RESOLVED: state.value,
        NOTE: note,
    }
    return [(name, str(value).encode(errors="replace")) for name, value in values.items()]


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
