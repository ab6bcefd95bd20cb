"""Tests that log records become events if, and only if, they have an `audit` attribute."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from recording import RecordingClient

from auditlane.contract.event import AuditEvent
from auditlane.integrations.logging import AuditHandler
from auditlane.integrations.structlog import AuditProcessor
from auditlane.sdk.context import context
from auditlane.sdk.recording import Recorder


@pytest.fixture
def log() -> RecordingClient:
    return RecordingClient()


@pytest.fixture
def logger(log: RecordingClient) -> Iterator[logging.Logger]:
    """Provide a logger with the handler, inside a tenant's context."""
    handler = AuditHandler(log)  # type: ignore[arg-type]
    made = logging.getLogger("shop.documents")
    made.setLevel(logging.DEBUG)
    root = logging.getLogger()
    root.addHandler(handler)
    with context(tenant="acme", actor="user-17"):
        yield made
    root.removeHandler(handler)


def test_a_record_with_audit_is_an_event(logger: logging.Logger, log: RecordingClient) -> None:
    began = datetime.now(UTC)
    logger.info("Deleted %s", "d-1", extra={"audit": {"action": "document.deleted", "resource_id": "d-1"}})
    event = log.only
    assert (event.tenant_id, event.actor_id, event.action, event.resource_id, event.description) == (
        "acme", "user-17", "document.deleted", "d-1", "Deleted d-1"
    )  # fmt: skip
    assert began - timedelta(seconds=1) < event.occurred_at <= datetime.now(UTC)


def test_other_records_are_not_events(logger: logging.Logger, log: RecordingClient) -> None:
    logger.info("Deleted the draft")
    logger.warning("Deleted", extra={"other": {"action": "document.deleted"}})
    logger.info("Nothing", extra={"audit": None})
    assert log.events == []


def test_the_action_alone_and_a_description_of_its_own(logger: logging.Logger, log: RecordingClient) -> None:
    logger.info("Deleted", extra={"audit": "document.deleted"})
    logger.info("internal wording", extra={"audit": {"action": "document.saved", "description": "Saved"}})
    assert [(event.action, event.description) for event in log.events] == [
        ("document.deleted", "Deleted"), ("document.saved", "Saved")
    ]  # fmt: skip


def test_an_exception_makes_it_a_failure(logger: logging.Logger, log: RecordingClient) -> None:
    try:
        raise LookupError("a secret")
    except LookupError:
        logger.exception("Not deleted", extra={"audit": {"action": "document.deleted", "metadata": {"n": 1}}})
    assert (log.only.outcome.value, log.only.metadata) == ("failure", {"exception": "LookupError", "n": "1"})
    assert "secret" not in log.only.model_dump_json()


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    "audit", [{}, {"action": ""}, 17, ["document.deleted"], {"action": "a b"}, {1: 2}, Hostile(action="x")]
)
def test_an_invalid_event_is_reported_and_never_raised(
    logger: logging.Logger, log: RecordingClient, audit: Any
) -> None:
    logger.info("x", extra={"audit": audit})
    assert log.events == [] or log.only.action == "a b"
    assert len(log.errors) + len(log.events) == 1


def test_a_message_whose_arguments_do_not_fit(log: RecordingClient) -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 1, "%d items", ("many",), None)
    record.audit = "item.counted"
    with context(tenant="acme"):
        AuditHandler(log).handle(record)  # type: ignore[arg-type]
    assert (log.only.action, log.only.description) == ("item.counted", None)


def test_a_long_message_is_cut(logger: logging.Logger, log: RecordingClient) -> None:
    logger.info("x" * 100_000, extra={"audit": "document.deleted"})
    assert log.only.description == "x" * 1_000


@pytest.mark.parametrize("name", ["auditlane", "auditlane.sdk", "confluent_kafka"])
def test_the_loggers_of_the_sdk_are_ignored(logger: logging.Logger, log: RecordingClient, name: str) -> None:
    logging.getLogger(name).warning("x", extra={"audit": "document.deleted"})
    logging.getLogger(f"{name.split('.')[0]}_of_the_application").warning("x", extra={"audit": "document.deleted"})
    assert len(log.events) == 1


def test_logging_inside_the_recording_does_not_recurse(logger: logging.Logger, log: RecordingClient) -> None:
    emitted: list[AuditEvent] = []

    def emit(values: dict[str, Any]) -> str:
        logger.info("inside", extra={"audit": "inner.logged"})
        emitted.append(AuditEvent.checked(values))
        return emitted[-1].event_id

    log._recorder = Recorder(emit, lambda error, _: log.errors.append(error), "unassigned")
    logger.info("outside", extra={"audit": "outer.logged"})
    assert [event.action for event in emitted] == ["outer.logged"]
    assert log._recorder.unrecorded == 1


def test_a_structlog_entry_becomes_an_event(log: RecordingClient) -> None:
    rendered: list[Any] = []

    def render(_: Any, __: str, entry: Any) -> str:
        rendered.append(dict(entry))
        raise structlog.DropEvent

    made = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[AuditProcessor(log), render],  # type: ignore[arg-type]
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    with context(tenant="acme"):
        made.info("nothing")
        made.bind(user=1).info("Deleted", audit={"action": "document.deleted"})
        try:
            raise LookupError("a secret")
        except LookupError as error:
            made.exception("Not deleted", audit="document.deleted")
            made.error("Not deleted", audit="document.deleted", exc_info=error)
        made.info("internal", logger="auditlane.sdk", audit="document.deleted")
        made.info("hostile", audit=Hostile(action="x"))
    assert [(event.action, event.description, event.outcome.value) for event in log.events] == [
        ("document.deleted", "Deleted", "unknown"),
        ("document.deleted", "Not deleted", "failure"),
        ("document.deleted", "Not deleted", "failure"),
    ]
    assert [event.metadata for event in log.events[1:]] == [{"exception": "LookupError"}] * 2
    assert len(log.errors) == 1
    assert len(rendered) == 6
    assert not any("audit" in entry for entry in rendered)
    assert rendered[1] == {"user": 1, "event": "Deleted"}
