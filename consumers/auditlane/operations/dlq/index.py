"""Indexes a topic's dead letters. Each identity appears once, and is open until a resolution with the same identity is
found.

The header fields go into a temporary SQLite database on disk, so that millions of letters can be listed, counted and
sorted in a few megabytes of memory. Bodies stay in Kafka. The order of records does not matter: a letter that a worker
publishes again after its resolution stays resolved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract.dead_letter import Identity, Letter, Place, Resolution, State

_SCHEMA: Final = """
CREATE TABLE letters (
    topic_id TEXT, partition INTEGER, "offset" INTEGER, at_partition INTEGER, at_offset INTEGER, topic TEXT,
    tenant TEXT, code TEXT, reason TEXT, schema_id INTEGER, received_ms INTEGER, published_ms INTEGER,
    whole_bytes INTEGER, sha256 TEXT,
    PRIMARY KEY (topic_id, partition, "offset")
) WITHOUT ROWID;
CREATE TABLE resolutions (
    topic_id TEXT, partition INTEGER, "offset" INTEGER, state TEXT, note TEXT, at_ms INTEGER,
    PRIMARY KEY (topic_id, partition, "offset")
) WITHOUT ROWID;
CREATE VIEW folded AS
SELECT letters.*, coalesce(state, 'open') AS state, coalesce(note, '') AS note
FROM letters LEFT JOIN resolutions USING (topic_id, partition, "offset");
"""
_PRAGMAS: Final = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;"  # KiB
_IN_TOPIC: Final = "at_partition, at_offset"
_NEWEST: Final = 'received_ms DESC, topic, partition, "offset" DESC'


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter for dead letters. Conditions are combined with AND, and several values for one condition with OR.

    Times are Kafka timestamps of the rejected messages in milliseconds. `since_ms` is inclusive, and `until_ms` is
    exclusive. `names` are the names or identities of letters.
    """

    tenants: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    names: tuple[str, ...] = ()
    resolved: bool = False  # whether to include resolved letters

    @property
    def narrows(self) -> bool:
        """Whether any condition other than `resolved` is set."""
        return bool(self.tenants or self.codes or self.names) or not (self.since_ms is None is self.until_ms)

    def where(self) -> tuple[str, list[Any]]:
        """Return the SQL condition and its parameters."""
        conditions, parameters = ["1"], list[Any]()

        def add(condition: str, *values: Any) -> None:
            conditions.append(condition)
            parameters.extend(values)

        for column, values in (("tenant", self.tenants), ("code", self.codes)):
            if values:
                add(f"{column} IN ({_marks(values)})", *values)
        if self.since_ms is not None:
            add("received_ms >= ?", self.since_ms)
        if self.until_ms is not None:
            add("received_ms < ?", self.until_ms)
        if self.names:
            marks, at = _marks(self.names), """ || ':' || partition || ':' || "offset" """
            add(f"(topic{at}IN ({marks}) OR topic_id{at}IN ({marks}))", *self.names, *self.names)
        if not self.resolved:
            add("state = 'open'")
        return " AND ".join(conditions), parameters


@dataclass(frozen=True, slots=True)
class Count:
    """The number of letters with one code, tenant and state, and the times at which the first and the last of them were
    received.
    """

    code: str
    tenant: str | None
    state: State
    letters: int
    first_ms: int
    last_ms: int


class Index:
    """An index of dead letters. `add` fills it, and the other methods query it. Must be used from one thread at a
    time.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False)  # a temporary file, deleted with the connection
        self._database.executescript(f"{_PRAGMAS} {_SCHEMA}")
        self.foreign = 0  # number of records that are neither letters nor resolutions

    def close(self) -> None:
        self._database.close()

    def add(self, records: Iterable[Letter | Resolution | None]) -> None:
        """Add records. If a letter was published several times, its first record is kept."""
        letters: list[tuple[Any, ...]] = []
        resolutions: list[tuple[Any, ...]] = []
        for record in records:
            if record is None:
                self.foreign += 1
            elif isinstance(record, Letter):
                letters.append(_row(record))
            else:
                resolutions.append((*record.identity, record.state.value, record.note, record.at_ms))
        self._database.executemany(f"INSERT OR IGNORE INTO letters VALUES ({_marks(range(14))})", letters)  # noqa: S608 - marks
        self._database.executemany("INSERT OR IGNORE INTO resolutions VALUES (?,?,?,?,?,?)", resolutions)

    def count(self, selection: Selection) -> int:
        """Count the selected letters."""
        where, parameters = selection.where()
        [row] = self._database.execute(f"SELECT count(*) FROM folded WHERE {where}", parameters)  # noqa: S608 - ours
        return int(row[0])

    def newest(self, selection: Selection, limit: int | None = None, *, skip: int = 0) -> Iterator[Letter]:
        """Yield the selected letters, most recently received first. The first `skip` letters are skipped."""
        return self._letters(selection, _NEWEST, limit, skip)

    def in_topic_order(self, selection: Selection, limit: int | None = None) -> Iterator[Letter]:
        """Yield the selected letters in the order of the dead-letter topic, so that their bodies can be read in one
        pass.
        """
        return self._letters(selection, _IN_TOPIC, limit)

    def counts(self, selection: Selection) -> list[Count]:
        """Count the selected letters by code, tenant and state, highest counts first."""
        where, parameters = selection.where()
        rows = self._database.execute(
            "SELECT code, tenant, state, count(*), min(received_ms), max(received_ms) FROM folded"  # noqa: S608 - ours
            f" WHERE {where} GROUP BY code, tenant, state ORDER BY count(*) DESC, code, tenant, state",
            parameters,
        )
        return [Count(code, tenant, State(state), *numbers) for code, tenant, state, *numbers in rows]

    def _letters(self, selection: Selection, order: str, limit: int | None, skip: int = 0) -> Iterator[Letter]:
        where, parameters = selection.where()
        most = -1 if limit is None else limit
        for row in self._database.execute(
            f"SELECT * FROM folded WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - ours
            [*parameters, most, skip],
        ):
            yield _letter(row)


def _marks(values: Iterable[Any]) -> str:
    return ",".join("?" for _ in values)


def _row(letter: Letter) -> tuple[Any, ...]:
    return (
        *letter.identity,
        *letter.place,
        letter.topic,
        letter.tenant,
        letter.code,
        letter.reason,
        letter.schema_id,
        letter.received_ms,
        letter.published_ms,
        letter.whole_bytes,
        letter.sha256,
    )


def _letter(row: tuple[Any, ...]) -> Letter:
    topic, tenant, code, reason, schema_id, received_ms, published_ms, whole_bytes, sha256, state, note = row[5:]
    return Letter(
        Identity(*row[:3]),
        Place(*row[3:5]),
        topic,
        tenant,
        code,
        reason,
        schema_id,
        received_ms,
        published_ms,
        State(state),
        note,
        whole_bytes,
        sha256,
    )
