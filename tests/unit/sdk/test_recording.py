"""Tests that `record` never fails. It repairs an event, or else counts and reports it as unrecorded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError, BufferFull, EventTooLarge
from auditlane.sdk.context import AuditContext, context
from auditlane.sdk.event_builder import EventBuilder
from auditlane.sdk.recording import Recorder


class Log:
    """Collects what a Recorder reports, and its events after the client's own checks."""

    def __init__(self, most_bytes: int = 100_000) -> None:
        self.events: list[AuditEvent] = []
        self.errors: list[AuditlaneError] = []
        self.most_bytes = most_bytes
        self.recorder = Recorder(self.emit, lambda error, _: self.errors.append(error), "unassigned")

    def emit(self, values: dict[str, Any]) -> str:
        event = EventBuilder("svc", None, own_events=False).build(None, values)
        size = len(event.model_dump_json())
        if size > self.most_bytes:
            largest = max(values, key=lambda name: len(str(values[name])))
            raise EventTooLarge(f"{size} bytes", field=largest)
        self.events.append(event)
        return event.event_id

    def record(self, **values: Any) -> AuditEvent:
        """Record an event that has to be emitted, and return the emitted event."""
        event_id = self.recorder.record(values)
        assert event_id == self.events[-1].event_id
        return self.events[-1]


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_valid_event_is_emitted_as_it_is(log):
    event = log.record(tenant_id="acme", action="a", metadata={"a": "b"}, project="moon")
    assert (event.tenant_id, event.metadata, event.fields) == ("acme", {"a": "b"}, {"project": "moon"})
    assert log.recorder.unrecorded == log.recorder.unassigned == 0


def test_metadata_may_hold_anything(log):
    cyclic: list[object] = []
    cyclic.append(cyclic)
    event = log.record(
        tenant_id="acme",
        action="a",
        metadata={"d": Decimal("1.5"), "n": None, "c": cyclic, "s": "\ud800", 5: b"x", "o": {"k": 1}},
    )
    assert event.metadata == {"d": "1.5", "n": "null", "c": '["<cycle>"]', "s": "�", "5": "<1 bytes>", "o": '{"k": 1}'}


@pytest.mark.parametrize("values", [{}, {"tenant_id": None}, {"tenant_id": ""}])
def test_an_event_without_a_tenant_goes_to_the_catch_all_tenant(log, values, caplog):
    assert log.record(action="a", **values).tenant_id == "unassigned"
    assert log.recorder.unassigned == 1


def test_an_invalid_tenant_is_kept_as_metadata(log):
    event = log.record(action="a", tenant_id="not a tenant!")
    assert (event.tenant_id, event.metadata) == ("unassigned", {"tenant": "not a tenant!"})


def test_auditlanes_own_tenant_is_not_written(log):
    assert log.record(action="a", tenant_id="_auditlane").tenant_id == "unassigned"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ip", "not an address"),
        ("outcome", "great"),
        ("severity", 3),
        ("occurred_at", "yesterday"),
        ("event_id", "7"),
        ("user_agent", 5),
    ],
)
def test_an_invalid_field_is_omitted_and_named(log, field, value):
    event = log.record(tenant_id="acme", action="a", **{field: value})
    assert event.metadata == {"unrecorded_fields": field}


def test_several_invalid_fields_are_omitted(log):
    event = log.record(tenant_id="acme", action="a", ip="x", outcome="y", actor_id=object(), metadata={"a": "b"})
    assert event.metadata["a"] == "b"
    assert set(event.metadata["unrecorded_fields"].split(", ")) == {"ip", "outcome", "actor_id"}


def test_states_that_are_not_json_are_made_readable(log):
    state: dict[str, object] = {"self": None, "object": object()}
    state["self"] = state
    event = log.record(tenant_id="acme", action="a", before=state)
    assert event.before == '{"self": "<cycle>", "object": "<object>"}'


def test_lone_surrogates_are_replaced(log):
    event = log.record(tenant_id="acme", action="a", actor_id="x\ud800", description="fine \U0001f600")
    assert (event.actor_id, event.description) == ("x�", "fine \U0001f600")


def test_an_event_that_is_too_large_loses_its_largest_field():
    log = Log(2_000)
    event = log.record(tenant_id="acme", action="a", description="x" * 5_000, metadata={"a": "b"})
    assert event.description is None
    assert "description" in event.metadata["unrecorded_fields"]


