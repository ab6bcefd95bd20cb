"""Rules that a field's attributes can state, and the check of a single value in the SDK and the gateway.

`required` rejects null and empty values. `maxLength` counts code points. `pattern` has RE2 syntax, is matched against
the whole value, and requires `maxLength`. `minimum` and `maximum` are inclusive numbers, and `oneOf` lists the allowed
values. A null value breaks only `required`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract.patterns import BYTES, LONGEST_VALUE, Pattern

NAMES: Final = ("required", "maxLength", "pattern", "minimum", "maximum", "oneOf")
NUMBERS: Final = frozenset({"int", "long", "float", "double"})
_APPLIES: Final[dict[str, frozenset[str]]] = {
    "required": frozenset({"string", "enum", "boolean", "timestamp", "map"}) | NUMBERS,
    "maxLength": frozenset({"string"}),
    "pattern": frozenset({"string"}),
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "oneOf": frozenset({"string", "enum"}) | NUMBERS,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one field, checked in the order of `NAMES`. None or False means that there is no such rule."""

    required: bool = False
    max_length: int | None = None
    pattern: Pattern | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    one_of: tuple[str | int | float, ...] | None = None

    def __bool__(self) -> bool:
        return self.required or any(
            rule is not None for rule in (self.max_length, self.pattern, self.minimum, self.maximum, self.one_of)
        )

    @property
    def work(self) -> int:
        """The cost of matching the longest value: the number of states in the compiled pattern times the number of
        bytes.
        """
        return 0 if self.pattern is None else self.pattern.states * (self.max_length or LONGEST_VALUE) * BYTES


def sentence(rules: Rules, rule: str) -> str:
    """Describe the requirement of a rule as the rest of a sentence that starts with the field's name."""
    match rule:
        case "required":
            return "is required and must not be empty"
        case "maxLength":
            return f"must have at most {rules.max_length} characters"
        case "pattern":
            return f"must match {rules.pattern.text if rules.pattern else ''}"
        case "minimum":
            return f"must be at least {rules.minimum}"
        case "maximum":
            return f"must be at most {rules.maximum}"
        case _:
            return "must be one of " + ", ".join(map(str, rules.one_of or ()))


def check_value(rules: Rules, value: Any) -> str | None:
    """Return the name of the first rule that the value violates, or None if it violates none.

    In a process without RE2, the pattern is left to the gateway and the worker.
    """
    if rules.required and (value is None or value in ("", {})):
        return "required"
    if value is None:
        return None
    if rules.max_length is not None and len(value) > rules.max_length:
        return "maxLength"
    if rules.pattern is not None and rules.pattern.matches(value) is False:
        return "pattern"
    # Written so that NaN, for which every comparison is false, breaks both.
    if rules.minimum is not None and not value >= rules.minimum:
        return "minimum"
    if rules.maximum is not None and not value <= rules.maximum:
        return "maximum"
    if rules.one_of is not None and value not in rules.one_of:
        return "oneOf"
    return None


def parse(attributes: Mapping[str, Any], kind: str, symbols: tuple[str, ...] = ()) -> Rules:
    """Parse the rules among a field's attributes. Raises ValueError for the first invalid one, with a sentence about
    it.
    """
    for problem in problems(attributes, kind, symbols):
        raise ValueError(problem)
    pattern = attributes.get("pattern")
    one_of = attributes.get("oneOf")
    floats = kind in ("float", "double")

    def number(given: Any) -> Any:
        # Arrow raises an error if a float column's bound is a whole number that a float cannot represent.
        return float(given) if floats and float(given) != given else given

    low, high = attributes.get("minimum"), attributes.get("maximum")
    return Rules(
        required=attributes.get("required", False),
        max_length=attributes.get("maxLength"),
        pattern=None if pattern is None else Pattern.parse(pattern),
        minimum=None if low is None else number(low),
        maximum=None if high is None else number(high),
        one_of=None if one_of is None else tuple(map(number, one_of)),
    )


def problems(attributes: Mapping[str, Any], kind: str, symbols: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield one sentence for each problem with a field's rules. The sentence states what to write instead."""
    for name in NAMES:
        if attributes.get(name) is None:
            continue
        value = attributes[name]
        if kind not in _APPLIES[name]:
            kinds = ", ".join(sorted(_APPLIES[name]))
            yield f"`{name}` does not apply to a field of type {kind}; remove it (it applies to {kinds})."
            continue
        problem = _problem(name, value, kind, symbols)
        if problem:
            yield problem
    longest = attributes.get("maxLength")
    bounded = isinstance(longest, int) and longest <= LONGEST_VALUE
    if attributes.get("pattern") is not None and kind in _APPLIES["pattern"] and not bounded:
        yield f"`pattern` requires a `maxLength` of at most {LONGEST_VALUE}; add it."
    low, high = attributes.get("minimum"), attributes.get("maximum")
    if low is not None and high is not None and _is_number(low) and _is_number(high) and low > high:
        yield f"`minimum` {low} is above `maximum` {high}, which excludes every value; swap them."


def _problem(name: str, value: Any, kind: str, symbols: tuple[str, ...]) -> str | None:
    match name:
        case "required":
            return None if isinstance(value, bool) else "`required` must be true or false."
        case "maxLength":
            whole = _is_number(value, whole=True)
            return None if whole and value > 0 else "`maxLength` must be a positive whole number of at most 64 bits."
        case "pattern":
            try:
                Pattern.parse(value)
            except ValueError as error:
                return f"`pattern` {value!r} is not valid: {error}"
            return None
        case "minimum" | "maximum":
            whole = kind in ("int", "long")
            if _is_number(value, whole=whole):
                return None
            return f"`{name}` must be a {'whole ' if whole else ''}number, like the field."
        case _:
            return _one_of_problem(value, kind, symbols)


def _one_of_problem(value: Any, kind: str, symbols: tuple[str, ...]) -> str | None:
    if not isinstance(value, list) or not value:
        return "`oneOf` must be a list with at least one value."
    if kind in NUMBERS:
        fits = all(_is_number(number, whole=kind in ("int", "long")) for number in value)
        return None if fits else f"`oneOf` must list numbers, since the field is of type {kind}."
    if not all(isinstance(text, str) for text in value):
        return f"`oneOf` must list texts, since the field is of type {kind}."
    if not all(map(storable, value)):
        return "`oneOf` lists a text with a lone surrogate, which UTF-8 cannot encode; remove it."
    unknown = [text for text in value if symbols and text not in symbols]
    return f"`oneOf` lists {unknown[0]!r}, which is not a symbol of the enum." if unknown else None


def storable(text: str) -> bool:
    """Return whether the text can be encoded as UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_number(value: Any, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not whole and math.isfinite(value)
