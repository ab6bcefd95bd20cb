"""Tests that compiled lines are those of the model, and that usual events are compiled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.sdk.compiled_encoding import CompiledEncoders
from auditlane.sdk.event_builder import EventBuilder
from auditlane.sdk.http_transport import compiled_lines
from auditlane.sdk.http_transport.lines import line_of

LIMIT = 20_000
NOW = datetime.now(UTC)
BUILDER = EventBuilder("", None, own_events=False)
SHARED = [HealthCheck.function_scoped_fixture]  # `compiled` is the same for all examples


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    found = compiled_lines.COMPILED
    monkeypatch.setattr(compiled_lines, "COMPILED", CompiledEncoders(found._source, found._names, 0))


class Text(str):
    __slots__ = ()


class Hostile:
    """A value whose methods all raise errors."""

    def _fail(self, *_):
        raise RuntimeError

    __eq__ = __hash__ = __str__ = __bool__ = __len__ = __iter__ = _fail
    __class__ = property(_fail)


texts = st.text(max_size=8) | st.sampled_from(
    ["", " ", "x" * 21_000, "\ud800", "a\x00\x7f\u2028", '"\\\n', "\U0001f600"]
)
odd = st.sampled_from(
    [None, "", 0, 1.5, True, b"bytes", [], {}, {"a": 1}, {1: 2}, ["\ud800"], Text("text"), UUID(int=5)]
)
own = texts | st.integers() | st.floats() | st.booleans() | st.none()
times = st.timedeltas(timedelta(days=-3_600), timedelta(hours=23)).map(lambda ago: NOW + ago)
BY_FIELD = {
    "event_id": st.uuids() | st.uuids().map(str) | st.just(UUID(int=9).hex),
    "tenant_id": st.sampled_from(["acme", "a" * 101, "_auditlane", "a\n"]),
    "occurred_at": times | times.map(lambda at: at.replace(microsecond=0)) | times.map(datetime.isoformat),
    "outcome": st.sampled_from([*Outcome, "denied", "Denied"]),
    "severity": st.sampled_from([*Severity, "Low", "low"]),
    "ip": st.ip_addresses().map(str) | st.sampled_from(["", "fe80::1%eth0", "1.2"]),
    "before": texts | st.dictionaries(st.text(max_size=3), st.integers() | texts, max_size=2),
    "source": st.sampled_from(["", "billing", "auditlane"]),
    "metadata": st.dictionaries(texts, texts, max_size=3),
    "fields": st.dictionaries(st.sampled_from(["project", "action", "\ud800"]), own | odd, max_size=2),
    "project": own,
    'it\'s {a} "name"': own,
}


@st.composite
def keywords(draw):
    """Draw keywords for `emit`. Most are valid, and some are unusual or invalid."""
    values = {"tenant_id": "acme", "action": "login"}
    for name in sorted(draw(st.sets(st.sampled_from([*AuditEvent.model_fields, *BY_FIELD]), max_size=9))):
        values[name] = draw(odd if draw(st.integers(0, 29)) == 0 else BY_FIELD.get(name, texts))
    return values


@settings(max_examples=200, suppress_health_check=SHARED)
@given(values=keywords())
def test_a_compiled_line_is_the_models(values):
    encoded = compiled_lines.encoded(values, LIMIT)
    if encoded is not None:
        event_id, line = encoded
        values.setdefault("event_id", event_id)
        if "occurred_at" not in values:
            values["occurred_at"] = _time_in(line)
        event = BUILDER.build(None, values)
        assert (event.event_id, line_of(event, LIMIT)) == (event_id, line)


def _time_in(line: bytes) -> str:
    return line.decode().rpartition('"occurred_at":"')[2].partition('"')[0]


def test_an_event_without_a_time_has_the_current_one():
    values = {"tenant_id": "acme", "action": "login"}
    before = datetime.now(UTC)
    _, line = compiled_lines.encoded(values, LIMIT)
    assert before <= datetime.fromisoformat(_time_in(line)) <= datetime.now(UTC)


usual = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: not text.isspace())
USUAL = {
    "event_id": st.uuids() | st.uuids().map(str),
    "tenant_id": st.just("acme"),
    "occurred_at": times,
    "outcome": st.sampled_from([*Outcome]),
    "severity": st.sampled_from([*Severity]),
    "ip": st.ip_addresses().map(str) | st.none(),
    "before": usual | st.none() | st.dictionaries(usual, st.integers() | usual, max_size=3),
    "after": st.lists(usual, max_size=3),
    "source": st.sampled_from(["", "billing"]),
    "metadata": st.dictionaries(usual, usual, max_size=3),
    "fields": st.dictionaries(usual, usual | st.integers() | st.none(), max_size=2),
}


@settings(max_examples=50, suppress_health_check=SHARED)
@given(st.fixed_dictionaries({name: USUAL.get(name, usual) for name in AuditEvent.model_fields}))
def test_usual_events_are_compiled(values):
    event_id, line = compiled_lines.encoded(values | {"project": "moon"}, LIMIT)
    assert (event_id, line) == (
        str(values["event_id"]),
        line_of(BUILDER.build(None, values | {"project": "moon"}), LIMIT),
    )


@pytest.mark.parametrize("name", [*AuditEvent.model_fields, "project"])
def test_values_that_cannot_be_read_are_left_to_the_model(name):
    values = {"tenant_id": "acme", "action": "login", name: Hostile()}
    assert compiled_lines.encoded(values, LIMIT) is None


@pytest.mark.parametrize("names", [("action",), ("tenant_id",), ()])
def test_events_without_a_required_field_are_left_to_the_model(names):
    assert compiled_lines.encoded(dict.fromkeys(names, "acme"), LIMIT) is None


def test_an_event_that_may_be_too_large_is_left_to_the_model():
    values = {"tenant_id": "acme", "action": "login", "description": "é" * 100}
    _, line = compiled_lines.encoded(values, LIMIT)
    assert compiled_lines.encoded(values, len(line)) is not None
    assert compiled_lines.encoded(values, len(line) - 1) is None
