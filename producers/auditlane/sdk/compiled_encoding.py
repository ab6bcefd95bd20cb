"""Compiles a function that checks and encodes the keywords of `emit`, for each set of keywords that recurs.

A service emits events with few different sets of keywords. A function for one of them has no arguments to look up, no
defaults to test and no calls for most of the fields. It takes about three quarters of the time of `plain_encoding`.
The two agree, as `tests/unit/sdk/test_plain_encoding.py` verifies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS, Outcome, Severity
from auditlane.runtime.ids import uuid7
from auditlane.sdk import plain_values as values

# Takes the values and other arguments, and returns the event id and the encoded event. Raises an exception if the event
# needs full validation.
Encode = Callable[..., tuple[str, bytes]]

_COMPILE_AFTER: Final = 16  # events with the same keywords
_MOST_COMPILED: Final = 256  # functions; a caller may choose the keywords, as at the gateway
_MOST_COUNTED: Final = 1_024  # sets of keywords that are counted
# A larger set is neither counted nor compiled, since a caller could otherwise fill the memory, or compile for seconds.
_MOST_NAMES: Final = 100
_MOST_CHARACTERS: Final = 4_096  # of all names in a set
_REQUIRED: Final = ("tenant_id", "action")
# Fields with recurring values, and the cache of their encoded forms.
CACHED: Final = {
    "tenant_id": "TENANTS",
    "action": "ACTIONS",
    "actor_type": "TEXTS",
    "resource": "TEXTS",
    "source": "SOURCES",
}
# Fields with fixed values: the type besides str that a value may have, and the encoded forms.
_ENUMS: Final = {"outcome": ("Outcome", "OUTCOMES"), "severity": ("Severity", "SEVERITIES")}
_STATES: Final = ("before", "after")
# What an omitted field becomes, unless that is null.
_OMITTED: Final = {
    "actor_id": values.text(""),
    "actor_type": values.text("user"),
    "resource": values.text(""),
    "outcome": values.OUTCOMES[Outcome.unknown.value],
    "severity": values.SEVERITIES[Severity.Info.value],
    "source": values.text(""),
    "metadata": "\x00",
}
# The same in source code. It is made here, since a signal handler that emits may interrupt the import of a codec, which
# cannot be used until it has been imported.
_OMITTED_SOURCE: Final = {name: text.encode("unicode_escape").decode() for name, text in _OMITTED.items()}
_NULL_SOURCE: Final = values.NULL.encode("unicode_escape").decode()
NAMES: Final[Mapping[str, Any]] = {**vars(values), "uuid7": uuid7}


class CompiledEncoders:
    """Compiles a function for each set of keywords that recurs, and keeps it. Threads can share it."""

    def __init__(
        self,
        source: Callable[[tuple[str, ...]], str],
        names: Mapping[str, Any],
        compile_after: int = _COMPILE_AFTER,
    ) -> None:
        """Create a cache of functions.

        `source` returns the source code of the function `encode` for a set of keywords, and `names` contains what the
        code uses.
        """
        self._source = source
        self._names = names
        self._compile_after = compile_after
        self._compiled: dict[tuple[str, ...], Encode] = {}
        self._seen: dict[tuple[str, ...], int] = {}

    def get(self, names: tuple[str, ...]) -> Encode | None:
        """Return the function for these keywords, or None if they are too many or have not recurred often enough."""
        found = self._compiled.get(names)
        if found is None:
            if len(names) > _MOST_NAMES or sum(map(len, names)) > _MOST_CHARACTERS:
                return None
            seen = self._seen.get(names, 0)
            if seen < self._compile_after:
                if len(self._seen) >= _MOST_COUNTED:
                    self._seen.clear()
                self._seen[names] = seen + 1
                return None
            if len(self._compiled) >= _MOST_COMPILED:
                self._compiled.clear()
            self._compiled[names] = found = self._made(names)
        return found

    def _made(self, names: tuple[str, ...]) -> Encode:
        namespace = dict(self._names)
        exec(self._source(names), namespace)  # noqa: S102 - made of constants; names of custom fields are quoted by repr()
        function: Encode = namespace["encode"]
        return function


def source(names: tuple[str, ...], omitted: Set[str] = frozenset()) -> str:
    """Return the source code of the function that encodes an event with these keywords in Avro.

    Its arguments are the values, the time in microseconds since 1970, the text before the event id, the encoder of
    custom fields, whether the contract has any, the encoded values of `omitted` fields by name, and what returns a new
    id. It raises IndexError for a long text.
    """
    given = set(names)
    lines: list[str] = []
    parts = ["{header}"]
    for name in BASE_FIELDS:
        if name in given:
            lines += _checks(name)
        is_omitted = name in omitted and name not in given
        parts.append(f"{{omitted[{name!r}]}}" if is_omitted else _part(name, given=name in given))
    fields, custom = custom_fields(names)
    needed = "has_own" if fields == custom == "{}" else "True"
    body = [
        *([] if given.union(omitted).issuperset(_REQUIRED) else ["raise Unusual"]),
        *lines,
        *([] if "event_id" in given else ["event_id = new_id()"]),
        f"encoded = f\"{''.join(parts)}\".encode('latin-1')",
        f"if {needed}:",
        f"    encoded += own({fields}, {custom})",
        "return event_id, encoded",
    ]
    declared = "def encode(v, now_us, header, own, has_own, omitted=None, new_id=uuid7):\n"
    return declared + "".join(f"    {line}\n" for line in body)


def custom_fields(names: tuple[str, ...]) -> tuple[str, str]:
    """Return the source code of the values of `fields`, and of a dict with the keywords that are custom fields."""
    own = [f"{name!r}: v[{name!r}]" for name in names if name not in BASE_FIELDS and name != "fields"]
    return "v['fields']" if "fields" in names else "{}", "{" + ", ".join(own) + "}"


def _checks(name: str) -> list[str]:
    """Return the statements that read and check a field. They assign its value and, for some, the bytes before it."""
    read, is_text = f"{name} = v[{name!r}]", f"type({name}) is not str"
    encoded = f"if not {name}.isascii(): {name} = utf8({name})"
    if name in CACHED:
        return [read, f"if {is_text}: raise Unusual"]
    if name in _ENUMS:
        return [read, f"if {is_text} and type({name}) is not {_ENUMS[name][0]}: raise Unusual"]
    if name == "event_id":
        return [f"event_id = id_text(v[{name!r}])"]
    if name == "occurred_at":
        return [f"occurred_at = micros(v[{name!r}], now_us)"]
    if name == "metadata":
        return [read]
    if name == "actor_id":
        return [read, f"if {is_text}: raise Unusual", encoded]
    if name == "ip":
        return [read, f"if {name} is not None and {is_text}: raise Unusual"]
    empty = f"if {name} is None or ({is_text.replace('not ', '')} and not {name}):"
    return [
        read,
        empty if name == "user_agent" else f"if {name} is None:",
        f"    {name}_tag = NULL; {name} = ''",
        "else:",
        f"    if {is_text}: {name} = state_text({name})" if name in _STATES else f"    if {is_text}: raise Unusual",
        f"    {encoded}",
        f"    {name}_tag = PRESENT_LENGTH[len({name})]",
    ]


def _part(name: str, *, given: bool) -> str:
    """Return a field's part of the f-string that encodes the event."""
    if name == "event_id":
        return "{event_id}"
    if name == "occurred_at":
        micros = "occurred_at" if given else "now_us"  # the parts of `plain_values.time`
        return (
            f"{{FIRST[{micros} & 63]}}{{NEXT[{micros} >> 6 & 127]}}{{NEXT[{micros} >> 13 & 127]}}"
            f"{{SECONDS[{micros} >> 20]}}"
        )
    if not given:
        return _OMITTED_SOURCE.get(name, _NULL_SOURCE)
    if name in CACHED:
        return f"{{{CACHED[name]}[{name}]}}"
    if name in _ENUMS:
        return f"{{{_ENUMS[name][1]}[{name}]}}"
    if name == "metadata":
        return "{texts(metadata)}"
    if name == "actor_id":
        return "{LENGTH[len(actor_id)]}{actor_id}"
    if name == "ip":
        return "{NULL if ip is None else IPS[ip]}"
    return f"{{{name}_tag}}{{{name}}}"
