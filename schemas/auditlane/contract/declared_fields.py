"""Converts the custom fields declared by a subclass of AuditEvent into contract field definitions.

| annotation | field |
|---|---|
| str, UUID, URL | AlphaNumeric |
| EmailStr; IPv4Address, IPv6Address, IPvAnyAddress | Email; IpAddress |
| Literal or Enum of strings; of integers | Enum; Integer with `oneOf` |
| int; float, Decimal; bool | Integer; Number; Boolean |
| datetime, AwareDatetime | Timestamp |
| dict, list, tuple, set, a pydantic model, a dataclass, a TypedDict | Json |

`X | None` and a default affect only the event. In the contract, every field is nullable, since other events lack it.
`max_length`, `pattern`, `ge`, `le`, and (for integers) `gt` and `lt` become rules. Other constraints are checked only
when an event is created. The display name is `title`, or `description` if there is no title.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin, is_typeddict
from uuid import UUID

from pydantic import AnyUrl, AwareDatetime, BaseModel, EmailStr, IPvAnyAddress, SecretBytes, SecretStr
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from auditlane.contract import rules
from auditlane.contract.event import AuditEvent
from auditlane.contract.field_definition import FieldDefinition, FieldType
from auditlane.runtime.errors import InvalidInput

_TYPES: Final[dict[Any, FieldType]] = {
    str: FieldType.AlphaNumeric,
    UUID: FieldType.AlphaNumeric,
    EmailStr: FieldType.Email,
    IPv4Address: FieldType.IpAddress,
    IPv6Address: FieldType.IpAddress,
    IPvAnyAddress: FieldType.IpAddress,
    int: FieldType.Integer,
    float: FieldType.Number,
    Decimal: FieldType.Number,
    bool: FieldType.Boolean,
    datetime: FieldType.Timestamp,
    AwareDatetime: FieldType.Timestamp,
}
_LONGEST_LABEL: Final = 200  # maximum length of a display name in characters
_ARGUMENTS: Final = ("action", "resource", "outcome", "severity")


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """A field declared by an event class.

    `nullable` is true if an event may omit the value. `label` is the display name.
    """

    definition: FieldDefinition
    nullable: bool
    label: str = ""

    @property
    def name(self) -> str:
        return self.definition.name


def declared_fields(event: type[AuditEvent]) -> tuple[DeclaredField, ...]:
    """Return the custom fields that a class declares or inherits. Raises InvalidInput for an invalid field, with its
    name and the fix.
    """
    if not event.__pydantic_fields_complete__:
        try:
            event.model_rebuild()
        except PydanticUndefinedAnnotation as error:
            raise InvalidInput(
                f"An annotation of {event.__name__} names {error.name}, which its module does not define.",
                fix=f"Define {error.name}, or import it outside of `if TYPE_CHECKING`.",
            ) from error
    return tuple(
        _declared(event, name, info) for name, info in event.model_fields.items() if name not in AuditEvent.model_fields
    )


def complete(event: type[AuditEvent], arguments: Mapping[str, Any]) -> None:
    """Check a new class, and use its class arguments as defaults.

    `tenant_id` is empty by default, since the client fills it in or rejects the event. Base fields that the class
    redeclares keep the validation of the base event. If an annotation cannot be evaluated yet, the class is checked
    later, by `declared_fields`. Raises InvalidInput, naming the field and the fix.
    """
    _check_class(event)
    if event.__pydantic_fields_complete__:
        declared_fields(event)
    for name in AuditEvent.model_fields:
        _restore_validation(event, name)
    defaults = _checked_defaults(event, {name: value for name, value in arguments.items() if value is not None})
    if event.model_fields["tenant_id"].is_required():
        defaults["tenant_id"] = ""
    for name, value in defaults.items():
        event.model_fields[name].default = value
    event.model_rebuild(force=True, raise_errors=False)


def _check_class(event: type[AuditEvent]) -> None:
    config = event.model_config
    if config.get("extra") != "forbid" or not config.get("frozen"):
        raise InvalidInput(
            f"{event.__name__} overrides `extra` or `frozen` in its configuration: values could be lost or altered.",
            field="model_config",
            fix="Remove them from the class.",
        )
    for name in event.model_fields:
        if name not in AuditEvent.model_fields and hasattr(AuditEvent, name) and not hasattr(BaseModel, name):
            raise _unfit(event, name, "has the name of a method of AuditEvent", "Rename the field.")


def _checked_defaults(event: type[AuditEvent], given: dict[str, Any]) -> dict[str, Any]:
    try:
        made = AuditEvent.checked({"tenant_id": "a", "action": "a"} | given)
    except InvalidInput as error:
        raise InvalidInput(
            f"A class argument of {event.__name__} is not valid. {error.message.rpartition('not valid: ')[2]}",
            field=error.field,
            fix=f"Correct `{error.field}=` in the class statement.",
        ) from error
    return {name: getattr(made, name) for name in given}


def _restore_validation(event: type[AuditEvent], name: str) -> None:
    base, here = AuditEvent.model_fields[name], event.model_fields[name]
    if here.annotation == base.annotation and here.metadata == base.metadata:
        return
    expected, stated = _bare(base.annotation), _bare(here.annotation)
    if stated not in (expected, _without_none(expected)):
        fix = f"Pass {name}= after AuditEvent instead." if name in _ARGUMENTS else "Rename the field."
        raise _unfit(event, name, f"is a base field of another type, {_text(expected)}", fix)
    here.annotation = base.annotation if stated == expected else _without_none(base.annotation)
    here.metadata = [*base.metadata, *(item for item in here.metadata if item not in base.metadata)]


def _declared(event: type[AuditEvent], name: str, info: FieldInfo) -> DeclaredField:
    found = [*info.metadata]
    annotation, nullable = _plain(info.annotation, found)
    type_, choices = _type_of(event, name, annotation)
    stated = _rules(event, name, type_, found) | ({"oneOf": choices} if choices else {})
    definition = FieldDefinition(name, type_, None, stated)
    try:
        definition.avro()
    except InvalidInput as error:
        fix = "Rename the field." if error.field == "name" else error.fix or "Correct the declaration."
        problem = error.message.partition(": ")[2]
        raise InvalidInput(
            f"The field {name} of {event.__name__} cannot be in a contract: {problem}", field=name, fix=fix
        ) from error
    return DeclaredField(definition, nullable, _label(info))


def _plain(annotation: Any, metadata: list[Any]) -> tuple[Any, bool]:
    """Remove None, Annotated and aliases from an annotation. Returns the remaining type, and whether None is allowed.

    The metadata of the removed parts is appended to `metadata`.
    """
    if type(annotation).__name__ == "TypeAliasType":  # of typing, or of typing_extensions before Python 3.12
        return _plain(annotation.__value__, metadata)
    if isinstance(annotation, NewType):
        return _plain(annotation.__supertype__, metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for item in arguments[1:]:
            metadata += item.metadata if isinstance(item, FieldInfo) else [item]
        return _plain(arguments[0], metadata)
    if origin in (Union, UnionType):
        others = [argument for argument in arguments if argument is not NoneType]
        if len(others) == 1:
            return _plain(others[0], metadata)[0], len(others) < len(arguments)
    if origin is Literal and None in arguments:
        return Literal[tuple(argument for argument in arguments if argument is not None)], True
    return annotation, False


def _type_of(event: type[AuditEvent], name: str, annotation: Any) -> tuple[FieldType, list[Any]]:
    """Return the field's type and, for a Literal or Enum, its values."""
    if annotation in _TYPES:
        return _TYPES[annotation], []
    origin = get_origin(annotation) or annotation
    if origin is Literal:
        return _choices(event, name, list(get_args(annotation)))
    if isinstance(origin, type):
        if issubclass(origin, Enum):
            return _choices(event, name, [member.value for member in origin])
        if issubclass(origin, AnyUrl):
            return FieldType.AlphaNumeric, []
        if issubclass(origin, SecretStr | SecretBytes):
            raise _unfit(event, name, "is a secret, which an audit log must not hold", "Remove the field.")
        if issubclass(origin, str):
            return FieldType.AlphaNumeric, []
        if _is_json(origin):
            return FieldType.Json, []
        if issubclass(origin, date | time | timedelta):
            fix = "Declare it as datetime with a time zone, or as str."
            raise _unfit(event, name, f"is of type {_text(annotation)}, which no field of a contract has", fix)
    if origin in (Union, UnionType):
        fix = "Declare one of the types, alone or with None, or use two fields."
        raise _unfit(event, name, f"has several types, {_text(annotation)}, and a field of a contract has one", fix)
    fix = "Declare it as str, int, float, bool, datetime, Literal, an Enum, dict, list or a pydantic model."
    raise _unfit(event, name, f"is of type {_text(annotation)}, which no field of a contract has", fix)