@pytest.mark.parametrize("field", ["actor_name", "resource_id", "source", "fields", "before"])
def test_any_field_may_be_too_large(field):
    log = Log(2_000)
    value = {"project": "x" * 5_000} if field == "fields" else "x" * 5_000
    assert log.record(tenant_id="acme", action="a", **{field: value}).metadata == {"unrecorded_fields": field}


def test_an_event_that_stays_too_large_is_reported():
    log = Log(10)
    assert log.recorder.record({"tenant_id": "acme", "action": "a", "metadata": {"a": "b"}}) is None
    assert [error.code for error in log.errors] == ["EVENT_TOO_LARGE"]


@pytest.mark.parametrize("values", [{"tenant_id": "acme"}, {"tenant_id": "acme", "action": 7}])
def test_an_event_without_an_action_is_counted_and_reported(log, values):
    assert log.recorder.record(values) is None
    assert log.recorder.unrecorded == 1
    assert log.errors[0].field == "action"


def test_an_error_of_the_client_is_reported(log):
    def full(_: dict[str, Any]) -> str:
        raise BufferFull("full")

    recorder = Recorder(full, lambda error, _: log.errors.append(error), "unassigned")
    assert recorder.record({"tenant_id": "acme", "action": "a"}) is None
    assert [error.code for error in log.errors] == ["BUFFER_FULL"]


class Hostile(dict[str, str]):
    """Raises an error when it is read."""

    def items(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize("metadata", ["text", [("a", "b")], Hostile(a="b")])
def test_unreadable_metadata_is_omitted(log, metadata):
    with context(metadata={"plan": "pro", 7: 8}):
        event = log.record(tenant_id="acme", action="a", metadata=metadata)
    assert event.metadata == {"plan": "pro", "7": "8", "unrecorded_fields": "metadata"}


def test_metadata_may_be_none(log):
    assert log.record(tenant_id="acme", action="a", metadata=None).metadata == {}


def test_ids_may_be_numbers_and_uuids(log):
    some = UUID(int=7)
    event = log.record(tenant_id=some, action="a", actor_id=7, resource_id=some)
    assert (event.tenant_id, event.actor_id, event.resource_id) == (str(some), "7", str(some))
    assert event.metadata == {}


def test_keywords_beside_an_event_are_not_lost(log):
    event_id = log.recorder.record({"actor_id": "user-17"}, AuditEvent(tenant_id="acme", action="a", actor_id="x"))
    assert (log.events[-1].event_id, log.events[-1].actor_id) == (event_id, "user-17")


def test_a_value_that_is_not_an_event_is_reported(log):
    assert log.recorder.record({}, "document.deleted") is None
    assert log.recorder.unrecorded == 1


def test_an_unexpected_error_is_reported(log):
    def fail(_: dict[str, Any]) -> str:
        raise RuntimeError

    recorder = Recorder(fail, lambda error, _: log.errors.append(error), "unassigned")
    assert recorder.record({"tenant_id": "acme", "action": "a"}) is None
    assert "RuntimeError" in log.errors[0].message


def test_an_event_that_an_integration_could_not_make_is_counted_and_reported(log):
    log.recorder.report_unrecorded(KeyError("x"))
    log.recorder.report_unrecorded(BufferFull("full"))
    assert log.recorder.unrecorded == 2
    assert isinstance(log.errors[0].__cause__, KeyError)
    assert log.errors[1].code == "BUFFER_FULL"


def test_recording_does_not_recurse(log):
    def emit(values: dict[str, Any]) -> str:
        assert recorder.record({"tenant_id": "acme", "action": "inner"}) is None
        return log.emit(values)

    recorder = Recorder(emit, lambda error, _: log.errors.append(error), "unassigned")
    assert recorder.record({"tenant_id": "acme", "action": "outer"}) is not None
    assert [event.action for event in log.events] == ["outer"]
    assert recorder.unrecorded == 1


def test_a_resolver_that_raises_does_not_stop_the_event(log):
    def resolve(_: AuditContext) -> None:
        raise LookupError

    with context(actor="user-17", resolve=resolve):
        assert log.record(action="a").actor_id == "user-17"
    assert "LookupError" in log.errors[0].message


def test_an_exit_is_not_swallowed(log):
    def leave(_: dict[str, Any]) -> str:
        raise SystemExit

    recorder = Recorder(leave, lambda error, _: None, "unassigned")
    with pytest.raises(SystemExit):
        recorder.record({"tenant_id": "acme", "action": "a"})
