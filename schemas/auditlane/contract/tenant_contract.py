"""A tenant's contract, read from the text of its Avro schema: base fields, the tenant's own fields, their rules.

`exclusive`, an attribute of the record, says that the tenant's events must be written with the tenant's own contract;
it defaults to true as soon as any field has a rule.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, TypeGuard

from auditlane.contract import patterns, rules, values
from auditlane.contract.avro import base_schema
from auditlane.contract.patterns import MOST_WORK
from auditlane.contract.rules import NUMBERS, Rules
from auditlane.runtime.errors import InvalidInput

_PRIMITIVES: Final = frozenset({"string", "boolean"}) | NUMBERS
_OWN_TYPES: Final = (
    "string, boolean, long, double, an enum or timestamp-micros (keep anything else as a string of JSON)"
)
LONGEST_NAME: Final = 200  # characters: a symbol is a byte of an event and all of its text in the row, a name likewise
_PROTO: Final = "__proto__"
# What every object of JavaScript has: a page that looks a field up by such a name could find that instead.
MISREAD_NAMES: Final = frozenset(
    {_PROTO, "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "prototype"}
    | {"toLocaleString", "toString", "valueOf"}
    | {f"__{deed}{what}__" for deed in ("define", "lookup") for what in ("Getter", "Setter")}
)
# No event is stored without these; other base fields take their defaults where an older contract lacks them.
CORE_FIELDS: Final = ("event_id", "tenant_id", "occurred_at", "action")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind`: string, boolean, int, long, float, double, enum, timestamp (micros) or map (of string).

    `null_at` is the place of null in the union, None for a field without one; `union` is false for a plain type.
    `default` is as the schema's JSON has it, unchecked; None for null, and for none.
    """

    name: str
    kind: str
    null_at: int | None = None
    union: bool = False
    symbols: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    default: Any = None

    @property
    def nullable(self) -> bool:
        return self.null_at is not None


@dataclass(frozen=True, slots=True)
class TenantContract:
    """`fields` in the order of the datum; `own` are those that the base event does not have."""

    fields: tuple[Field, ...]
    exclusive: bool

    @property
    def own(self) -> tuple[Field, ...]:
        base = base_fields()
        return tuple(one for one in self.fields if one.name not in base)

    @property
    def ruled(self) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.rules)

    @classmethod
    def parse(cls, schema_text: str) -> TenantContract:
        """Raises InvalidInput when the schema is no contract of an event: it lists every problem."""
        schema, found = _load(schema_text)
        if found:
            raise _refusal(found)
        fields, problems = _fields(schema)
        if problems:
            raise _refusal(problems)
        return cls(tuple(_storable(one) for one in fields), _exclusive(schema, fields))

    def reader_schema(self) -> str:
        """The same datum described by types alone: no logical types, defaults or attributes that a decoder may trip on.

        Times are plain longs, so a decoder never has to represent one that is out of a calendar's range.
        """
        described = [{"name": one.name, "type": _plain(one)} for one in self.fields]
        return json.dumps({"type": "record", "name": "AuditEvent", "fields": described})


@cache
def base_fields() -> dict[str, Field]:
    """The base event's fields by name."""
    fields, problems = _fields(base_schema(), with_base=False)
    assert not problems, problems
    return {one.name: one for one in fields}


def check_registrable(schema_text: str) -> list[str]:
    """Everything that forbids a text as a tenant's contract, each with its field and what to do; empty when it may be.

    Stricter than `TenantContract.parse`, which must read what others registered: every base field is there, and a
    field of the tenant's own is nullable and has a default, so that events written before it can be read.
    """
    schema, problems = _load(schema_text)
    if problems:
        return problems
    fields, problems = _fields(schema)
    present = {one.get("name") for one in schema["fields"] if isinstance(one, dict)}
    problems += [
        f"{name}: the base field is missing; add it back as it was."
        for name in base_fields()
        if name not in present and name not in CORE_FIELDS  # a missing core field is reported already
    ]
    defaults = {one["name"] for one in schema["fields"] if isinstance(one, dict) and "name" in one and "default" in one}
    if any(one.rules.pattern for one in fields) and not patterns.available():
        problems.append("schema: has patterns, which this process cannot check; install auditlane[serve].")
    problems += [_misread(one.name) for one in fields if one.name in MISREAD_NAMES]
    for own in fields:
        if base := base_fields().get(own.name):
            problems += [
                f"{own.name}: is a base field and cannot have the symbol {symbol!r}; it has {', '.join(base.symbols)}."
                for symbol in own.symbols
                if symbol not in base.symbols
            ]
            continue
        if not own.nullable:
            problems.append(f'{own.name}: must be nullable; write its type as ["null", …].')
        if own.name not in defaults:
            problems.append(f'{own.name}: has no default; add `"default": null`.')
        elif problem := default_problem(own):
            problems.append(f"{own.name}: its default {problem}; correct the default.")
    return problems


def _misread(name: str) -> str:
    return f"{name}: has a meaning in JavaScript, so pages could misread it; rename the field."


def default_problem(field: Field) -> str:
    """Why an own field's default could not be stored, as the end of a sentence; empty when it can be, or is null."""
    if field.default is None:
        return ""
    if not values.fits(field.kind, field.symbols, field.default):
        return f"{str(field.default)[:100]!r} is no value of type {field.kind}"
    broken = rules.check_value(field.rules, values.as_stored(field.kind, field.default))
    return rules.sentence(field.rules, broken) if broken else ""


def _refusal(problems: list[str]) -> InvalidInput:
    return InvalidInput("The schema is no contract of an event: " + " ".join(problems), field=problems[0].split(":")[0])


