"""A service with an outbox: `python outbox_app.py URL TENANT SEED NUMBER`. It runs that many transactions, unless it is
killed first.
"""

from __future__ import annotations

import os
import random
import sys

from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, event, insert
from sqlalchemy.orm import Session

from auditlane.outbox.sqlalchemy import Outbox
from auditlane.sdk import AuditClient

ENDINGS = ("commit", "commit", "commit", "savepoint", "rollback", "raise")
ACTION = "order.created"


def tables(client: AuditClient | None = None) -> tuple[Table, Outbox, MetaData]:
    metadata = MetaData()
    orders = Table("orders", metadata, Column("number", String(64), primary_key=True))
    return orders, Outbox(metadata, client=client) if client else Outbox(metadata), metadata


def engine_of(url: str) -> Engine:
    """Create an engine. On SQLite, it begins transactions explicitly, because savepoints do not work with the driver's
    default.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def main(url: str, tenant: str, seed: int, number: int) -> None:
    """Run `number` transactions, each with a randomly chosen ending."""
    chance = random.Random(seed)
    with AuditClient() as client:
        orders, outbox, _ = tables(client)
        engine = engine_of(url)
        for count in range(number):
            transact(engine, outbox, orders, tenant, f"{seed}-{count}-{os.getpid()}", chance.choice(ENDINGS))


def transact(engine: Engine, outbox: Outbox, orders: Table, tenant: str, name: str, ending: str) -> None:
    """Run one transaction with an order and its event. It is committed, rolled back, or contains a savepoint that is
    rolled back.
    """

    def order(session: Session, number: str) -> None:
        session.execute(insert(orders).values(number=number))
        outbox.emit(session, tenant_id=tenant, action=ACTION, resource="order", resource_id=number)

    try:
        with Session(engine) as session, session.begin():
            order(session, name)
            if ending == "savepoint":
                savepoint = session.begin_nested()
                order(session, f"{name}-undone")
                savepoint.rollback()
            elif ending == "rollback":
                session.rollback()
            elif ending == "raise":
                raise LookupError
    except LookupError:
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
