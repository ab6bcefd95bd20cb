"""Determines the OCSF class and activity of an action.

An action outside the vocabulary belongs to API Activity, with an activity derived from the action's verb.
"""

from __future__ import annotations

import re
from typing import Final

from auditlane.contract.vocabulary import ACTIONS, OcsfClass
from auditlane.query.export.formats import OcsfVersion

API_ACTIVITY: Final = 6003
OTHER: Final = 99  # OCSF's code for "other" in every enumeration
_VERBS: Final = {
    1: ("created", "added", "inserted", "uploaded", "registered", "create", "add", "insert", "upload", "register"),
    2: (
        *("read", "viewed", "opened", "listed", "searched", "downloaded", "accessed", "get", "view", "open", "list"),
        *("search", "download", "access", "describe"),
    ),
    3: (
        *("updated", "changed", "edited", "modified", "renamed", "moved", "set", "update", "change", "edit", "modify"),
        *("rename", "move", "put"),
    ),
    4: ("deleted", "removed", "destroyed", "purged", "erased", "delete", "remove", "destroy", "purge", "erase"),
}
_ACTIVITIES: Final = {verb: activity for activity, verbs in _VERBS.items() for verb in verbs}
_SEPARATOR: Final = re.compile("[.:/]")
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def activity_of(action: str, version: OcsfVersion) -> OcsfClass:
    """Return the class and activity of an action, such as `document.deleted` or `DeleteRole`, in a version of OCSF."""
    known = ACTIONS.get(action)
    found = known and (known.ocsf_1_8 if version is OcsfVersion.v1_8_0 else known.ocsf_1_9)
    if found:
        return found
    if activity := _ACTIVITIES.get(action.rpartition(".")[2]):
        return OcsfClass(API_ACTIVITY, activity)
    words = _WORD.findall(_SEPARATOR.split(action)[-1])
    # A participle comes last (`line_added`), an imperative first (`addLine`).
    verbs = (_ACTIVITIES.get(word.lower()) for word in (*words[-1:], *words[:1]))
    return OcsfClass(API_ACTIVITY, next(filter(None, verbs), OTHER))
