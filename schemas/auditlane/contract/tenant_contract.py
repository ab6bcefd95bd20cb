"""Parses a tenant's contract from its Avro schema. A contract has base fields, custom fields, and rules for them.

`exclusive`, an attribute of the record, requires the tenant's events to be written with the tenant's own contract. It
defaults to true as soon as any field has a rule.
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
    "string, boolean, long, double, an enum or timestamp-micros (store anything else as a string of JSON)"
)
# maximum length in characters: a symbol takes one byte in an event but, like a name, its whole text in a row
LONGEST_NAME: Final = 200
_PROTO: Final = "__proto__"
# Properties of every JavaScript object: a page that looks up a field by such a name could get the property instead.
MISREAD_NAMES: Final = frozenset(
    {_PROTO, "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "prototype"}
    | {"toLocaleString", "toString", "valueOf"}
    | {f"__{verb}{what}__" for verb in ("define", "lookup") for what in ("Getter", "Setter")}
)
# Required for every event. The other base fields get their defaults if an older contract lacks them.
CORE_FIELDS: Final = ("event_id", "tenant_id", "occurred_at", "action")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind` is string, boolean, int, long, float, double, enum, timestamp (in microseconds) or map (of
    strings).

    `null_at` is the position of null in the union, or None if null is not allowed. `union` is false for a plain type.
    `default` is the unchecked value from the schema's JSON, and is None both for null and if there is no default.
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
    """A tenant's contract. `fields` are in the datum's order, `own` contains the custom fields, and `ruled` the fields
    with rules.
    """

    fields: tuple[Field, ...]
    exclusive: bool

    @property
    def own(self) -> tuple[Field, ...]:
        base = base_fields()
        return tuple(field for field in self.fields if field.name not in base)

    @property
    def ruled(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.rules)

    @classmethod
    def parse(cls, schema_text: str) -> TenantContract:
        """Parse a schema. If it is not a valid event contract, raises InvalidInput, listing every problem."""
        schema, found = _load(schema_text)
        if found:
            raise _refusal(found)
        fields, problems = _fields(schema)
        if problems:
            raise _refusal(problems)
        return cls(tuple(map(_storable, fields)), _exclusive(schema, fields))

    def reader_schema(self) -> str:
        """Return a schema with the same fields and their bare types.

        It contains no logical types, defaults or attributes, which could make a decoder fail. Times are plain longs, so
        that a decoder never has to represent a time that its calendar does not support.
        """
        described = [{"name": field.name, "type": _plain(field)} for field in self.fields]
        return json.dumps({"type": "record", "name": "AuditEvent", "fields": described})


@cache
def base_fields() -> dict[str, Field]:
    """Return the base event's fields by name."""
    fields, problems = _fields(base_schema(), with_base=False)
    assert not problems, problems
    return {field.name: field for field in fields}


def check_registrable(schema_text: str) -> list[str]:
    """Return every problem that prevents a schema from being registered as a contract, with its field and fix.

    Returns [] for a valid schema. This check is stricter than `TenantContract.parse`, which must also read contracts
    that other tools have registered. All base fields must be present, and every custom field must be nullable and have
    a default, so that earlier events remain readable.
    """
    schema, problems = _load(schema_text)
    if problems:
        return problems
    fields, problems = _fields(schema)
    present = {described.get("name") for described in schema["fields"] if isinstance(described, dict)}
    problems += [
        f"{name}: the base field is missing; add it back unchanged."
        for name in base_fields()
        if name not in present and name not in CORE_FIELDS  # a missing core field has already been reported
    ]
    defaults = {
        described["name"]
        for described in schema["fields"]
        if isinstance(described, dict) and "name" in described and "default" in described
    }
    if any(field.rules.pattern for field in fields) and not patterns.available():
        problems.append("schema: has patterns, which this process cannot check; install auditlane[serve].")
    problems += [_misread(field.name) for field in fields if field.name in MISREAD_NAMES]
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
    return f"{name}: has a special meaning in JavaScript, so pages could misread it; rename the field."


