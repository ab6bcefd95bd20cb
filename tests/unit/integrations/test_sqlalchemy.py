"""Tests that the events of the SQLAlchemy integration match the changes that sessions commit, on real SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from orm_models import Base, Document, Folder, Manager, Person, Unwatched, database, with_savepoints
from recording import RecordingClient
from sqlalchemy import Engine, create_engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session, sessionmaker, undefer
from sqlalchemy.pool import StaticPool

from auditlane.contract.event import AuditEvent
from auditlane.integrations.sqlalchemy import AuditedModel, Auditor, audit_models, audited_model
from auditlane.runtime.errors import ConfigError
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
    """Provide audited sessions, within a context that has a tenant and an actor."""
    made = sessionmaker(engine)
    auditor = audited(made, log, [Folder, AuditedModel(Document, exclude={"search"}), Person])
    with context(tenant="acme", actor="user-17"):
        yield made
    auditor.remove()


def audited(target: Any, log: RecordingClient, models: list[Any], **options: Any) -> Auditor:
    return audit_models(target, models, client=log, **options)  # type: ignore[arg-type]


def short(event: AuditEvent) -> tuple[str, str | None, Any, Any]:
    """Return the action, the id, and the states before and after the change."""
    return event.action, event.resource_id, state(event.before), state(event.after)


def state(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def stored(session_of: Maker, log: RecordingClient, **values: Any) -> int:
    """Commit a document, discard its event, and return the document's id."""
    with session_of.begin() as session:
        document = Document(**values)
        session.add(document)
    log.events.clear()
    with session_of() as session:
        return session.scalars(select(Document.id).order_by(Document.id.desc())).first() or 0


def test_create_update_and_delete(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(title="Draft"))
        assert log.events == []
    event = log.only
    assert short(event) == (
        "document.created", "1", None, {"id": 1, "title": "Draft", "tenant": "acme", "revision": 1}
    )  # fmt: skip
    assert (event.tenant_id, event.actor_id, event.resource, event.outcome.value) == (
        "acme", "user-17", "document", "success"
    )  # fmt: skip
    log.events.clear()
    with session_of.begin() as session:
        session.get_one(Document, 1).title = "Final"
    assert short(log.only) == (
        "document.updated", "1", {"title": "Draft", "revision": 1}, {"title": "Final", "revision": 2}
    )  # fmt: skip
    assert log.only.metadata["fields"] == "revision, title"
    log.events.clear()
    with session_of.begin() as session:
        session.delete(session.get_one(Document, 1))
    action, key, before, after = short(log.only)
    assert (action, key, before["title"], after) == ("document.deleted", "1", "Final", None)


def test_a_rollback_leaves_nothing(session_of: Maker, log: RecordingClient) -> None:
    with session_of() as session:
        session.add(Document(title="flushed"))
        session.flush()
        session.rollback()
        session.add(Document(title="closed without commit"))
        session.flush()
    with pytest.raises(ZeroDivisionError), session_of.begin() as session:
        session.add(Document(title="raised"))
        session.flush()
        raise ZeroDivisionError
    assert log.events == []


def test_a_session_can_be_used_after_a_rollback(session_of: Maker, log: RecordingClient) -> None:
    with session_of() as session:
        session.add(Document(title="lost"))
        session.flush()
        session.rollback()
        session.add(Document(title="kept"))
        session.commit()
        session.add(Document(title="second"))
        session.commit()
    assert [state(event.after)["title"] for event in log.events] == ["kept", "second"]


def test_a_failed_commit_leaves_nothing(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, id=7)
    with session_of() as session:
        session.add_all([Document(id=8), Document(id=7)])
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        session.add(Document(id=9))
        session.commit()
    assert [event.resource_id for event in log.events] == ["9"]


def test_rolled_back_savepoints_have_no_events(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(id=1, title="outer"))
        with session.begin_nested():
            session.add(Document(id=2, title="released"))
            lost = session.begin_nested()
            session.add(Document(id=3, title="rolled back"))
            session.get_one(Document, 1).title = "rolled back"
            session.flush()
            lost.rollback()
        failing = session.begin_nested()
        session.add(Document(id=2))
        with pytest.raises(IntegrityError):
            session.flush()
        failing.rollback()
        session.get_one(Document, 2).title = "changed after"
        assert log.events == []
    assert [(key, after["title"]) for _, key, _, after in map(short, log.events)] == [
        ("1", "outer"), ("2", "changed after")
    ]  # fmt: skip


