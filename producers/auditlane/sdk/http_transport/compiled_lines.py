"""Checks and encodes the keywords of `emit` as a line of JSON, without an AuditEvent. A function is compiled for each
set of keywords that recurs.

It accepts only values of the usual types, and leaves other events to the model and `lines`. An event encoded here is
valid there too, with the same bytes, as `tests/unit/sdk/http_transport/test_compiled_lines.py` verifies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS, Outcome, Severity
from auditlane.runtime.ids import uuid7
from auditlane.sdk import plain_values as plain
from auditlane.sdk.compiled_encoding import CACHED, CompiledEncoders, custom_fields
from auditlane.sdk.http_transport.lines import MEMBERS, encode
from auditlane.sdk.plain_values import Recurring, Unusual

_CACHED: Final = {**CACHED, "ip": "IPS"}
_EMPTY_IS_OMITTED: Final = ("actor_id", "resource", "source", "ip", "user_agent")
_NULLABLE: Final = ("actor_name", "on_behalf_of", "resource_id", "description", "ip", "user_agent", "before", "after")
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_MOST_SECONDS: Final = 4_096  # times that are cached


def encoded(values: Mapping[str, Any], max_event_bytes: int) -> tuple[str, bytes] | None:
    """Return the id and the line for an event given by `emit`'s keyword values, or None if it needs full validation or
    its keywords are new.
    """
    compiled = COMPILED.get(tuple(values))
    if compiled is None:
        return None
    try:
        event_id, line = compiled(values, time.time_ns() // 1_000)
    except MemoryError:
        raise
    except Exception:  # a value's own code may raise any exception
        return None
    return (event_id, line) if len(line) <= max_event_bytes else None


class _Seconds(dict[int, str]):
    """A cache of the texts of times, without fractions of a second."""

    def __missing__(self, seconds: int) -> str:
        if len(self) >= _MOST_SECONDS:
            self.clear()
        self[seconds] = text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
        return text


def _time(micros: int) -> str:
    rest = micros % 1_000_000
    return f"{_SECONDS[micros // 1_000_000]}.{rest:06}Z" if rest else f"{_SECONDS[micros // 1_000_000]}Z"


def _metadata(metadata: Any) -> str:
    if type(metadata) is not dict:
        raise Unusual
    if not metadata:
        return ""
    for name, value in metadata.items():
        if type(name) is not str or type(value) is not str:
            raise Unusual
    members = ",".join([f"{_TEXTS[name]}:{quoted(value)}" for name, value in metadata.items()])
    return f',"metadata":{{{members}}}'


def _fields(fields: Any, custom: dict[str, Any]) -> str:
    if type(fields) is not dict:
        raise Unusual
    given = {**fields, **custom}
    for name, value in given.items():
        if type(name) is not str or type(value) not in _PLAIN:
            raise Unusual
    return f',"fields":{encode(given)}' if given else ""


def _checked(known: Mapping[str, str]) -> Recurring:
    """Return a cache of the JSON of strings that pass the check of another cache."""

    def encode_checked(text: str) -> str:
        known[text]  # raises an exception for an invalid string
        return quoted(text)

    return Recurring(encode_checked)


_SECONDS: Final = _Seconds()
_TEXTS: Final = Recurring(quoted)
_NAMES: Final[Mapping[str, Any]] = {
    "TENANTS": _checked(plain.TENANTS),
    "ACTIONS": _checked(plain.ACTIONS),
    "SOURCES": _checked(plain.SOURCES),
    "IPS": _checked(plain.IPS),
    "TEXTS": _TEXTS,
    "OUTCOMES": {outcome.value: quoted(outcome.value) for outcome in Outcome},
    "SEVERITIES": {severity.value: quoted(severity.value) for severity in Severity},
    "Outcome": Outcome,
    "Severity": Severity,
    "Unusual": Unusual,
    "fields_of": _fields,
    "id_text": plain.id_text,
    "metadata_of": _metadata,
    "micros": plain.micros,
    "quoted": quoted,
    "state_text": plain.state_text,
    "time": _time,
    "uuid7": uuid7,
}


def _source(names: tuple[str, ...]) -> str:
    """Return the source code of the function for these keywords. Its arguments are the values, and the time in
    microseconds since 1970.
    """
    given = set(names)
    known = {"tenant_id", "action"} <= given
    lines = [] if known else ["raise Unusual"]
    for name in BASE_FIELDS:
        if name in given and name not in ("event_id", "occurred_at"):
            lines += _checks(name)
    lines.append("event_id = id_text(v['event_id'])" if "event_id" in given else "event_id = uuid7()")
    if "occurred_at" in given:
        lines.append("now_us = micros(v['occurred_at'], now_us)")
    parts = [_part(name, given=name in given) for name in MEMBERS if name != "event_id"]
    fields, custom = custom_fields(names)
    parts += [
        ',"request_id":{request_id}' if "request_id" in given else ',"request_id":""',
        ',"occurred_at":"{time(now_us)}"',
        ',"outcome":{OUTCOMES[outcome]}' if "outcome" in given else ',"outcome":"unknown"',
        ',"severity":{SEVERITIES[severity]}' if "severity" in given else ',"severity":"Info"',
        "" if fields == custom == "{}" else "{fields_of(fields, custom)}",
    ]
    if parts[-1]:
        lines.append(f"fields, custom = {fields}, {custom}")
    lines.append(f"return event_id, f'''{{{{\"event_id\":\"{{event_id}}\"{''.join(parts)}}}}}'''.encode()")
    return "def encode(v, now_us):\n" + "".join(f"    {line}\n" for line in lines)


def _checks(name: str) -> list[str]:
    """Return the statements that read and check a field. They assign the text for the line, or the value."""
    read, wrong = f"{name} = v[{name!r}]", f"if type({name}) is not str"
    if name == "metadata":
        return [f"{name} = metadata_of(v[{name!r}])"]
    if name in ("outcome", "severity"):
        return [read, f"{wrong} and type({name}) is not {name.title()}: raise Unusual"]
    if name == "request_id":
        return [read, f"{wrong} and {name} is not None: raise Unusual", f'{name} = quoted({name} or "")']
    checks = [read]
    if name in ("before", "after"):
        checks.append(f"{wrong} and {name} is not None: {name} = state_text({name})")
    elif name in _NULLABLE:
        checks.append(f"{wrong} and {name} is not None: raise Unusual")
    else:
        checks.append(f"{wrong}: raise Unusual")
    text = f"{_CACHED[name]}[{name}]" if name in _CACHED else f"quoted({name})"
    member = f"f',\"{name}\":{{{text}}}'"
    if name in _EMPTY_IS_OMITTED:
        return [*checks, f"{name} = {member} if {name} else ''"]
    return [*checks, f"{name} = '' if {name} is None else {member}" if name in _NULLABLE else f"{name} = {member}"]


def _part(name: str, *, given: bool) -> str:
    """Return a field's part of the f-string that encodes the event."""
    if given:
        return f"{{{name}}}"
    return ',"actor_type":"user"' if name == "actor_type" else ""


COMPILED: Final = CompiledEncoders(_source, _NAMES)
