"""Computes the fields that the readers in a scope see, and changes to them, as pure functions of revisions.

A scope stores only its differences from the scopes below it: the defaults and, for a tenant, the environment.
Everything else follows later changes in those scopes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from auditlane.query.structure import actions
from auditlane.runtime.errors import FieldConflict, InvalidInput, NotFound
from auditlane.store.presentation import ENVIRONMENT, FieldView, Revision, overlay

Origin = Literal["default", "environment", "tenant"]
_EMPTY = Revision(scope="")


@dataclass(frozen=True, slots=True)
class ScopeState:
    """The state of a scope. `own` is its newest revision. `environment` is the environment's newest revision, and may
    be the same.
    """

    environment: Revision
    own: Revision

    @property
    def below(self) -> dict[str, FieldView]:
        """The inherited fields, by name."""
        under = _EMPTY if self.own.scope == ENVIRONMENT else self.environment
        return {view.name: view for view in overlay(under, _EMPTY)[1]}

    @property
    def fields(self) -> dict[str, FieldView]:
        """Every field by name, in display order, including removed fields."""
        own = _EMPTY if self.own.scope == ENVIRONMENT else self.own
        return {view.name: view for view in overlay(self.environment, own)[1]}

    @property
    def enabled(self) -> bool:
        """The switch in effect."""
        return overlay(self.environment, _EMPTY if self.own.scope == ENVIRONMENT else self.own)[0]

    @property
    def inherited_enabled(self) -> bool:
        """The switch that is in effect if the scope's own switch is null."""
        return overlay(_EMPTY if self.own.scope == ENVIRONMENT else self.environment, _EMPTY)[0]

    @property
    def etag(self) -> str:
        """The entity tag, which changes with the scope and the settings that it inherits."""
        if self.own.scope == ENVIRONMENT:
            return f'"{self.own.revision}"'
        return f'"{self.environment.revision}.{self.own.revision}"'

    def origin(self, name: str) -> Origin:
        """Return the scope that determines how a field is shown."""
        if self.own.scope != ENVIRONMENT and any(view.name == name for view in self.own.fields):
            return "tenant"
        return "environment" if any(view.name == name for view in self.environment.fields) else "default"


def replaced(state: ScopeState, given: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[FieldView, ...]:
    """Return the scope's own fields after applying `given`, a list of (name, given attributes).

    Omitted attributes stay unchanged. An inherited field that is omitted is reset to its inherited state. A field of
    the scope's own that is omitted stays unchanged. Raises InvalidInput for an unknown or removed field.
    """
    present, below = state.fields, state.below
    own = {view.name: view for view in state.own.fields if view.hidden is not None or view.name not in below}
    seen: set[str] = set()
    for place, (name, stated) in enumerate(given):
        if name in seen:
            raise InvalidInput(f"Field {name} is listed twice.", field=f"fields.{place}.name", fix="List it once.")
        seen.add(name)
        here = present.get(name)
        if here is None or here.hidden:
            raise InvalidInput(
                f"The field {name} was removed." if here else f"There is no field {name}.",
                field=f"fields.{place}.name",
                fix="Add it with POST …/fields first.",
            )
        own[name] = here.model_copy(update=dict(stated))
    return _kept(own, below)


def with_view(state: ScopeState, view: FieldView) -> tuple[FieldView, ...]:
    """Return the scope's own fields with this one shown, even if it was removed."""
    below = state.below
    here = below.get(view.name)
    view = view.model_copy(update={"hidden": False if here is not None and here.hidden else None})
    return _kept({own.name: own for own in state.own.fields} | {view.name: view}, below)


def without_view(state: ScopeState, name: str) -> tuple[FieldView, ...]:
    """Return the scope's own fields without this one. Raises NotFound if there is no such field, and FieldConflict for
    a base field.
    """
    here = state.fields.get(name)
    if here is None or here.hidden:
        raise NotFound(f"There is no field {name}.", fix="List the fields with GET …/structure.")
    if not here.custom:
        raise FieldConflict(
            f"{name} is a field of every event and cannot be removed.",
            field="name",
            fix="Set showInTable, showInMoreInfo and downloadable to false instead.",
        )
    toggles = dict.fromkeys(("show_in_table", "show_in_more_info", "downloadable", "filterable", "sortable"), False)
    removed = here.model_copy(update=toggles | {"hidden": True})
    return _kept({own.name: own for own in state.own.fields} | {name: removed}, state.below)


def next_order(state: ScopeState) -> int:
    """Return the display order of a new field, which is after the last field."""
    return max((view.order for view in state.fields.values()), default=-1) + 1


def changes(before: ScopeState, after: ScopeState) -> list[dict[str, Any]]:
    """Return the changes in a revision, one per field or action and one for the switch. Members are named as in JSON.

    A value is a pair (old, new) of the values in effect, including inherited values. For an action, they are only its
    own labels. `kind` is added (a new field or action), removed, restored, changed, reset (inherited again) or
    switched.
    """
    found: list[dict[str, Any]] = []
    if before.own.enabled != after.own.enabled:
        switched = before.own.enabled, after.own.enabled
        found.append({"kind": "switched", "field": None, "values": {"enabled": switched}})
    own_before, own_after = ({view.name: view for view in state.own.fields} for state in (before, after))
    was, now = before.fields, after.fields
    names = own_before.keys() | own_after.keys()
    for name in sorted(name for name in names if own_before.get(name) != own_after.get(name)):
        old, new = _attributes(was.get(name)), _attributes(now.get(name))
        values = {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}
        kind = _kind_of_change(was.get(name), now.get(name), inherited=name not in own_after)
        if values or kind == "reset":
            found.append({"kind": kind, "field": name, "values": values})
    return found + actions.changes(before.own.actions, after.own.actions)


def sequence(before: ScopeState, after: ScopeState) -> tuple[list[str], list[str]] | None:
    """Return the names of the shown fields in their old and new order, or None if no field moved."""
    was, now = _shown_names(before), _shown_names(after)
    if [name for name in was if name in now] == [name for name in now if name in was]:
        return None
    return was, now


def _shown_names(state: ScopeState) -> list[str]:
    return [view.name for view in state.fields.values() if not view.hidden]


def _kind_of_change(old: FieldView | None, new: FieldView | None, *, inherited: bool) -> str:
    gone, there = old is not None and old.hidden, new is not None and not new.hidden
    if not there:
        return "changed" if gone else "removed"
    if old is None:
        return "added"
    return "restored" if gone else "reset" if inherited else "changed"


def _attributes(view: FieldView | None) -> dict[str, Any]:
    dumped = view.model_dump(by_alias=True, mode="json", exclude={"name"}) if view else {}
    return {key: value for key, value in dumped.items() if value is not None}


def _kept(own: Mapping[str, FieldView], below: Mapping[str, FieldView]) -> tuple[FieldView, ...]:
    """Return only the fields that differ from the inherited ones, in sorted order."""
    differing = [view for view in own.values() if view != below.get(view.name)]
    return tuple(sorted(differing, key=lambda view: (view.order, view.name)))
