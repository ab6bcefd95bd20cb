"""The code for messages and batches that all peers share, so that the peers differ only in the code in between.

A peer receives its task as JSON in its only argument. It prints its resource usage from the first message to the last
commit.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import clickhouse_connect
import fastavro
from pydantic import BaseModel, Field, IPvAnyAddress, StringConstraints

ROWS = 10_000
Text = Annotated[str, StringConstraints(min_length=1)]


class Event(BaseModel):
    """The base fields, validated by pydantic in its default mode."""

    event_id: UUID
    tenant_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=128)]
    occurred_at: datetime
    action: Text
    actor_id: str = ""
    actor_type: str = ""
    actor_name: str | None = None
    on_behalf_of: str | None = None
    resource: str = ""
    resource_id: str | None = None
    outcome: str = "unknown"
    severity: str = "Info"
    description: str | None = None
    ip: IPvAnyAddress | None = None
    user_agent: str | None = None
    request_id: str | None = None
    before: str | None = None
    after: str | None = None
    source: str = ""
    metadata: dict[str, str] = {}


BASE = tuple(Event.model_fields)
COLUMNS = (
    *BASE, "fields", "schema_id", "ingested_at", "kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset",
    "kafka_timestamp",
)  # fmt: skip
_EPOCH = UUID(int=0)


@dataclass
class Task:
    bootstrap: str
    topic: str
    group: str
    registry: str
    clickhouse: str
    database: str
    messages: int
    started: float = 0.0
    cpu: float = 0.0
    seen: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    stored: int = 0
    schemas: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        host, _, port = self.clickhouse.removeprefix("http://").partition(":")
        self.client = clickhouse_connect.get_client(host=host, port=int(port), autogenerate_session_id=False)

    def first(self) -> None:
        """Start the measurement when the first message arrives."""
        if not self.started:
            self.started, self.cpu = time.perf_counter(), time.process_time()

    def schema(self, schema_id: int) -> Any:
        if schema_id not in self.schemas:
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{schema_id}", timeout=10) as answer:
                self.schemas[schema_id] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        return self.schemas[schema_id]

    def row(self, key: bytes, value: bytes, partition: int, offset: int, timestamp: datetime) -> tuple[Any, ...] | None:
        """Convert a message to a table row. Returns None if the message is rejected."""
        if len(value) < 5 or value[0] != 0:
            return None
        schema_id = int.from_bytes(value[1:5], "big")
        datum = io.BytesIO(value)
        datum.seek(5)
        try:
            decoded: Any = fastavro.schemaless_reader(datum, self.schema(schema_id), None)
            event = Event.model_validate(decoded)
        except (ValueError, EOFError, IndexError, StopIteration):
            return None
        if datum.tell() != len(value) or event.tenant_id != key.decode():
            return None
        own = {name: str(one) for name, one in decoded.items() if name not in Event.model_fields and one is not None}
        base = event.__dict__
        return (
            *(base[name] for name in BASE), own, schema_id, timestamp, self.topic, _EPOCH, partition, offset, timestamp
        )  # fmt: skip

    def take(self, row: tuple[Any, ...] | None) -> bool:
        """Buffer a row. Returns whether the buffer is full enough for an insert."""
        self.seen += 1
        if row is not None:
            self.rows.append(row)
        return len(self.rows) >= ROWS or self.seen >= self.messages

    def insert(self) -> None:
        if self.rows:
            self.client.insert("events", self.rows, column_names=COLUMNS, database=self.database)
            self.stored += len(self.rows)
            self.rows.clear()

    @property
    def done(self) -> bool:
        return self.seen >= self.messages

    def finish(self) -> None:
        """Report after the last commit, and exit immediately even if threads are still running."""
        used = {"cpu_s": time.process_time() - self.cpu, "wall_s": time.perf_counter() - self.started}
        print(json.dumps(used | {"messages": self.seen, "rows": self.stored}), flush=True)
        os._exit(0)


def task() -> Task:
    return Task(**json.loads(sys.argv[1]))
