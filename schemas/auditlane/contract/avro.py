"""The Avro schema of events. It is derived from the model, and `event.avsc` contains a copy for all other clients."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from importlib.resources import files
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import AwareDatetime
from pydantic_core import PydanticUndefined

from auditlane.contract.event import BASE_FIELDS, AuditEvent

RECORD = "AuditEvent"
NAMESPACE = "auditlane"


def base_schema() -> dict[str, Any]:
    """Return the base event's schema from `event.avsc`."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("event.avsc").read_text("utf-8"))
    return schema


def derive() -> dict[str, Any]:
    """Derive the schema from the model. `python -m auditlane.contract.avro` prints it."""
    return {
        "type": "record",
        "name": RECORD,
        "namespace": NAMESPACE,
        "doc": "One audit event of one tenant.",
        "fields": [_field(name) for name in BASE_FIELDS],
    }


def _field(name: str) -> dict[str, Any]:
    info = AuditEvent.model_fields[name]
    field = {"name": name, "type": _type(info.annotation)}
    if info.default is not PydanticUndefined:
        field["default"] = info.default.value if isinstance(info.default, StrEnum) else info.default
    elif field["type"] == {"type": "map", "values": "string"}:
        field["default"] = {}
    return field


def _type(annotation: Any) -> Any:
    arguments = get_args(annotation)
    if hasattr(annotation, "__metadata__"):  # Annotated: only the type matters here; the model enforces the rules
        return _type(arguments[0])
    if NoneType in arguments:
        return ["null", *(_type(argument) for argument in arguments if argument is not NoneType)]
    if get_origin(annotation) is dict:
        return {"type": "map", "values": _type(arguments[1])}
    if annotation is str:
        return "string"
    if annotation in (datetime, AwareDatetime):
        return {"type": "long", "logicalType": "timestamp-micros"}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        symbols = [member.value for member in annotation]
        # An enum with its own default can be read by an older reader that lacks a symbol.
        return {"type": "enum", "name": annotation.__name__, "symbols": symbols, "default": symbols[0]}
    raise TypeError(f"no Avro type for {annotation!r}")


if __name__ == "__main__":
    print(json.dumps(derive(), indent=2))
