"""Write events to the outbox in the transaction of a SQLAlchemy session or connection.

outbox = Outbox(metadata)  # adds its table, so that migrations create it

with Session() as session, session.begin():
    session.delete(document)
    outbox.emit(session, action="document.deleted", resource="document", resource_id=document.id)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    insert,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB, MEDIUMTEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from auditlane.contract.event import AuditEvent
from auditlane.outbox.rows import ID_LENGTH, KEY_LENGTH, TABLE, TOPIC_LENGTH, OutboxRow
from auditlane.runtime.errors import ConfigError
from auditlane.sdk import AuditClient, audit


def outbox_table(metadata: MetaData, name: str = TABLE, schema: str | None = None) -> Table:
    """Add the outbox table to the metadata, and return it. Call this once per metadata and name."""
    return Table(
        name,
        metadata,
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
        Column("id", String(ID_LENGTH), nullable=False),
        Column("aggregatetype", String(TOPIC_LENGTH), nullable=False),
        Column("aggregateid", String(KEY_LENGTH), nullable=False),
        Column("payload", LargeBinary().with_variant(MEDIUMBLOB, "mysql", "mariadb")),
        Column("event", Text().with_variant(MEDIUMTEXT, "mysql", "mariadb")),
        Column("bucket", SmallInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("problem", Text),
        schema=schema,
    )


class Outbox:
    """Writes events to the outbox table."""

    def __init__(
        self, metadata: MetaData, *, client: AuditClient = audit, name: str = TABLE, schema: str | None = None
    ) -> None:
        """Add the table to `metadata`. The client checks and encodes events, which does not require Kafka."""
        self.table = outbox_table(metadata, name, schema)
        self._client = client

    def emit(
        self, session: Session | scoped_session[Any] | Connection, event: AuditEvent | None = None, /, **values: Any
    ) -> str:
        """Add one event to the session's or connection's transaction, and return the event's id.

        Takes the arguments of `AuditClient.emit`. The event is sent if and only if the transaction is committed. An
        event in a savepoint that is rolled back is not sent.

        Raises the errors of `AuditClient.emit` about the event, ConfigError if the connection autocommits, and
        SQLAlchemy's errors.
        """
        connection = session if isinstance(session, Connection) else session.connection()
        if "AUTOCOMMIT" in (
            connection.get_execution_options().get("isolation_level"),
            connection.dialect._on_connect_isolation_level,  # noqa: SLF001 - the engine's; asking the database takes a query
        ):
            raise ConfigError(
                "The connection is in AUTOCOMMIT mode, so the event would not be part of a transaction.",
                fix="Use a connection without isolation_level AUTOCOMMIT.",
            )
        row = OutboxRow.of(self._client.prepare(event, **values))
        connection.execute(insert(self.table), row.values())
        return row.id

    async def aemit(
        self,
        session: AsyncSession | async_scoped_session[Any] | AsyncConnection,
        event: AuditEvent | None = None,
        /,
        **values: Any,
    ) -> str:
        """Add one event to the transaction of an asynchronous session or connection, like `emit`."""
        connection = session if isinstance(session, AsyncConnection) else await session.connection()
        return await connection.run_sync(lambda sync: self.emit(sync, event, **values))