def _is_json(kind: type) -> bool:
    if issubclass(kind, bytes | bytearray | memoryview):
        return False
    collection = issubclass(kind, Mapping | Sequence | Set)
    return collection or issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind) or is_typeddict(kind)


def _choices(event: type[AuditEvent], name: str, values: list[Any]) -> tuple[FieldType, list[Any]]:
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    if plain and all(isinstance(value, str) for value in plain):
        return FieldType.Enum, [str(value) for value in plain]
    if plain and all(isinstance(value, int) and not isinstance(value, bool) for value in plain):
        return FieldType.Integer, [int(value) for value in plain]
    fix = "Use only texts, or only whole numbers."
    raise _unfit(event, name, "has values that are neither all texts nor all whole numbers", fix)


def _rules(event: type[AuditEvent], name: str, type_: FieldType, metadata: list[Any]) -> dict[str, Any]:
    """Convert the constraints in a field's metadata to rules."""
    found: dict[str, Any] = {}
    if type_ in (FieldType.AlphaNumeric, FieldType.Email, FieldType.IpAddress):
        for length in _stated(metadata, "max_length"):
            found["maxLength"] = min(length, found.get("maxLength", length))
        for pattern in _stated(metadata, "pattern"):
            found["pattern"] = _whole_pattern(event, name, pattern)
        if "pattern" in found and "maxLength" not in found:
            raise _unfit(event, name, "has a pattern but no maximum length", "Add max_length to the Field.")
    if type_ in (FieldType.Integer, FieldType.Number):
        step = 1 if type_ is FieldType.Integer else None
        lows = [*_stated(metadata, "ge"), *(low + step for low in _stated(metadata, "gt") if step)]
        highs = [*_stated(metadata, "le"), *(high - step for high in _stated(metadata, "lt") if step)]
        if lows:
            found["minimum"] = _bound(max(lows))
        if highs:
            found["maximum"] = _bound(min(highs))
    return {rule: found[rule] for rule in rules.NAMES if rule in found}