def test_a_released_savepoint_is_lost_with_the_transaction(session_of: Maker, log: RecordingClient) -> None:
    with session_of() as session:
        with session.begin_nested():
            session.add(Document())
        session.rollback()
    assert log.events == []


def test_several_flushes_are_one_event(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, title="a")
    with session_of.begin() as session:
        document = session.get_one(Document, 1)
        for title in "bcd":
            document.title = title
            session.flush()
    assert short(log.only) == ("document.updated", "1", {"title": "a", "revision": 1}, {"title": "d", "revision": 2})


def test_a_row_inserted_and_deleted_in_one_transaction_is_not_recorded(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(document := Document())
        session.flush()
        session.delete(document)
    assert log.events == []


def test_setting_the_same_value_is_not_recorded(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, title="a")
    with session_of.begin() as session:
        session.get_one(Document, 1).title = "a"
    assert log.events == []


def test_old_values_that_were_never_loaded(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, title="a", body=b"old", settings={"k": 1})
    with session_of() as session:
        document = session.get_one(Document, 1)
        session.commit()  # expires everything in the session
        document.title = "b"
        document.body = b"new!"  # a deferred column
        session.commit()
    _, _, before, after = short(log.only)
    assert (before["title"], before["body"]) == ("a", "<3 bytes>")
    assert (after["title"], after["body"]) == ("b", "<4 bytes>")
    log.events.clear()
    with session_of() as session:
        document = session.get_one(Document, 1)
        session.commit()
        session.delete(document)  # still expired
        session.commit()
    _, _, before, _ = short(log.only)
    assert (before["title"], before["settings"]) == ("b", {"k": 1})
    assert "body" not in before  # deferred: a large column is not loaded just for the event


def test_a_value_set_to_an_expression(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, title="a")
    with session_of.begin() as session:
        session.get_one(Document, 1).title = Document.title + "b"  # type: ignore[assignment]
    _, _, before, after = short(log.only)
    assert (before["title"], after["title"]) == ("a", "ab")


def test_a_mutable_value_changed_in_place(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, settings={"theme": "dark", "size": 1})
    with session_of.begin() as session:
        document = session.get_one(Document, 1)
        settings = document.settings
        assert settings is not None
        settings["theme"] = "light"
        session.flush()
        settings["theme"] = "blue"
    _, _, before, after = short(log.only)
    assert (before["settings"], after["settings"]) == ({"theme": "dark"}, {"theme": "blue"})


def test_cascades_delete_children_and_orphans(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Folder(name="f", documents=[Document(title="1"), Document(title="2"), Document(title="3")]))
    assert [event.action for event in log.events] == ["folder.created", *["document.created"] * 3]
    assert state(log.events[1].after)["folder_id"] == 1
    log.events.clear()
    with session_of.begin() as session:
        folder = session.get_one(Folder, 1)
        folder.documents.pop(0)
    assert [short(event)[:2] for event in log.events] == [("document.deleted", "1")]
    log.events.clear()
    with session_of.begin() as session:
        session.delete(session.get_one(Folder, 1))
    assert sorted(short(event)[:2] for event in log.events) == [
        ("document.deleted", "2"), ("document.deleted", "3"), ("folder.deleted", "1")
    ]  # fmt: skip


def test_a_row_that_is_replaced_is_an_update(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, id=1, title="old", tenant="acme")
    with session_of.begin() as session:
        session.delete(session.get_one(Document, 1))
        session.add(Document(id=1, title="new", tenant="acme"))
    action, key, before, after = short(log.only)
    assert (action, key, before["title"], after["title"]) == ("document.updated", "1", "old", "new")


def test_a_primary_key_that_changes(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, id=1, title="a")
    with session_of.begin() as session:
        document = session.get_one(Document, 1)
        document.id = 5
        session.flush()
        document.title = "b"
    action, key, before, after = short(log.only)
    assert (action, key) == ("document.updated", "5")
    assert (before["id"], after["id"], before["title"], after["title"]) == (1, 5, "a", "b")


def test_inherited_classes_and_keys_of_two_columns(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Manager(region="eu", number=1, name="n", budget=1))
    assert short(log.only) == (
        "person.created", "eu,1", None, {"region": "eu", "number": 1, "kind": "manager", "name": "n", "budget": 1}
    )  # fmt: skip
    log.events.clear()
    with session_of() as session:
        manager = session.get_one(Manager, ("eu", 1))
        session.commit()
        manager.name, manager.budget = "m", 2
        session.commit()
    assert short(log.only)[2:] == ({"name": "n", "budget": 1}, {"name": "m", "budget": 2})
    log.events.clear()
    with session_of.begin() as session:
        session.delete(session.get_one(Person, ("eu", 1)))
    assert short(log.only)[:2] == ("person.deleted", "eu,1")


def test_bulk_statements_are_one_event_with_the_row_count(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.execute(insert(Document), [{"title": f"t{n}"} for n in range(5)])
        session.execute(update(Document).where(Document.id > 1).values(title="archived by jane"))
        session.execute(delete(Document).where(Document.id == 2))
        session.execute(delete(Document).where(Document.id == 99))
        session.query(Document).where(Document.id == 3).update({"title": "old style"})
        assert log.events == []
    assert [(event.action, event.metadata["rows"], event.resource_id) for event in log.events] == [
        ("document.created", "5", None), ("document.updated", "4", None), ("document.deleted", "1", None),
        ("document.updated", "1", None),
    ]  # fmt: skip
    assert "UPDATE documents SET" in log.events[1].metadata["statement"]
    assert not any("jane" in event.model_dump_json() for event in log.events)  # values are left out
    assert len({event.metadata["transaction"] for event in log.events}) == 1


def test_a_bulk_statement_with_returning_still_returns(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        rows = session.execute(insert(Document).returning(Document.id), [{"title": "a"}, {"title": "b"}]).all()
        assert [tuple(row) for row in rows] == [(1,), (2,)]
        found = session.scalars(update(Document).where(Document.id == 1).values(title="c").returning(Document)).all()
        assert [one.title for one in found] == ["c"]
        assert session.scalar(delete(Document).where(Document.id == 2).returning(Document.id)) == 2
        assert session.execute(update(Document).values(title="d")).rowcount == 1  # type: ignore[attr-defined]
        assert session.execute(update(Document), [{"id": 1, "title": "e"}]) is not None
    assert [event.metadata.get("rows") for event in log.events] == ["2", "1", "1", "1", "1"]


def test_bulk_statements_are_rolled_back_too(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log)
    with session_of.begin() as session:
        point = session.begin_nested()
        session.execute(update(Document).values(title="x"))
        point.rollback()
    with session_of() as session:
        session.execute(delete(Document))
        session.rollback()
    with session_of.begin() as session, pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert(Document).values(id=1))
    assert log.events == []


def test_secrets_are_masked_and_excluded_columns_are_absent(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(title="a", api_token="hunter2", search="index"))
    with session_of.begin() as session:
        document = session.get_one(Document, 1)
        document.api_token = "hunter3"
    assert [event.action for event in log.events] == ["document.created", "document.updated"]
    assert "hunter" not in "".join(event.model_dump_json() for event in log.events)
    assert "index" not in "".join(event.model_dump_json() for event in log.events)
    assert set(state(log.events[1].after)) == {"api_token", "revision"}


def test_a_change_of_only_an_excluded_column_is_not_recorded(engine: Engine, log: RecordingClient) -> None:
    made = sessionmaker(engine)
    auditor = audited(made, log, [AuditedModel(Document, exclude={"search", "revision", "stamp"})])
    with made.begin() as session:
        session.add(Document(id=1))
    log.events.clear()
    with made.begin() as session:
        session.get_one(Document, 1).search = "x"
    auditor.remove()
    assert log.events == []


def test_only_chosen_models_and_sessions_are_recorded(engine: Engine, session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Unwatched())
        session.execute(update(Unwatched).values(id=2))
        session.execute(update(Document.__table__).values(title="a core statement is invisible"))
    with Session(engine) as other, other.begin():
        other.add(Document())  # not an audited session
    assert log.events == []


def test_several_sessions_at_once(session_of: Maker, tmp_path: Any, log: RecordingClient) -> None:
    with session_of() as first, session_of() as second:
        first.add(Document(id=1))
        second.add(Document(id=2))
        second.flush()
        second.rollback()
        first.commit()
    assert [event.resource_id for event in log.events] == ["1"]


def test_one_session_may_commit_to_several_databases(engine: Engine, log: RecordingClient) -> None:
    other = with_savepoints(create_engine("sqlite://", poolclass=StaticPool))
    Base.metadata.create_all(other)
    made = sessionmaker(binds={Document: engine, Folder: other})
    auditor = audited(made, log, [Document, Folder])
    with made.begin() as session:
        session.add_all([Document(id=1), Folder(id=1, name="f")])
    with made() as session:
        session.get_one(Document, 1).title = "x"
        session.get_one(Folder, 1).name = "x"
        session.flush()
        session.rollback()
    auditor.remove()
    other.dispose()
    assert sorted(event.action for event in log.events) == ["document.created", "folder.created"]


@pytest.mark.parametrize("kind", ["class", "scoped", "session", "subclass"])
def test_every_kind_of_session_target_is_accepted(engine: Engine, log: RecordingClient, kind: str) -> None:
    class Own(Session):
        pass

    scoped = scoped_session(sessionmaker(engine))
    session = {"class": Session(engine), "scoped": scoped(), "session": Session(engine), "subclass": Own(engine)}[kind]
    target = {"class": Session, "scoped": scoped, "session": session, "subclass": Own}[kind]
    auditor = audited(target, log, [Document])
    session.add(Document())
    session.commit()
    auditor.remove()
    session.add(Document())
    session.commit()
    session.close()
    assert len(log.events) == 1
    assert session.info == {}


def test_names_tenants_and_metadata_of_a_model(engine: Engine, log: RecordingClient) -> None:
    made = sessionmaker(engine)
    options = AuditedModel(
        Document,
        name="paper",
        actions={"deleted": "paper.shredded"},
        tenant=lambda document: document.tenant,
        metadata=lambda document: {"via": "import"},
        mask={"title"},
    )
    auditor = audited(made, log, [options], tenant=lambda row: "never")
    with made.begin() as session:
        session.add(Document(id=1, tenant="globex", title="a person's name"))
    with made() as session:
        document = session.get_one(Document, 1)
        session.commit()  # the tenant is read even though it has expired
        session.delete(document)
        session.commit()
    auditor.remove()
    assert [(event.action, event.tenant_id, event.metadata["via"]) for event in log.events] == [
        ("paper.created", "globex", "import"), ("paper.shredded", "globex", "import")
    ]  # fmt: skip
    assert "person's" not in "".join(event.model_dump_json() for event in log.events)


def test_decorated_models_and_the_context_of_the_commit(engine: Engine, log: RecordingClient) -> None:
    audited_model(tenant=lambda row: None)(Folder)
    made = sessionmaker(engine)
    auditor = audit_models(made, client=log)  # type: ignore[arg-type]
    with made() as session:
        session.add(Folder(name="f"))
        with context(tenant="acme", actor="at the flush"):
            session.flush()
        with context(tenant="globex", actor="at the commit"):
            session.commit()
    auditor.remove()
    assert (log.only.tenant_id, log.only.actor_id) == ("globex", "at the commit")


def test_an_event_whose_tenant_cannot_be_determined_goes_to_the_catch_all(engine: Engine, log: RecordingClient) -> None:
    def broken(row: Any) -> str:
        raise LookupError("secret text")

    made = sessionmaker(engine)
    auditor = audited(made, log, [Document], tenant=broken)
    with made.begin() as session:
        session.add(Document())
    auditor.remove()
    assert log.only.tenant_id == "unassigned"
    assert ["LookupError" in str(error) and "secret" not in str(error) for error in log.errors] == [True]


def test_a_value_that_cannot_be_read_does_not_reach_the_application(
    engine: Engine, log: RecordingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sessionmaker(engine)
    auditor = audited(made, log, [Document])
    with made.begin() as session:
        session.add(Document(id=1))
    log.events.clear()
    monkeypatch.setattr("auditlane.integrations.sqlalchemy.rows.frozen", lambda value: 1 / 0)
    with context(tenant="acme"), made.begin() as session:
        session.get_one(Document, 1).title = "x"
    auditor.remove()
    assert (log.only.action, log.only.before, log.only.after) == ("document.updated", None, None)
    assert "ZeroDivisionError" in str(log.errors[0])


def test_a_huge_and_a_cyclic_value(session_of: Maker, log: RecordingClient) -> None:
    with session_of.begin() as session:
        session.add(Document(title="x" * 1_000_000, settings={"a": list(range(10_000))}))
    assert len(log.only.model_dump_json()) < 100_000


@pytest.mark.parametrize(
    ("target", "models", "field"),
    [(42, [Document], "target"), (Session, [int], "models"), (Session, [], "models")],
    ids=["no session", "no model", "none"],
)
def test_wrong_arguments_are_refused_with_a_fix(target: Any, models: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        audit_models(target, models)
    assert caught.value.field == field
    assert caught.value.fix


def test_loading_options_are_left_alone(session_of: Maker, log: RecordingClient) -> None:
    stored(session_of, log, title="a", body=b"b")
    with session_of.begin() as session:
        document = session.scalars(select(Document).options(undefer(Document.body))).one()
        session.delete(document)
    assert short(log.only)[2]["body"] == "<1 bytes>"
