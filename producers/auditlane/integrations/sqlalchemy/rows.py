"""Reads an object's columns before and after a flush writes it, without loading anything through the session."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, and_, select
from sqlalchemy.orm import InstanceState, Mapper

from auditlane.integrations.sqlalchemy.changes import Row, frozen


def columns(mapper: Mapper[Any], exclude: Collection[str] = ()) -> dict[str, Column[Any]]:
    """Return the mapped columns by attribute name, without SQL expressions."""
    found = ((prop.key, prop.columns[0]) for prop in mapper.column_attrs)
    return {key: column for key, column in found if isinstance(column, Column) and key not in exclude}


def row_of(mapper: Mapper[Any], state: InstanceState[Any]) -> Row:
    """Return the identity according to the object's current attributes."""
    keys = (state.dict.get(mapper.get_property_by_column(column).key) for column in mapper.primary_key)
    return mapper.base_mapper.class_, tuple(keys)


def stored_row_of(mapper: Mapper[Any], state: InstanceState[Any]) -> Row:
    """Return the identity that the object had when it was loaded."""
    return mapper.base_mapper.class_, tuple(state.identity or ())


def loaded(state: InstanceState[Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the attributes that can be read without SQL."""
    return {name: frozen(state.dict[name]) for name in names if name in state.dict}


def inserted(state: InstanceState[Any], names: Mapping[str, Column[Any]]) -> dict[str, Any]:
    """Return the columns of a row that was just inserted. Columns computed by the database may be missing."""
    unset = {name: None for name, column in names.items() if column.default is None and column.server_default is None}
    return unset | loaded(state, names)


def selected(connection: Connection, mapper: Mapper[Any], row: Row, wanted: dict[str, Column[Any]]) -> dict[str, Any]:
    """Return the columns' current values in the database, or {} if the row does not exist."""
    if not wanted:
        return {}
    where = and_(*(column == value for column, value in zip(mapper.primary_key, row[1], strict=True)))
    statement = select(*wanted.values()).select_from(mapper.persist_selectable).where(where)
    found = connection.execute(statement).first()
    return {} if found is None else dict(zip(wanted, (frozen(value) for value in found), strict=True))


class UpdateDiff:
    """The columns of one object before an UPDATE. `finish` compares them with the columns after it."""

    def __init__(
        self, connection: Connection, mapper: Mapper[Any], state: InstanceState[Any], names: dict[str, Column[Any]]
    ) -> None:
        """Read the old values. Values that were never loaded are selected from the database."""
        self._names = names
        self._before: dict[str, Any] = {}
        unknown: dict[str, Column[Any]] = {}
        for name, column in names.items():
            history = state.attrs[name].history
            if not history.has_changes():
                continue
            if history.deleted:
                self._before[name] = frozen(history.deleted[0])
            else:
                unknown[name] = column
        self._changed = {*self._before, *unknown}
        computed = {name: column for name, column in names.items() if _set_by_flush(mapper, column)}
        absent = {name: column for name, column in computed.items() if name not in {*state.dict, *self._changed}}
        found = selected(connection, mapper, stored_row_of(mapper, state), unknown | absent) if self._changed else {}
        self._before |= {name: found[name] for name in unknown if name in found}
        # Not copied, since the flush only writes attributes with a history, or replaces the value (defaults on update).
        others = {name: state.dict[name] for name in names if name in state.dict and name not in self._changed}
        self._others = others | {name: found[name] for name in absent if name in found}

    def finish(
        self, connection: Connection, mapper: Mapper[Any], state: InstanceState[Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the columns that the flush changed, before and after."""
        self._changed |= {
            name for name, value in self._others.items() if name in state.dict and state.dict[name] is not value
        }
        before = {name: self._before.get(name, self._others.get(name)) for name in self._changed}
        after = loaded(state, self._changed)
        expired = {name: self._names[name] for name in self._changed - after.keys()}  # it was set to an SQL expression
        return before, after | selected(connection, mapper, row_of(mapper, state), expired)


def _set_by_flush(mapper: Mapper[Any], column: Column[Any]) -> bool:
    """Return whether an UPDATE sets the column to a value computed by SQLAlchemy."""
    default = column.onupdate
    return column is mapper.version_id_col or (default is not None and (default.is_callable or default.is_scalar))


def before_delete(
    connection: Connection, mapper: Mapper[Any], state: InstanceState[Any], names: dict[str, Column[Any]]
) -> dict[str, Any]:
    """Return the columns of a row that is about to be deleted. Expired columns are selected from the database; deferred
    ones are omitted.
    """
    before: dict[str, Any] = {}
    missing: dict[str, Column[Any]] = {}
    for name, column in names.items():
        history = state.attrs[name].history
        if history.deleted:  # it was set, but not written
            before[name] = frozen(history.deleted[0])
        elif name in state.dict and not history.added:
            before[name] = frozen(state.dict[name])
        elif not mapper.attrs[name].deferred:
            missing[name] = column
    return before | selected(connection, mapper, stored_row_of(mapper, state), missing)
