"""The action catalogue: built-in actions, and the texts that an environment adds. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from auditlane.contract.sentence import Templates
from auditlane.contract.vocabulary.labels import LABELS, Label
from auditlane.contract.vocabulary.sentences import SENTENCES
from auditlane.runtime.errors import InvalidInput, NotFound
from auditlane.store.presentation import ActionLabel, NamedAction

MAX_ACTIONS: Final = 500  # maximum number of an environment's own actions


def _stored(label: Label) -> ActionLabel:
    return ActionLabel(en=label.en, de=label.de)


def _built_in(name: str) -> NamedAction:
    label, sentence = _stored(LABELS[name]), SENTENCES.get(name)
    if sentence is None:
        return NamedAction(name=name, label=label)
    return NamedAction(name=name, label=label, sentence=_stored(sentence.done), attempted=_stored(sentence.attempted))


BUILT_IN: Final = {name: _built_in(name) for name in sorted(LABELS)}


def catalogue(own: Iterable[NamedAction]) -> list[tuple[NamedAction, bool]]:
    """Return every action, sorted by name, each with whether the environment defines it.

    The environment's label replaces a built-in label. Its sentence replaces the built-in sentences for both outcomes.
    """
    known = {name: (action, False) for name, action in BUILT_IN.items()}
    return sorted((known | {action.name: (_completed(action), True) for action in own}).values(), key=_name)


def templates_of(own: Iterable[NamedAction], language: str) -> dict[str, Templates]:
    """Return the templates of all known actions in one language, keyed by action name, as `contract.sentence` expects
    them.
    """
    return {action.name: _templates(action, language) for action, _ in catalogue(own)}


def _templates(action: NamedAction, language: str) -> Templates:
    texts = (action.label, action.sentence, action.attempted)
    return Templates(*(None if text is None else str(getattr(text, language)) for text in texts))


def _completed(action: NamedAction) -> NamedAction:
    built_in = BUILT_IN.get(action.name)
    if built_in is None or action.sentence is not None:
        return action
    attempted = action.attempted or built_in.attempted
    return action.model_copy(update={"sentence": built_in.sentence, "attempted": attempted})


def _name(entry: tuple[NamedAction, bool]) -> str:
    return entry[0].name


def with_actions(own: Sequence[NamedAction], given: Sequence[NamedAction]) -> tuple[NamedAction, ...]:
    """Return the environment's actions with the given ones added or replaced. Raises InvalidInput if there are more
    than MAX_ACTIONS.
    """
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
    """Return the environment's actions without this one. Raises NotFound if there is no such action."""
    after = tuple(action for action in own if action.name != name)
    if len(after) == len(own):
        raise NotFound(f"The environment has no action {name} of its own.", fix="List the actions with GET …/actions.")
    return after


def changes(before: Iterable[NamedAction], after: Iterable[NamedAction]) -> list[dict[str, Any]]:
    """Return the changes as the history shows them, one per action, sorted by name.

    The values of a label are keyed by language, and those of templates by `sentence.<language>` and
    `attempted.<language>`.
    """
    was, now = ({action.name: _texts(action) for action in actions} for actions in (before, after))
    found: list[dict[str, Any]] = []
    for name in sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name)):
        old, new = was.get(name, {}), now.get(name, {})
        kind = "changed" if old and new else "added" if new else "removed"
        differing = {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}
        found.append({"kind": kind, "field": None, "action": name, "values": differing})
    return found


def _texts(action: NamedAction) -> dict[str, str]:
    texts = {"": action.label, "sentence.": action.sentence, "attempted.": action.attempted}
    return {f"{of}{key}": value for of, text in texts.items() if text for key, value in text.model_dump().items()}
