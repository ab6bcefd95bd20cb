"""Converts between Frontegg's description of the columns and the data structure. Performs no I/O.

A property describes the field to which its name maps. Properties without a field (metadata keys), the theme and unknown
members exist only in Frontegg's document, and are kept there.
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
MAX_PROPERTIES: Final = 500
_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_URL, "auditlane:metadata:audits"))
_OURS: Final = {**NAMES, **dict.fromkeys(ACTORS, "actor_name")}
_THEIRS: Final = {ours: theirs for theirs, ours in NAMES.items()}
_NEVER: Final = (False, None, "", "Never", "never")
_BOOLS: Final = {"sortable": "sortable", "filterable": "filterable", "showInTable": "show_in_table"}
# Frontegg has metadata keys as columns instead of the metadata itself, and no provenance.
_NO_COLUMNS: Final = frozenset({"metadata", *PROVENANCE})
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


def shown(
    stored: Mapping[str, Any], fields: Iterable[FieldView], *, vendor: str, changed_at: datetime | None
) -> dict[str, Any]:
    """Build the document for clients from the last `stored` document and the current presentation of `fields`."""
    properties = _properties(stored)
    by_field = _by_field(properties)
    fields = [field for field in fields if field.name not in _NO_COLUMNS]
    placed: list[tuple[int, dict[str, Any]]] = []
    for field in fields:
        saved = by_field.get(field.name)
        # A saved document lists the columns; fields that have become visible since are added.
        if not field.hidden and (saved is not None or not properties or field.show_in_table):
            placed.append((field.order, _property(field, saved)))
    placed_already = {id(by_field.get(field.name)) for field in fields}
    placed += [(place, property_) for place, property_ in enumerate(properties) if id(property_) not in placed_already]
    times = {"createdAt": _time(None), "updatedAt": _time(changed_at)}
    ordered = [property_ for _, property_ in sorted(placed, key=lambda pair: pair[0])]
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
    """Return the document to store. If it has no `properties`, the stored ones are kept."""
    return {"properties": stored["properties"]} | dict(document) if "properties" in stored else dict(document)


def stated(document: Mapping[str, Any], fields: Iterable[FieldView]) -> list[tuple[str, dict[str, Any]]] | None:
    """Return every field with the attributes stated in the document. Fields missing from the document are hidden.

    Returns None for a document without `properties`, since it changes no field. Raises InvalidInput for an invalid one.
    """
    if "properties" not in document:
        return None
    by_field = _by_field(_checked(document))
    places = {id(property_): place for place, property_ in enumerate(_properties(document))}
    attributes: list[tuple[str, dict[str, Any]]] = []
    for field in fields:
        if field.hidden or field.name in _NO_COLUMNS:
            continue
        property_ = by_field.get(field.name)
        view = {"show_in_table": False} if property_ is None else _view(property_) | {"order": places[id(property_)]}
        attributes.append((field.name, view))
    return attributes


def _checked(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = document["properties"]
    if not isinstance(given, list) or len(given) > MAX_PROPERTIES:
        raise InvalidInput(f"'properties' must be a list of at most {MAX_PROPERTIES} items.", field="properties")
    for place, item in enumerate(given):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
            raise InvalidInput("A property must be an object with a name.", field=f"properties.{place}.name")
    return given


def _properties(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("properties", []))


def _by_field(properties: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the first property of each field. A name that does not map to a base field may be that of a custom
    field.
    """
    found: dict[str, dict[str, Any]] = {}
    for property_ in properties:
        found.setdefault(_OURS.get(property_["name"], property_["name"]), property_)
    return found


def _view(property_: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that a property sets for its field."""
    view: dict[str, Any] = {ours: bool(property_[theirs]) for theirs, ours in _BOOLS.items() if theirs in property_}
    label, kind = property_.get("displayName"), property_.get("type")
    if isinstance(label, str) and (name := "".join(char if one_line(char) else " " for char in label[:200])).strip():
        view["display_name"] = name
    if isinstance(kind, str) and kind in DisplayType.__members__:
        view["display_type"] = DisplayType(kind)
    if "showInMoreInfo" in property_:
        view["show_in_more_info"] = property_["showInMoreInfo"] not in _NEVER
    return view


def _property(field: FieldView, saved: Mapping[str, Any] | None) -> dict[str, Any]:
    """Describe a field as a property: the saved property, updated with attributes that have changed since."""
    now = {
        "displayName": field.display_name,
        "type": field.display_type.value,
        "sortable": field.sortable,
        "filterable": field.filterable,
        "showInTable": field.show_in_table,
        "showInMoreInfo": "Always" if field.show_in_more_info else "Never",
    }
    if saved is not None:
        view = _view(saved)
        same = {
            theirs for theirs, ours in _ATTRIBUTES.items() if ours not in view or view[ours] == getattr(field, ours)
        }
        return dict(saved) | {name: value for name, value in now.items() if name not in same}
    shown = {"chosen": field.show_in_table, "selected": field.show_in_table, "isPredefined": not field.custom}
    return {"name": _THEIRS.get(field.name, field.name), **now, **shown}


_ATTRIBUTES: Final = _BOOLS | {
    "displayName": "display_name",
    "type": "display_type",
    "showInMoreInfo": "show_in_more_info",
}


def _time(time: datetime | None) -> str:
    return (time or _START).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
