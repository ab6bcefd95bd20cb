"""What a scope's readers see, and each change of it, as functions of revisions: nothing here reaches a store.

A scope keeps only what it says differently from what is below it (the defaults; for a tenant the environment too), so
that everything else goes on following.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from auditlane.runtime.errors import FieldConflict, InvalidInput, NotFound
from auditlane.store.presentation import ENVIRONMENT, FieldView, Revision, overlay

Origin = Literal["default", "environment", "tenant"]
_NOBODY = Revision(scope="")


@dataclass(frozen=True, slots=True)
class ScopeState:
    """A scope's state: `own` is its newest revision, `environment` the environment's (the same for the environment)."""

    environment: Revision
    own: Revision

    @property
    def below(self) -> dict[str, FieldView]:
        """What the scope inherits, by name."""
        under = _NOBODY if self.own.scope == ENVIRONMENT else self.environment
        return {one.name: one for one in overlay(under, _NOBODY)[1]}

    @property
    def fields(self) -> dict[str, FieldView]:
        """Every field by name, in their order, removed ones too."""
        own = _NOBODY if self.own.scope == ENVIRONMENT else self.own
        return {one.name: one for one in overlay(self.environment, own)[1]}

    @property
    def enabled(self) -> bool:
        """The switch in effect."""
        return overlay(self.environment, _NOBODY if self.own.scope == ENVIRONMENT else self.own)[0]

    @property
    def inherited_enabled(self) -> bool:
        """The switch in effect when the scope's own says nothing."""
        return overlay(_NOBODY if self.own.scope == ENVIRONMENT else self.environment, _NOBODY)[0]

    @property
    def etag(self) -> str:
        """Changes whenever what is shown may have changed."""
        if self.own.scope == ENVIRONMENT:
            return f'"{self.own.revision}"'
        return f'"{self.environment.revision}.{self.own.revision}"'

    def origin(self, name: str) -> Origin:
        """Who said last how a field is shown."""
        if self.own.scope != ENVIRONMENT and any(one.name == name for one in self.own.fields):
            return "tenant"
        return "environment" if any(one.name == name for one in self.environment.fields) else "default"


def replaced(state: ScopeState, given: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[FieldView, ...]:
    """The scope's own fields when `given`, (name, what is stated of it), is how its fields are to be shown.

    What is left out of a field stays as it is. An inherited field that is left out is shown as it is inherited; one of
    the scope's own stays. Raises InvalidInput for a field that is not there.
    """
    present, below = state.fields, state.below
    own = {one.name: one for one in state.own.fields if one.hidden is not None or one.name not in below}
    seen: set[str] = set()
    for place, (name, stated) in enumerate(given):
        if name in seen:
            raise InvalidInput(f"The field {name} is there twice.", field=f"fields.{place}.name", fix="Name it once.")
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
    """The scope's own fields when this one is shown, also if it was removed before."""
    below = state.below
    here = below.get(view.name)
    view = view.model_copy(update={"hidden": False if here is not None and here.hidden else None})
    return _kept({one.name: one for one in state.own.fields} | {view.name: view}, below)


def without_view(state: ScopeState, name: str) -> tuple[FieldView, ...]:
    """The scope's own fields when this one is removed. Raises NotFound, and FieldConflict for a base event's field."""
    here = state.fields.get(name)
    if here is None or here.hidden:
        raise NotFound(f"There is no field {name}.", fix="GET the structure lists the fields.")
    if not here.custom:
        raise FieldConflict(
            f"{name} is a field of every event and cannot be removed.",
            field="name",
            fix="Set showInTable, showInMoreInfo and downloadable to false instead.",
        )
    toggles = dict.fromkeys(("show_in_table", "show_in_more_info", "downloadable", "filterable", "sortable"), False)
    removed = here.model_copy(update=toggles | {"hidden": True})
    return _kept({one.name: one for one in state.own.fields} | {name: removed}, state.below)


def next_order(state: ScopeState) -> int:
    """The place after the last field."""
    return max((one.order for one in state.fields.values()), default=-1) + 1


def changes(before: ScopeState, after: ScopeState) -> list[dict[str, Any]]:
    """What one revision changed, a line for each field and one for the switch: names as in JSON, (old, new) each.

    Values are those that were and are in effect, inherited ones too. `kind`: added (a new field), removed, restored,
    changed, reset (inherited again).
    """
    found: list[dict[str, Any]] = []
    if before.own.enabled != after.own.enabled:
        switched = before.own.enabled, after.own.enabled
        found.append({"kind": "switched", "field": None, "values": {"enabled": switched}})
    said = {one.name: one for one in before.own.fields}, {one.name: one for one in after.own.fields}
    was, now = before.fields, after.fields
    for name in sorted(name for name in said[0].keys() | said[1].keys() if said[0].get(name) != said[1].get(name)):
        old, new = _said(was.get(name)), _said(now.get(name))
        values = {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}
        kind = _kind(was.get(name), now.get(name), inherited=name not in said[1])
        if values or kind == "reset":
            found.append({"kind": kind, "field": name, "values": values})
    return found


def sequence(before: ScopeState, after: ScopeState) -> tuple[list[str], list[str]] | None:
    """The names of the fields that are shown, as they stood and as they stand; None when none moved."""
    was, now = _standing(before), _standing(after)
    if [one for one in was if one in now] == [one for one in now if one in was]:
        return None
    return was, now


def _standing(state: ScopeState) -> list[str]:
    return [one.name for one in state.fields.values() if not one.hidden]


def _kind(old: FieldView | None, new: FieldView | None, *, inherited: bool) -> str:
    gone, there = old is not None and old.hidden, new is not None and not new.hidden
    if not there:
        return "changed" if gone else "removed"
    if old is None:
        return "added"
    return "restored" if gone else "reset" if inherited else "changed"


def _said(view: FieldView | None) -> dict[str, Any]:
    dumped = view.model_dump(by_alias=True, mode="json", exclude={"name"}) if view else {}
    return {key: value for key, value in dumped.items() if value is not None}


def _kept(own: Mapping[str, FieldView], below: Mapping[str, FieldView]) -> tuple[FieldView, ...]:
    """Only what differs from what is inherited, in the fields' order."""
    differing = [one for one in own.values() if one != below.get(one.name)]
    return tuple(sorted(differing, key=lambda one: (one.order, one.name)))
