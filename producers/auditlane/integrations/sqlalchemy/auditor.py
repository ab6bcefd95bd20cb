"""Listens to sessions and mappers, and records a transaction's changes once it is committed."""

from __future__ import annotations

import functools
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Concatenate, Final, ParamSpec

from sqlalchemy import Connection, Result, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstanceState, Mapper, ORMExecuteState, Session, SessionTransaction, class_mapper
from sqlalchemy.orm.attributes import instance_state

from auditlane.integrations.sqlalchemy.changes import Bulk, Change, Changes, Kind, Row
from auditlane.integrations.sqlalchemy.models import AuditedModel, decorated, of_class
from auditlane.integrations.sqlalchemy.rows import (
    UpdateDiff,
    before_delete,
    columns,
    inserted,
    loaded,
    row_of,
    stored_row_of,
)
from auditlane.integrations.sqlalchemy.sessions import SessionTarget, listening_target
from auditlane.integrations.sqlalchemy.statements import kind_of, sql_of, with_row_count
from auditlane.runtime.errors import ConfigError
from auditlane.sdk import AuditClient, audit

_P = ParamSpec("_P")

_MAPPER_EVENTS: Final = (
    *("before_insert", "after_insert", "before_update", "after_update", "before_delete", "after_delete"),
)
_SESSION_EVENTS: Final = ("after_transaction_create", "after_transaction_end", "after_commit", "do_orm_execute")


def _quietly(
    method: Callable[Concatenate[Auditor, _P], None],
) -> Callable[Concatenate[Auditor, _P], None]:
    """Keep a listener's errors out of the application's flush or commit. They are counted and reported instead."""

    @functools.wraps(method)
    def call(self: Auditor, /, *given: _P.args, **named: _P.kwargs) -> None:
        try:
            method(self, *given, **named)
        except Exception as error:
            self._client.report_unrecorded(error)

    return call


