"""Tests sessions that are used after a failed flush, and values that raise errors. Neither may cause wrong events or
the loss of others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from orm_models import Document, Folder, database
from recording import RecordingClient
from sqlalchemy import Engine, event, update
from sqlalchemy.orm import Session, sessionmaker

from auditlane.integrations.sqlalchemy import AuditedModel, audit_models
from auditlane.sdk.context import context

Maker = sessionmaker[Session]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with database() as made:
        yield made


@pytest.fixture
def log() -> RecordingClient:
    return RecordingClient()


@pytest.fixture
def session_of(engine: Engine, log: RecordingClient) -> Iterator[Maker]:
    made = sessionmaker(engine)
    auditor = audit_models(made, [Folder, Document], client=log)  # type: ignore[arg-type]
    with context(tenant="acme"):
        yield made
    auditor.remove()


def fail_once(session: Session, kind: str) -> None:
    """Make the session's next flush fail between the events before and after a statement of this kind."""

    def fail(*arguments: Any) -> None:
        if arguments[2].startswith(kind):
            event.remove(session.get_bind(), "before_cursor_execute", fail)
            raise RuntimeError

    event.listen(session.get_bind(), "before_cursor_execute", fail)


def test_a_failed_deletion_is_not_part_of_a_later_update(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(id=1, title="first"))
    with session_of() as session:
        document = session.get_one(Document, 1)
        session.delete(document)
        fail_once(session, "DELETE")
        with pytest.raises(RuntimeError):
            session.flush()
        session.rollback()
        with session_of.begin() as other:
            other.execute(update(Document).values(title="second"))
        log.events.clear()
        document.title = "third"
        session.commit()
    assert (log.only.action, json.loads(log.only.before or "{}")["title"]) == ("document.updated", "second")


def test_a_failed_replacement_is_not_part_of_a_later_creation(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(id=1, title="first"))
    log.events.clear()
    with session_of() as session:
        session.delete(session.get_one(Document, 1))
        new = Document(id=1, title="new")
        session.add(new)
        fail_once(session, "UPDATE")
        with pytest.raises(RuntimeError):
            session.flush()
        session.rollback()
        new.id = 2
        session.add(new)
        session.commit()
    assert (log.only.action, log.only.resource_id) == ("document.created", "2")


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("hostile")


def test_a_tenant_without_text_goes_to_the_context(engine: Engine, log: RecordingClient) -> None:
    made = sessionmaker(engine)
    audit_models(made, [AuditedModel(Document, tenant=lambda _: Hostile())], client=log)  # type: ignore[arg-type]
    with context(tenant="acme"), made.begin() as session:
        session.add(Document(title="a"))
    assert (log.only.action, log.only.tenant_id) == ("document.created", "acme")
    assert len(log.errors) == 1


def test_an_unrecordable_change_is_counted_and_hides_no_other(
    session_of: Maker, log: RecordingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = log.record

    def record(*arguments: Any, **values: Any) -> str | None:
        if values["resource_id"] == "1":
            raise RuntimeError("a client's bug")
        return real(*arguments, **values)

    monkeypatch.setattr(log, "record", record)
    with session_of.begin() as session:
        session.add_all([Document(id=1), Document(id=2)])
    assert log.only.resource_id == "2"
    assert log._recorder.unrecorded == 1
