"""Runs random transactions with savepoints, rollbacks and exceptions. The events must match the differences between the
committed states.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from orm_models import Document, database
from recording import RecordingClient
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from auditlane.integrations.sqlalchemy import AuditedModel, audit_models
from auditlane.sdk.context import context

TRANSACTIONS = 40
SET = ("title", "search")
COLUMNS = (*SET, "revision")  # SQLAlchemy sets this on update; the other columns are excluded
Table = dict[str, dict[str, Any]]  # the columns of each row by id


class Stop(Exception):
    """Raised by the application."""


def table(engine: Engine) -> Table:
    with engine.connect() as connection:
        rows = connection.execute(select(Document.id, *(getattr(Document, name) for name in COLUMNS)))
        return {str(row.id): {name: getattr(row, name) for name in COLUMNS} for row in rows}


def changed(before: Table, after: Table) -> dict[str, tuple[str, Any, Any]]:
    """Return the events expected for the differences between two tables, by id."""
    expected: dict[str, tuple[str, Any, Any]] = {}
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was is None:
            expected[key] = ("document.created", None, without_nulls(now or {}))
        elif now is None:
            expected[key] = ("document.deleted", without_nulls(was), None)
        elif names := [name for name in COLUMNS if was[name] != now[name]]:
            expected[key] = ("document.updated", {n: was[n] for n in names}, {n: now[n] for n in names})
    return expected


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


class Application:
    """Performs random operations in one session."""

    def __init__(self, seed: int, session: Session) -> None:
        self.random = random.Random(seed)
        self.session = session

    def documents(self) -> list[Document]:
        return list(self.session.scalars(select(Document)))

    def step(self, depth: int = 0) -> None:
        dice = self.random.random()
        documents = self.documents()
        if dice < 0.25 or not documents:
            self.session.add(Document(id=self.random.randrange(1, 15) if dice < 0.08 else None, title=self.text()))
        elif dice < 0.5:
            for name in self.random.sample(SET, self.random.randint(1, 2)):
                setattr(self.random.choice(documents), name, self.text())
        elif dice < 0.62:
            self.session.delete(self.random.choice(documents))
        elif dice < 0.66:
            self.session.expire(self.random.choice(documents))
        elif dice < 0.68:
            self.session.flush()
            self.session.expunge_all()
        elif dice < 0.72:
            gone = self.random.choice(documents)
            self.session.delete(gone)
            self.session.add(Document(id=gone.id, title=self.text()))
        elif dice < 0.76:
            self.random.choice(documents).title = Document.title + "+"  # type: ignore[assignment]
        elif dice < 0.80:
            self.session.flush()
        elif dice < 0.82:
            raise Stop
        elif depth < 3:
            self.savepoint(depth)

    def savepoint(self, depth: int) -> None:
        end = self.random.choice(["release", "roll back", "raise"])
        try:
            with self.session.begin_nested() as point:
                for _ in range(self.random.randint(1, 4)):
                    self.step(depth + 1)
                if end == "roll back":
                    point.rollback()
                elif end == "raise":
                    raise Stop
        except (Stop, IntegrityError):
            end = "raise"
            if self.random.random() < 0.2:
                raise
        finally:
            if end != "release":  # SQLAlchemy does not always expire the changes of an inner savepoint that is released
                self.session.expire_all()

    def text(self) -> str:
        return self.random.choice("abc")


@pytest.mark.filterwarnings("ignore:New instance .* conflicts with persistent instance")
@pytest.mark.filterwarnings("ignore:nested transaction already deassociated")
@pytest.mark.parametrize("seed", range(6))
def test_events_equal_committed_changes(seed: int) -> None:
    log = RecordingClient()
    dice = random.Random(seed)
    committed = rolled_back = 0
    with database() as engine, context(tenant="acme"):
        made = sessionmaker(engine, expire_on_commit=dice.random() < 0.5)
        option = AuditedModel(Document, exclude={"id", "tenant", "stamp", "settings", "api_token", "body", "folder_id"})
        auditor = audit_models(made, [option], client=log)  # type: ignore[arg-type]
        session = made()
        for number in range(TRANSACTIONS):
            before = table(engine)
            application = Application(seed * 1_000 + number, session)
            try:
                for _ in range(dice.randint(1, 8)):
                    application.step()
                if dice.random() < 0.25:
                    session.rollback()
                else:
                    session.commit()
            except (Stop, IntegrityError):
                session.rollback()
            if dice.random() < 0.3:
                session.close()
                session = made()
            expected = changed(before, table(engine))
            found = {
                str(event.resource_id): (event.action, loaded(event.before), loaded(event.after))
                for event in log.events
            }
            assert found == expected, f"seed {seed}, transaction {number}"
            assert len(log.events) == len(expected)
            committed, rolled_back = committed + bool(expected), rolled_back + (not expected)
            log.events.clear()
        session.close()
        auditor.remove()
    assert log.errors == []
    assert min(committed, rolled_back) > 5


def loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def test_bulk_statements_count_the_rows_that_were_committed() -> None:
    log = RecordingClient()
    dice = random.Random(7)
    with database() as engine, context(tenant="acme"):
        made = sessionmaker(engine)
        auditor = audit_models(made, [Document], client=log)  # type: ignore[arg-type]
        expected: list[tuple[str, str]] = []
        for _ in range(80):
            with made() as session:
                kept: list[tuple[str, str]] = []
                for _ in range(dice.randint(1, 3)):
                    least = dice.randrange(20)
                    count = len(session.scalars(select(Document.id).where(Document.id >= least)).all())
                    kind = dice.choice(["created", "updated", "deleted"])
                    point = session.begin_nested()
                    if kind == "created":
                        count = dice.randint(1, 3)
                        session.execute(insert(Document), [{"title": "a"}] * count)
                    elif kind == "updated":
                        session.execute(update(Document).where(Document.id >= least).values(title="b"))
                    else:
                        session.execute(delete(Document).where(Document.id >= least))
                    if dice.random() < 0.3:
                        point.rollback()
                    else:
                        point.commit()
                        kept += [(f"document.{kind}", str(count))] if count else []
                if dice.random() < 0.3:
                    session.rollback()
                else:
                    session.commit()
                    expected += kept
        auditor.remove()
    assert [(event.action, event.metadata["rows"]) for event in log.events] == expected
    assert len(expected) > 20