def default_problem(field: Field) -> str:
    """Return the reason why the default of a custom field cannot be stored, or "" if it can be stored or is null.

    The reason is phrased as the end of a sentence.
    """
    if field.default is None:
        return ""
    if not values.fits(field.kind, field.symbols, field.default):
        return f"{str(field.default)[:100]!r} is not a value of type {field.kind}"
    broken = rules.check_value(field.rules, values.as_stored(field.kind, field.default))
    return rules.sentence(field.rules, broken) if broken else ""


def _refusal(problems: list[str]) -> InvalidInput:
    return InvalidInput(
        "The schema is not a valid event contract: " + " ".join(problems), field=problems[0].split(":")[0]
    )


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
    return given if isinstance(given, bool) else any(field.rules for field in fields)


def _storable(field: Field) -> Field:
    """Add the rule `oneOf` to a base enum from a newer release, so that only symbols that the table supports are
    accepted.
    """
    base = base_fields().get(field.name)
    if base is None or set(field.symbols) <= set(base.symbols):
        return field
    allowed = tuple(symbol for symbol in field.rules.one_of or base.symbols if symbol in base.symbols)
    return replace(field, rules=replace(field.rules, one_of=allowed))


def _fields(schema: dict[str, Any], *, with_base: bool = True) -> tuple[list[Field], list[str]]:
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
            problems.append(f"{name}: is defined twice; remove one definition.")
            continue
        # A JavaScript object cannot have this key. The other MISREAD_NAMES work, so they must not halt a worker.
        if name == _PROTO:
            problems.append(_misread(name))
            continue
        seen.add(name)
        try:
            field = _field(described, enums)
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        found = list(rules.problems(described, field.kind, field.symbols))
        if name in base and (field.kind, field.nullable) != (base[name].kind, base[name].nullable):
            required = f"nullable {base[name].kind}" if base[name].nullable else base[name].kind
            found.append(f"is a base field and must stay {required}.")
        elif name not in base and field.kind == "map" and with_base:
            found.append(f"must be {_OWN_TYPES}.")
        if found:
            problems += [f"{name}: {problem}" for problem in found]
            continue
        parsed = rules.parse(described, field.kind, field.symbols)
        fields.append(replace(field, rules=parsed, default=described.get("default")))
    if with_base:
        problems += [
            f"{name}: the base field is missing; add it back unchanged." for name in CORE_FIELDS if name not in seen
        ]
        if (work := sum(field.rules.work for field in fields)) > MOST_WORK:
            problems.append(
                f"schema: its patterns may take {work} steps per event (limit {MOST_WORK}; each pattern counts its "
                "states times four bytes for each character of its `maxLength`); lower `maxLength`, or use fewer "
                "repetitions in the patterns."
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
    others = [branch for branch in kind if branch != "null"]
    if len(others) != 1 or len(kind) > 2:
        raise ValueError(f"must be one type, or a union of null and one type: {_OWN_TYPES}.")
    plain, symbols = _kind(others[0], enums)
    return Field(name, plain, null_at, union=True, symbols=symbols)


def _kind(described: Any, enums: dict[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """Return the kind of a type, and the symbols if it is an enum. Raises ValueError for a type that events do not
    support.
    """
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


def _plain(field: Field) -> Any:
    # An int is read as a long (the encoding is the same), so that a value out of its range is noticed rather than
    # wrapped.
    wider = {"timestamp": "long", "int": "long", "map": {"type": "map", "values": "string"}}
    plain: Any = wider.get(field.kind, field.kind)
    if field.kind == "enum":
        plain = {"type": "enum", "name": f"{field.name}_symbols", "symbols": list(field.symbols)}
    if not field.union:
        return plain
    return [plain] if field.null_at is None else ["null", plain] if field.null_at == 0 else [plain, "null"]
