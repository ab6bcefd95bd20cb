"""Compiles the sources of an OCSF schema, and strictly validates events against it.

The sources are read from a folder next to the project, and are not part of it. `problems` is stricter than most
consumers: it also reports unknown and deprecated attributes, and captions that differ from the schema's.
"""

from __future__ import annotations

import copy
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

VERSIONS: Final = ("1.8.0", "1.9.0-dev")
_NEAR = (folder / "shared" / "data" / "ocsf" for folder in Path(__file__).parents)
_FOLDER: Final = next((folder for folder in _NEAR if folder.is_dir()), None)
needs_schema = pytest.mark.skipif(_FOLDER is None, reason="the folder of OCSF schema sources is missing")

_SCALARS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string_t": str,
    "integer_t": int,
    "long_t": int,
    "float_t": (int, float),
    "boolean_t": bool,
}
_BITS: Final = {"integer_t": 31, "long_t": 63}
_OTHER: Final = 99


class OcsfSchema:
    """The compiled classes and objects of one version, with inheritance, includes, profiles and the dictionary
    applied.
    """

    def __init__(self, files: Mapping[str, Any]) -> None:
        """Compile the JSON documents in `files`, which are keyed by path, such as `events/iam/iam.json`."""
        dictionary = files["dictionary.json"]
        self.version: str = files["version.json"]["version"]
        self._types: dict[str, Any] = dictionary["types"]["attributes"]
        self._dictionary: dict[str, Any] = dictionary["attributes"]
        self._files = files
        self._categories: dict[str, Any] = files["categories.json"]["attributes"]
        self._sources = {
            kind: {value["name"]: value for path, value in files.items() if path.startswith(f"{kind}/")}
            for kind in ("events", "objects")
        }
        self._objects: dict[str, Any] = {}
        self._valid: dict[tuple[str, str, frozenset[str]], dict[str, Any]] = {}
        self.classes: dict[int, Any] = {}
        for name, source in self._sources["events"].items():
            if "uid" in source or name == "base_event":
                compiled = self._compile("events", name)
                self.classes[compiled["uid"]] = compiled

    def problems(self, event: Mapping[str, Any]) -> list[str]:
        """Return the problems with an event, each as a sentence that names the attribute's path."""
        uid = event.get("class_uid")
        if uid not in self.classes:
            return [f"class_uid: {uid!r} is not a class of {self.version}"]
        described = self.classes[uid]
        metadata = event.get("metadata")
        profiles = metadata.get("profiles", []) if isinstance(metadata, dict) else []
        found = [f"class_uid: {described['name']} is deprecated"] if "@deprecated" in described else []
        found += [
            f"metadata.profiles: {name} is not a profile of {described['name']}"
            for name in profiles
            if name not in described["profiles"]
        ]
        found += self._object("", described, event, frozenset(profiles))
        type_uid = uid * 100 + event.get("activity_id", 0)
        if event.get("type_uid") != type_uid:
            found.append(f"type_uid: is {event.get('type_uid')!r}, not {type_uid}")
        if isinstance(metadata, dict) and metadata.get("version") != self.version:
            found.append(f"metadata.version: is {metadata.get('version')!r}, not {self.version!r}")
        return found

    def attributes(self, described: Mapping[str, Any], profiles: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the attributes of a compiled class or object that are valid with these profiles."""
        key = (described["kind"], described["name"], profiles)
        if key not in self._valid:
            self._valid[key] = {
                name: attribute
                for name, attribute in described["attributes"].items()
                if attribute.get("profile") is None or attribute["profile"] in profiles
            }
        return self._valid[key]

    def object(self, name: str) -> dict[str, Any]:
        if name not in self._objects:
            self._objects[name] = self._compile("objects", name)
        return self._objects[name]

    def _compile(self, kind: str, name: str) -> dict[str, Any]:
        made = self._inherited(kind, name) | {"kind": kind}
        for attribute, definition in made["attributes"].items():
            made["attributes"][attribute] = _merged(copy.deepcopy(self._dictionary[attribute]), definition)
        if kind == "events":
            category = 0 if name == "base_event" else self._categories.get(made["category"], {}).get("uid", 0)
            made["category_uid"] = category
            made["uid"] = category * 1000 + made.get("uid", 0)
            made["attributes"]["class_uid"]["enum"] = {str(made["uid"]): {"caption": made["caption"]}}
            caption = self._categories.get(made["category"], {}).get("caption", "Uncategorized")
            made["attributes"]["category_uid"]["enum"] = {str(category): {"caption": caption}}
        return made

    def _inherited(self, kind: str, name: str) -> dict[str, Any]:
        source = copy.deepcopy(self._sources[kind][name])
        own = source.pop("attributes")
        attributes: dict[str, Any] = {}
        for path in own.pop("$include", []):
            profile = self._files[path]
            for included, definition in profile["attributes"].items():
                attributes[included] = {**definition, "profile": profile["name"]}
        attributes = _merged(attributes, own)
        source.setdefault("profiles", [])
        if (parent := source.get("extends")) is None:
            return {"constraints": {}, **source, "attributes": attributes}
        inherited = self._inherited(kind, parent)
        inherited.pop("@deprecated", None)
        inherited.pop("uid", None)
        profiles = list(dict.fromkeys([*inherited["profiles"], *source["profiles"]]))
        merged = {**inherited, **source, "profiles": profiles}
        return {**merged, "attributes": _merged(inherited["attributes"], attributes)}

    def _object(
        self, path: str, described: Mapping[str, Any], values: Mapping[str, Any], profiles: frozenset[str]
    ) -> Iterator[str]:
        attributes = self.attributes(described, profiles)
        if described["name"] == "object":
            return  # the generic object, which may have any attributes
        for name, attribute in attributes.items():
            if name not in values and attribute.get("requirement") == "required":
                yield f"{path}{name}: is required"
        for name, value in values.items():
            if (attribute := attributes.get(name)) is None:
                yield f"{path}{name}: is not an attribute of {described['name']}"
                continue
            if "@deprecated" in attribute:
                yield f"{path}{name}: is deprecated"
            yield from self._attribute(f"{path}{name}", attribute, value, profiles)
            if (sibling := attribute.get("sibling")) and not isinstance(value, list):
                yield from _sibling(path, attribute, value, sibling, values.get(sibling))
        for kind, names in described["constraints"].items():
            count = sum(name in values for name in names)
            if (count != 1) if kind == "just_one" else not count:
                yield f"{path or described['name']}: {kind} of {', '.join(names)}"

    def _attribute(
        self, path: str, attribute: Mapping[str, Any], value: Any, profiles: frozenset[str]
    ) -> Iterator[str]:
        if not attribute.get("is_array"):
            yield from self._value(path, attribute, value, profiles)
        elif not isinstance(value, list):
            yield f"{path}: is not an array"
        else:
            for place, item in enumerate(value):
                yield from self._value(f"{path}[{place}]", attribute, item, profiles)

    def _value(self, path: str, attribute: Mapping[str, Any], value: Any, profiles: frozenset[str]) -> Iterator[str]:
        kind = attribute["type"]
        if kind == "json_t":
            return
        if kind not in self._types:
            if isinstance(value, dict):
                yield from self._object(f"{path}.", self.object(kind), value, profiles)
            else:
                yield f"{path}: is not an object"
            return
        described = self._types[kind]
        base = described.get("type", kind)
        if not isinstance(value, _SCALARS[base]) or (isinstance(value, bool) and base != "boolean_t"):
            yield f"{path}: {value!r} is not of the type {kind}"
            return
        if base in _BITS and not -(1 << _BITS[base]) <= value < 1 << _BITS[base]:
            yield f"{path}: {value} does not fit into {base}"
        if (pattern := described.get("regex")) and re.search(pattern, value) is None:
            yield f"{path}: {value!r} is not a valid {kind}"
        if len(str(value)) > described.get("max_len", len(str(value))):
            yield f"{path}: is longer than {described['max_len']}"
        low, high = described.get("range", (value, value))
        if not low <= value <= high:
            yield f"{path}: {value} is not within {low} to {high}"
        if (enum := attribute.get("enum")) and str(value) not in enum:
            yield f"{path}: {value!r} is not one of {', '.join(enum)}"


def _sibling(path: str, attribute: Mapping[str, Any], value: object, sibling: str, caption: object) -> Iterator[str]:
    """Check the caption of an enumerated value. It must be the schema's caption, except for the value Other, whose
    caption is set by the source.
    """
    if value == _OTHER:
        if not caption:
            yield f"{path}{sibling}: is required because of {_OTHER}"
        return
    expected = attribute.get("enum", {}).get(str(value), {}).get("caption")
    if caption is not None and expected is not None and caption != expected:
        yield f"{path}{sibling}: is {caption!r}, not {expected!r}"


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two documents recursively. Values in `above` take precedence."""
    for name, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(name), dict):
            _merged(below[name], value)
        else:
            below[name] = copy.deepcopy(value)
    return below


@cache
def ocsf_schema(version: str) -> OcsfSchema:
    assert _FOLDER is not None
    files = {}
    with tarfile.open(_FOLDER / f"ocsf-schema-{version}.tar.gz") as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            if path.endswith(".json") and not path.startswith((".", "extensions/", "metaschema/")):
                content = archive.extractfile(member)
                assert content is not None
                files[path] = json.loads(content.read())
    return OcsfSchema(files)
