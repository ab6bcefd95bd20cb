"""Their description of the columns, and ours: one is made of the other, and what only theirs has is kept beside it.

Pure. A property stands for the field that its name means; a property that means none (a key of the metadata) is theirs
alone, as are the theme and every member that we do not know.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.frontegg import ACTORS, NAMES
from auditlane.runtime.errors import InvalidInput
from auditlane.store.presentation import PROVENANCE, DisplayType, FieldView, one_line

ENTITY: Final = "audits"
MAX_PROPERTIES: Final = 500  # properties
_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_URL, "auditlane:metadata:audits"))
_OURS: Final = {**NAMES, **dict.fromkeys(ACTORS, "actor_name")}
_THEIRS: Final = {ours: theirs for theirs, ours in NAMES.items()}
_NEVER: Final = (False, None, "", "Never", "never")
_BOOLS: Final = {"sortable": "sortable", "filterable": "filterable", "showInTable": "show_in_table"}
_NO_COLUMNS: Final = frozenset({"metadata", *PROVENANCE})  # its keys are columns themselves; they know no provenance
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


def shown(
    stored: Mapping[str, Any], fields: Iterable[FieldView], *, vendor: str, changed_at: datetime | None
) -> dict[str, Any]:
    """The document that clients get. `stored` was saved last, `fields` says how the columns are shown now."""
    properties = _properties(stored)
    by_field = _by_field(properties)
    fields = [one for one in fields if one.name not in _NO_COLUMNS]
    placed: list[tuple[int, dict[str, Any]]] = []
    for field in fields:
        saved = by_field.get(field.name)
        # Once a document was saved, it says which columns there are; one that is shown since then is there as well.
        if not field.hidden and (saved is not None or not properties or field.show_in_table):
            placed.append((field.order, _property(field, saved)))
    told = {id(by_field.get(field.name)) for field in fields}
    placed += [(place, one) for place, one in enumerate(properties) if id(one) not in told]
    times = {"createdAt": _time(None), "updatedAt": _time(changed_at)}
    ordered = [one for _, one in sorted(placed, key=lambda pair: pair[0])]
    return {
        "id": _ID,
        **stored,
        **times,
        "vendorId": vendor,
        "entityName": ENTITY,
        "properties": ordered,
        "theme": stored.get("theme", {}),
    }


def kept(document: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What to store of a document: one without `properties` leaves those that are stored."""
    return {"properties": stored["properties"]} | dict(document) if "properties" in stored else dict(document)


def stated(document: Mapping[str, Any], fields: Iterable[FieldView]) -> list[tuple[str, dict[str, Any]]] | None:
    """(field, what the document says of it) for every field; those that it does not list are no columns.

    None for a document without `properties`: it says nothing of any field. Raises InvalidInput for one that is none.
    """
    if "properties" not in document:
        return None
    by_field = _by_field(_checked(document))
    places = {id(one): place for place, one in enumerate(_properties(document))}
    said: list[tuple[str, dict[str, Any]]] = []
    for field in fields:
        if field.hidden or field.name in _NO_COLUMNS:
            continue
        one = by_field.get(field.name)
        said.append((field.name, {"show_in_table": False} if one is None else _view(one) | {"order": places[id(one)]}))
    return said


def _checked(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = document["properties"]
    if not isinstance(given, list) or len(given) > MAX_PROPERTIES:
        raise InvalidInput(f"properties must be a list of at most {MAX_PROPERTIES}.", field="properties")
    for place, one in enumerate(given):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not one["name"]:
            raise InvalidInput("A property is an object with a name.", field=f"properties.{place}.name")
    return given


def _properties(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("properties", []))


def _meant(one: Mapping[str, Any]) -> str | None:
    """The field of every event that a property stands for."""
    return _OURS.get(one["name"])


def _by_field(properties: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first property of each field; any other name may be a field that was added."""
    found: dict[str, dict[str, Any]] = {}
    for one in properties:
        found.setdefault(_meant(one) or one["name"], one)
    return found


def _view(one: Mapping[str, Any]) -> dict[str, Any]:
    """What a property says of how a field is shown."""
    said: dict[str, Any] = {ours: bool(one[theirs]) for theirs, ours in _BOOLS.items() if theirs in one}
    label, kind = one.get("displayName"), one.get("type")
    if isinstance(label, str) and (name := "".join(one if one_line(one) else " " for one in label[:200])).strip():
        said["display_name"] = name
    if isinstance(kind, str) and kind in DisplayType.__members__:
        said["display_type"] = DisplayType(kind)
    if "showInMoreInfo" in one:
        said["show_in_more_info"] = one["showInMoreInfo"] not in _NEVER
    return said


def _property(field: FieldView, saved: Mapping[str, Any] | None) -> dict[str, Any]:
    """A field as a property: as it was saved, but for what was changed since."""
    now = {
        "displayName": field.display_name,
        "type": field.display_type.value,
        "sortable": field.sortable,
        "filterable": field.filterable,
        "showInTable": field.show_in_table,
        "showInMoreInfo": "Always" if field.show_in_more_info else "Never",
    }
    if saved is not None:
        said = _view(saved)
        same = {theirs for theirs, ours in _WORDS.items() if ours not in said or said[ours] == getattr(field, ours)}
        return dict(saved) | {name: value for name, value in now.items() if name not in same}
    shown = {"chosen": field.show_in_table, "selected": field.show_in_table, "isPredefined": not field.custom}
    return {"name": _THEIRS.get(field.name, field.name), **now, **shown}


_WORDS: Final = _BOOLS | {
    "displayName": "display_name",
    "type": "display_type",
    "showInMoreInfo": "show_in_more_info",
}


def _time(time: datetime | None) -> str:
    return (time or _START).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
