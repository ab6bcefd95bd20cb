"""Tests what the relay does with rows that the registry rejects, on SQLite, with a stand-in for Kafka's client."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, MetaData, create_engine, insert, select
from sqlalchemy.pool import StaticPool

from auditlane.contract.event import AuditEvent
from auditlane.outbox.relay import Relay
from auditlane.outbox.rows import OutboxRow
from auditlane.outbox.sqlalchemy import outbox_table
from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable
from auditlane.sdk.publisher import Prepared

ENGINE_URL = "sqlite://"


class Client:
    """Encodes the events of all tenants except one, and acknowledges what it sends."""

    def __init__(self) -> None:
        self.refusal: Exception = RegistryRefused("The contract of broken is no schema.")
        self.sent: list[str] = []

    def encode(self, event: AuditEvent) -> bytes:
        if event.tenant_id == "broken":
            raise self.refusal
        return b"value"

    def send_prepared(self, topic: str, key: bytes, value: bytes, event_id: str, settle: Any) -> None:
        self.sent.append(key.decode())
        settle(None)


def rows(connection: Connection, table: Any) -> list[tuple[str, str | None]]:
    return [tuple(row) for row in connection.execute(select(table.c.aggregateid, table.c.problem))]


def test_a_tenant_whose_contract_the_registry_refuses_does_not_stop_the_others() -> None:
    engine = create_engine(ENGINE_URL, poolclass=StaticPool)
    table = outbox_table(metadata := MetaData())
    metadata.create_all(engine)
    client = Client()
    with engine.begin() as connection:
        for tenant in ("broken", "acme"):
            event = AuditEvent(tenant_id=tenant, action="login")
            row = OutboxRow.of(Prepared(event, "audit.events", tenant.encode(), None))
            connection.execute(insert(table), row.values())
    relay = Relay(engine, table, client)  # type: ignore[arg-type]

    client.refusal = RegistryUnavailable("It is down.")
    step = relay.step()
    assert (step.sent, step.set_aside, step.error) == (0, 0, client.refusal)  # the rows wait

    client.refusal = RegistryRefused("The contract of broken is no schema.")
    step = relay.step()
    assert (step.sent, step.set_aside, step.error) == (1, 0, client.refusal)
    assert client.sent == ["acme"]
    results = [relay.step().set_aside for _ in range(4)]
    assert results == [0, 0, 0, 1]
    with engine.connect() as connection:
        assert rows(connection, table) == [("broken", str(client.refusal))]
    engine.dispose()