def _stated(metadata: list[Any], constraint: str) -> Iterator[Any]:
    for item in metadata:
        value = getattr(item, constraint, None)
        if value is not None:
            yield value


def _bound(given: Any) -> int | float:
    number: int | float = float(given) if isinstance(given, Decimal) else given
    return number


def _whole_pattern(event: type[AuditEvent], name: str, given: Any) -> str:
    """Return the pattern with anchors, so that it has the same meaning in a contract, which matches the whole value.
    pydantic matches anywhere in the value.
    """
    text = given.pattern if isinstance(given, re.Pattern) else given
    if isinstance(given, re.Pattern) and given.flags & ~re.UNICODE:
        raise _unfit(event, name, "has a pattern with flags", "Write it without flags, such as [a-zA-Z].")
    body = text[1:-1]
    anchored = text[:1] == "^" and text[-1:] == "$" and len(text) > 2 and not _is_escaped(text)
    if not anchored or "|" in _outside_groups(body):
        fix = "Write it as ^(?:…)$." if "|" in text else "Begin it with ^ and end it with $."
        raise _unfit(event, name, "has a pattern that may match a part of the value", fix)
    return str(body)


def _is_escaped(text: str) -> bool:
    """Return whether the last character is escaped by a backslash."""
    head = text[:-1]
    return (len(head) - len(head.rstrip("\\"))) % 2 == 1


def _outside_groups(pattern: str) -> str:
    """Return the characters of a pattern that are not inside a group, a character class or an escape."""
    outside, depth = "", 0
    for piece in re.findall(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", pattern, re.DOTALL):
        depth += (piece == "(") - (piece == ")")
        if depth == 0:
            outside += piece if len(piece) == 1 else ""
    return outside


def _label(info: FieldInfo) -> str:
    text = info.title or (info.description or "").strip().removesuffix(".")
    return text if len(text) <= _LONGEST_LABEL and text.isprintable() else ""


def _bare(annotation: Any) -> Any:
    """Remove Annotated from an annotation, at any depth. A datetime with a time zone becomes a plain datetime."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is AwareDatetime:
        return datetime
    if origin is Annotated:
        return _bare(arguments[0])
    if origin in (Union, UnionType):
        return Union[tuple(map(_bare, arguments))]  # noqa: UP007 - its members are computed
    return origin[tuple(map(_bare, arguments))] if origin is dict else annotation


def _without_none(annotation: Any) -> Any:
    others = tuple(argument for argument in get_args(annotation) if argument is not NoneType)
    return Union[others] if get_origin(annotation) in (Union, UnionType) else annotation  # noqa: UP007 - computed


def _text(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _unfit(event: type[AuditEvent], name: str, problem: str, fix: str) -> InvalidInput:
    return InvalidInput(f"The field {name} of {event.__name__} {problem}.", field=name, fix=fix)