class Auditor:
    """Records changes to chosen models in chosen sessions. Created by `audit_models`."""

    def __init__(
        self,
        target: SessionTarget,
        models: Iterable[AuditedModel],
        client: AuditClient,
        tenant: Callable[[Any], object] | None,
    ) -> None:
        self._sessions = listening_target(target)
        self._models = {model.model: model for model in models}
        self._client = client
        self._tenant = tenant
        self._open: weakref.WeakKeyDictionary[SessionTransaction, Changes] = weakref.WeakKeyDictionary()
        self._updates: weakref.WeakKeyDictionary[InstanceState[Any], UpdateDiff | Exception] = (
            weakref.WeakKeyDictionary()
        )
        self._gone: weakref.WeakKeyDictionary[InstanceState[Any], Change] = weakref.WeakKeyDictionary()
        for name in _SESSION_EVENTS:
            event.listen(self._sessions, name, getattr(self, f"_{name}"))
        for model in self._models:
            for name in _MAPPER_EVENTS:
                event.listen(model, name, getattr(self, f"_{name}"), raw=True, propagate=True)

    def remove(self) -> None:
        """Stop listening. Changes in open transactions are not recorded."""
        for name in _SESSION_EVENTS:
            event.remove(self._sessions, name, getattr(self, f"_{name}"))
        for model in self._models:
            for name in _MAPPER_EVENTS:
                event.remove(model, name, getattr(self, f"_{name}"))

    # Transactions: each keeps its own changes; releasing a savepoint passes them to the enclosing transaction.

    @_quietly
    def _after_transaction_create(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None or transaction.nested:
            self._open[transaction] = Changes()

    @_quietly
    def _after_transaction_end(self, session: Session, transaction: SessionTransaction) -> None:
        self._open.pop(transaction, None)  # still present after a rollback

    @_quietly
    def _after_commit(self, session: Session) -> None:
        transaction = session.get_nested_transaction() or session.get_transaction()
        changes = self._open.pop(transaction, None) if transaction is not None else None
        if transaction is None or changes is None:
            return
        if not transaction.nested:
            self._record(changes)
        elif (around := self._changes(transaction.parent)) is not None:
            around.merge(changes)

    def _changes(self, transaction: SessionTransaction | None) -> Changes | None:
        while transaction is not None:
            if (found := self._open.get(transaction)) is not None:
                return found
            transaction = transaction.parent  # a flush's own transaction, or a savepoint still being set up
        return None

    def _changes_of(self, session: Session | None) -> Changes | None:
        """Return the collector of a session's changes, or None if the session is not audited."""
        if session is None:
            return None
        return self._changes(session.get_nested_transaction() or session.get_transaction())

    # Flushes: the mapper's listeners see every row written, including rows reached by cascades.

    @_quietly
    def _before_insert(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        self._gone.pop(state, None)  # left by a failed flush
        session = state.session
        key = row_of(mapper, state)[1]
        if session is None or self._changes_of(session) is None or None in key:
            return
        replaced = session.identity_map.get(mapper.identity_key_from_primary_key(key))
        if replaced is not None:  # SQLAlchemy turns DELETE and INSERT of one primary key into an UPDATE
            gone = self._deletion(instance_state(replaced), connection)
            if gone is not None and gone.before:
                self._gone[state] = gone

    @_quietly
    def _after_insert(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        changes, model = self._changes_of(state.session), self._model(mapper)
        if changes is None or model is None:
            return
        names = columns(mapper, model.exclude)
        row = row_of(mapper, state)
        if (gone := self._gone.pop(state, None)) is None:
            changes.add(self._change(model, "created", None, row, {}, inserted(state, names), state))
            return
        after = loaded(state, gone.before)  # an UPDATE leaves columns unchanged that the new object does not set
        before = {name: gone.before[name] for name in after}
        changes.add(self._change(model, "updated", gone.row, row, before, after, state, gone.problem))

    @_quietly
    def _before_update(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        self._gone.pop(state, None)  # left by a failed deletion
        model = self._model(mapper)
        if model is None or self._changes_of(state.session) is None:
            return
        try:
            self._updates[state] = UpdateDiff(connection, mapper, state, columns(mapper, model.exclude))
        except Exception as error:
            self._updates[state] = error

    @_quietly
    def _after_update(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        if state in self._gone:
            self._after_insert(mapper, connection, state)
            return
        changes, model, update = self._changes_of(state.session), self._model(mapper), self._updates.pop(state, None)
        if changes is None or model is None or update is None:
            return
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        problem = update if isinstance(update, Exception) else None
        if isinstance(update, UpdateDiff):
            try:
                before, after = update.finish(connection, mapper, state)
            except Exception as error:
                problem = error
        if after or problem:
            rows = stored_row_of(mapper, state), row_of(mapper, state)
            changes.add(self._change(model, "updated", *rows, before, after, state, problem))

    @_quietly
    def _before_delete(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        if self._changes_of(state.session) is not None and (gone := self._deletion(state, connection)) is not None:
            self._gone[state] = gone

    @_quietly
    def _after_delete(self, mapper: Mapper[Any], connection: Connection, state: InstanceState[Any]) -> None:
        changes, gone = self._changes_of(state.session), self._gone.pop(state, None)
        if changes is not None and gone is not None:
            changes.add(gone)

    def _deletion(self, state: InstanceState[Any], connection: Connection) -> Change | None:
        mapper = state.mapper
        if (model := self._model(mapper)) is None:
            return None
        before: dict[str, Any] = {}
        problem: Exception | None = None
        try:
            before = before_delete(connection, mapper, state, columns(mapper, model.exclude))
        except Exception as error:
            problem = error
        row = stored_row_of(mapper, state)
        return self._change(model, "deleted", row, row, before, {}, state, problem)

    # Statements

    def _do_orm_execute(self, execution: ORMExecuteState) -> Result[Any] | None:
        kind = kind_of(execution)
        mapper = execution.bind_mapper
        model = self._model(mapper) if kind is not None and mapper is not None else None
        if kind is None or model is None:
            return None
        result: Result[Any] = execution.invoke_statement()
        rows, result = with_row_count(execution, result)
        self._add_bulk(execution, model, kind, rows)
        return result

    @_quietly
    def _add_bulk(self, execution: ORMExecuteState, model: AuditedModel, kind: Kind, rows: int | None) -> None:
        changes = self._changes_of(execution.session)
        if changes is not None and rows != 0:
            changes.add(Bulk(model, kind, rows, sql_of(execution.statement)))

    # Events

    def _model(self, mapper: Mapper[Any]) -> AuditedModel | None:
        return next((self._models[kind] for kind in mapper.class_.__mro__ if kind in self._models), None)

    def _change(
        self,
        model: AuditedModel,
        kind: Kind,
        origin: Row | None,
        row: Row,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        state: InstanceState[Any],
        problem: Exception | None = None,
    ) -> Change:
        """Create a change record.

        Calls the application's functions now, while the object can still be read, and keeps their results.
        """
        tenant: str | None = None
        metadata: Mapping[str, Any] = {}
        target = state.obj()
        try:
            if (of_object := model.tenant or self._tenant) is not None:
                tenant = _text(of_object(target))
            if model.metadata is not None:
                metadata = dict(model.metadata(target))
        except Exception as error:
            problem = error
        return Change(model, kind, origin, row, before, after, tenant, metadata, problem)

    def _record(self, changes: Changes) -> None:
        transaction = uuid.uuid4().hex
        for entry in changes.settled():
            try:
                self._record_entry(entry, transaction)
            except Exception as error:  # the other changes are still recorded
                self._client.report_unrecorded(error)

    def _record_entry(self, entry: Change | Bulk, transaction: str) -> None:
        if isinstance(entry, Bulk):
            metadata = {"transaction": transaction, "rows": entry.rows, "statement": entry.statement}
            self._client.record(
                action=entry.model.action(entry.kind),
                resource=entry.model.resource,
                outcome="success",
                metadata={name: value for name, value in metadata.items() if value is not None},
            )
        else:
            if entry.problem is not None:
                self._client.report_resolver(entry.problem)
            self._record_change(entry, transaction)

    def _record_change(self, change: Change, transaction: str) -> None:
        named: dict[str, Any] = {} if change.tenant is None else {"tenant_id": change.tenant}
        metadata = {"transaction": transaction, **(change.metadata or {})}
        if change.kind == "updated":
            metadata.setdefault("fields", ", ".join(sorted(change.after)))
        before = None if change.kind == "created" else change.before
        after = None if change.kind == "deleted" else change.after
        key = change.origin if change.kind == "deleted" and change.origin is not None else change.row
        self._client.record(
            action=change.model.action(change.kind),
            resource=change.model.resource,
            resource_id=",".join(_text(value) or "" for value in key[1]),
            outcome="success",
            metadata=metadata,
            **named,
            **self._client.diff(before, after, mask=change.model.mask),
        )


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.hex() if isinstance(value, bytes) else str(value)


def audit_models(
    target: SessionTarget,
    models: Iterable[type[Any] | AuditedModel] | None = None,
    *,
    client: AuditClient = audit,
    tenant: Callable[[Any], object] | None = None,
) -> Auditor:
    """Record the changes that these sessions commit to rows of the chosen models.

        audit_models(Session, [User, Document], tenant=lambda row: row.tenant_id)

    Each row that a transaction creates, updates or deletes becomes one event after the commit, with its columns before
    and after. Changes that are rolled back, even to a savepoint, are not recorded. A bulk statement, such as
    `update(Document)`, becomes one event with the number of rows.

    Args:
        target: A Session or AsyncSession class, a `sessionmaker` or `async_sessionmaker`, or one session.
        models: Mapped classes, or AuditedModel to give one its options; default: those that `audited_model` marks.
        client: The client that records; default: the process's default client.
        tenant: Called with each object inside the flush; returns the tenant's id, or None for that of the context.

    Returns:
        The auditor, whose `remove` ends the recording.

    Raises:
        ConfigError: `target` is not one of those, or a model is not a mapped class.
    """
    chosen = decorated() if models is None else [_option(model) for model in models]
    if not chosen:
        raise ConfigError(
            "audit_models() was called without models, and no class is marked with @audited_model().",
            field="models",
            fix="Pass mapped classes, or mark them.",
        )
    return Auditor(target, chosen, client, tenant)


def _option(model: type[Any] | AuditedModel) -> AuditedModel:
    option = model if isinstance(model, AuditedModel) else of_class(model)
    try:
        class_mapper(option.model)
    except (SQLAlchemyError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"audit_models() was given {option.model!r:.120}, which is not a mapped class.",
            field="models",
            fix="Pass classes that SQLAlchemy maps, such as subclasses of a declarative base.",
        ) from error
    return option
