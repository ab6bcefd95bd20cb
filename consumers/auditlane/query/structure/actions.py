"""The catalogue of actions: the built-in ones, and the labels that an environment adds, as pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from auditlane.contract.vocabulary.labels import LABELS
from auditlane.runtime.errors import InvalidInput, NotFound
from auditlane.store.presentation import ActionLabel, NamedAction

MAX_ACTIONS: Final = 500  # maximum number of an environment's own actions
BUILT_IN: Final = tuple(
    NamedAction(name=name, label=ActionLabel(en=label.en, de=label.de)) for name, label in sorted(LABELS.items())
)


def catalogue(own: Iterable[NamedAction]) -> list[tuple[NamedAction, bool]]:
    """Return (action, whether it is the environment's own) by name. The environment's label replaces a built-in one."""
    labelled = {action.name: (action, False) for action in BUILT_IN} | {action.name: (action, True) for action in own}
    return sorted(labelled.values(), key=lambda entry: entry[0].name)


def with_actions(own: Sequence[NamedAction], given: Sequence[NamedAction]) -> tuple[NamedAction, ...]:
    """Return the environment's actions with the given ones added or replaced. Raises InvalidInput above MAX_ACTIONS."""
    names = [action.name for action in given]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(f"Action {name} is listed twice.", field=f"actions.{place}.name", fix="List it once.")
    after = {action.name: action for action in (*own, *given)}
    if len(after) > max(MAX_ACTIONS, len(own)):
        raise InvalidInput(
            f"The environment would have {len(after)} actions of its own; the limit is {MAX_ACTIONS}.",
            field="actions",
            fix="Remove actions that are no longer needed.",
        )
    return tuple(sorted(after.values(), key=lambda action: action.name))


def without_action(own: Sequence[NamedAction], name: str) -> tuple[NamedAction, ...]:
    """Return the environment's actions except this one. Raises NotFound."""
    after = tuple(action for action in own if action.name != name)
    if len(after) == len(own):
        raise NotFound(f"The environment has no action {name} of its own.", fix="List the actions with GET …/actions.")
    return after


def changes(before: Iterable[NamedAction], after: Iterable[NamedAction]) -> list[dict[str, Any]]:
    """Return the changes as the history lists them, one for each action, in the order of their names."""
    was, now = ({action.name: action.label for action in actions} for actions in (before, after))
    found: list[dict[str, Any]] = []
    for name in sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name)):
        old, new = ({} if label is None else label.model_dump() for label in (was.get(name), now.get(name)))
        kind = "changed" if old and new else "added" if new else "removed"
        values = {language: (old.get(language), new.get(language)) for language in old | new}
        differing = {language: pair for language, pair in values.items() if pair[0] != pair[1]}
        found.append({"kind": kind, "field": None, "action": name, "values": differing})
    return found