def _load(schema_text: str) -> tuple[dict[str, Any], list[str]]:
    try:
        schema = json.loads(schema_text)
    except (ValueError, RecursionError) as error:
        return {}, [f"schema: is not JSON ({error})."]
    if not isinstance(schema, dict) or schema.get("type") != "record" or not isinstance(schema.get("fields"), list):
        return {}, ["schema: must be an Avro record with a list of fields."]
    return schema, []


def _exclusive(schema: dict[str, Any], fields: list[Field]) -> bool:
    given = schema.get("exclusive")
    return given if isinstance(given, bool) else any(one.rules for one in fields)


def _storable(one: Field) -> Field:
    """A base enum that a newer base event gave more symbols: those that the table lacks break the rule `oneOf`."""
    base = base_fields().get(one.name)
    if base is None or set(one.symbols) <= set(base.symbols):
        return one
    allowed = tuple(symbol for symbol in one.rules.one_of or base.symbols if symbol in base.symbols)
    return replace(one, rules=replace(one.rules, one_of=allowed))


def _fields(schema: dict[str, Any], *, with_base: bool = True) -> tuple[list[Field], list[str]]:
    """(the fields that could be read, the problems of all)."""
    fields: list[Field] = []
    problems: list[str] = []
    base = base_fields() if with_base else {}
    enums: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for position, described in enumerate(schema["fields"]):
        name = described.get("name") if isinstance(described, dict) else None
        if not _is_name(name):
            problems.append(f"fields[{position}]: must have a type, and a name of at most {LONGEST_NAME} characters.")
            continue
        if name in seen:
            problems.append(f"{name}: is there twice; remove one.")
            continue
        if name == _PROTO:  # no object of JavaScript can have it; the others, which one may have, are no reason to halt
            problems.append(_misread(name))
            continue
        seen.add(name)
        try:
            one = _field(described, enums)
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        found = list(rules.problems(described, one.kind, one.symbols))
        if name in base and (one.kind, one.nullable) != (base[name].kind, base[name].nullable):
            required = f"nullable {base[name].kind}" if base[name].nullable else base[name].kind
            found.append(f"is a base field and must stay {required}.")
        elif name not in base and one.kind == "map" and with_base:
            found.append(f"must be {_OWN_TYPES}.")
        if found:
            problems += [f"{name}: {problem}" for problem in found]
            continue
        kept = rules.parse(described, one.kind, one.symbols)
        fields.append(replace(one, rules=kept, default=described.get("default")))
    if with_base:
        problems += [
            f"{name}: the base field is missing; add it back as it was." for name in CORE_FIELDS if name not in seen
        ]
        if (work := sum(one.rules.work for one in fields)) > MOST_WORK:
            problems.append(
                f"schema: its patterns may take {work} steps for one event (limit {MOST_WORK}, which counts the states "
                "of each pattern times four bytes for each character of its `maxLength`); lower `maxLength`, or "
                "repeat less in the patterns."
            )
        given = schema.get("exclusive")
        if given is not None and not isinstance(given, bool):
            problems.append("schema: `exclusive` must be true or false.")
    return fields, problems


def _field(described: dict[str, Any], enums: dict[str, tuple[str, ...]]) -> Field:
    name, kind = described["name"], described.get("type")
    if not isinstance(kind, list):
        plain, symbols = _kind(kind, enums)
        return Field(name, plain, symbols=symbols)
    null_at = kind.index("null") if "null" in kind else None
    others = [one for one in kind if one != "null"]
    if len(others) != 1 or len(kind) > 2:
        raise ValueError(f"must be one type, or a union of null and one type: {_OWN_TYPES}.")
    plain, symbols = _kind(others[0], enums)
    return Field(name, plain, null_at, union=True, symbols=symbols)


def _kind(described: Any, enums: dict[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """(kind, an enum's symbols). Raises ValueError on a type that an event cannot carry."""
    if isinstance(described, str):
        if described in enums:
            return "enum", enums[described]
        described = {"type": described}
    if not isinstance(described, dict):
        raise ValueError(f"must be {_OWN_TYPES}.")
    kind, logical = described.get("type"), described.get("logicalType")
    if kind == "long" and logical == "timestamp-micros":
        return "timestamp", ()
    if kind == "string" and logical == "uuid":
        return "string", ()
    if kind in _PRIMITIVES and logical is None:
        return str(kind), ()
    if kind == "map" and _kind(described.get("values"), enums)[0] == "string":
        return "map", ()
    if kind == "enum":
        return "enum", _symbols(described, enums)
    raise ValueError(f"must be {_OWN_TYPES}.")


def _symbols(described: dict[str, Any], enums: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    symbols = described.get("symbols")
    good = isinstance(symbols, list) and all(map(_is_name, symbols))
    if not good or not symbols or len(set(symbols)) < len(symbols):
        raise ValueError(f"must list its symbols, each once, of at most {LONGEST_NAME} characters.")
    if isinstance(described.get("name"), str):
        enums[described["name"]] = tuple(symbols)
        if isinstance(described.get("namespace"), str):
            enums[f"{described['namespace']}.{described['name']}"] = tuple(symbols)
    return tuple(symbols)


def _is_name(given: Any) -> TypeGuard[str]:
    return isinstance(given, str) and len(given) <= LONGEST_NAME


def _plain(one: Field) -> Any:
    # An int is read as a long (the encoding is the same), so that one out of its range is seen, not wrapped.
    wider = {"timestamp": "long", "int": "long", "map": {"type": "map", "values": "string"}}
    plain: Any = wider.get(one.kind, one.kind)
    if one.kind == "enum":
        plain = {"type": "enum", "name": f"{one.name}_symbols", "symbols": list(one.symbols)}
    if not one.union:
        return plain
    return [plain] if one.null_at is None else ["null", plain] if one.null_at == 0 else [plain, "null"]
