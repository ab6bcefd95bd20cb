"""Tests the events for Celery's signals in a single process, with eager tasks and with signals as the worker sends
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.task import Context
from recording import RecordingClient

from auditlane.integrations.celery import install
from auditlane.integrations.celery.carrying import HEADER, put_in, taken_from
from auditlane.runtime.errors import ConfigError
from auditlane.sdk.context import context, current

SIGNALS = (
    *("before_task_publish", "task_received", "task_prerun", "task_postrun"),
    *("task_failure", "task_retry", "task_revoked"),
)


@pytest.fixture
def log() -> RecordingClient:
    return RecordingClient()


@pytest.fixture
def app(log: RecordingClient) -> Iterator[Celery]:
    made = Celery("shop", set_as_current=False, broker="memory://", backend="cache+memory://")
    install(made, client=log, tenant="internal")  # type: ignore[arg-type]
    yield made
    for name in SIGNALS:
        getattr(signals, name).disconnect(dispatch_uid=f"auditlane.{id(made)}.{name}")


def message(headers: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Return the headers as the worker receives them, after a broker has carried them as JSON."""
    return json.loads(json.dumps(headers)) | values


def nothing() -> None:
    """Do nothing, as a task."""


def published() -> dict[str, Any]:
    headers: dict[str, Any] = {"id": "t-1", "task": "shop.work"}
    signals.before_task_publish.send(sender="shop.work", headers=headers, body=None)
    return headers


def run(task: Any, headers: dict[str, Any]) -> None:
    from celery.app.trace import build_tracer

    build_tracer(task.name, task, app=task.app)("t-1", (), {}, message(headers, root_id="root-1"))


def test_a_task_has_the_context_in_which_it_was_sent(app: Celery, log: RecordingClient) -> None:
    @app.task(name="shop.work")
    def work() -> None:
        log.record(action="work.done")

    with context(tenant="acme", actor="user-17", request_id="req-1", metadata={"plan": "pro"}):
        headers = published()
    run(work, headers)
    event = log.only
    assert (event.tenant_id, event.actor_id, event.request_id, event.metadata) == (
        "acme", "user-17", "req-1", {"plan": "pro"}
    )  # fmt: skip
    assert current() is None


def test_a_task_that_was_sent_without_context_has_none(app: Celery, log: RecordingClient) -> None:
    @app.task(name="shop.work")
    def work() -> None:
        log.record(action="work.done")

    assert HEADER not in published()
    run(work, published())
    assert log.only.tenant_id == "unassigned"


def test_a_failure_is_recorded_without_arguments_and_texts(app: Celery, log: RecordingClient) -> None:
    @app.task(name="shop.work")
    def work() -> None:
        raise LookupError("a secret")

    with context(tenant="acme", actor="user-17"):
        headers = published()
    run(work, headers)
    event = log.only
    assert (event.action, event.resource, event.resource_id, event.outcome.value, event.severity.value) == (
        "task.failed", "task", "shop.work", "failure", "Error"
    )  # fmt: skip
    assert (event.tenant_id, event.actor_id, event.request_id) == ("acme", "user-17", "root-1")
    assert event.metadata.pop("duration_ms").isdigit()
    assert event.metadata == {"task_id": "t-1", "exception": "LookupError"}
    assert "secret" not in event.model_dump_json()
    assert current() is None


def test_the_tenant_of_a_task_without_context(log: RecordingClient) -> None:
    made = Celery("other", set_as_current=False, broker="memory://")
    seen: list[Any] = []
    install(made, client=log, tenant=lambda request: seen.append(request.id) or "globex")  # type: ignore[arg-type]

    @made.task(name="other.work")
    def work() -> None:
        raise LookupError

    run(work, {"id": "t-1"})
    assert log.only.tenant_id == "globex"
    assert set(seen) == {"t-1"}


def test_a_retried_task_is_recorded(app: Celery, log: RecordingClient) -> None:
    @app.task(name="shop.work", bind=True, max_retries=1)
    def work(self: Any) -> None:
        raise self.retry(exc=LookupError("a secret"), countdown=0)

    with context(tenant="acme"):
        headers = published()
    run(work, headers)
    assert (log.only.action, log.only.severity.value, log.only.metadata["exception"]) == (
        "task.retried", "Low", "LookupError"
    )  # fmt: skip
    log.events.clear()
    run(work, {**headers, "retries": 1})
    assert (log.only.action, log.only.metadata["retries"]) == ("task.failed", "1")


@pytest.mark.parametrize(
    ("terminated", "expired", "reason"),
    [(False, False, "revoked"), (True, False, "terminated"), (False, True, "expired")],
)
def test_a_revoked_task_is_recorded(
    app: Celery, log: RecordingClient, terminated: bool, expired: bool, reason: str
) -> None:
    task = app.task(name="shop.work")(nothing)
    with context(tenant="acme"):
        request = Context(published(), id="t-1")
    signals.task_revoked.send(task, request=request, terminated=terminated, signum=None, expired=expired)
    assert (log.only.action, log.only.tenant_id, log.only.metadata) == (
        "task.revoked", "acme", {"task_id": "t-1", "reason": reason}
    )  # fmt: skip


def test_a_lost_process_is_reported_by_the_main_process(app: Celery, log: RecordingClient) -> None:
    task = app.task(name="shop.work")(nothing)
    with context(tenant="acme", actor="user-17"):
        headers = published()

    class Request(SimpleNamespace):
        __hash__ = object.__hash__

    request = Request(id="t-1", request_dict=headers)
    signals.task_received.send(sender=None, request=request)
    signals.task_failure.send(sender=task, task_id="t-1", exception=LookupError("a secret"), args=("secret",))
    del request
    signals.task_failure.send(sender=task, task_id="t-1", exception=LookupError("a secret"))
    assert [(event.tenant_id, event.actor_id) for event in log.events] == [("acme", "user-17"), ("internal", "")]
    assert "secret" not in "".join(event.model_dump_json() for event in log.events)


def test_tasks_of_other_applications_and_actions_that_are_not_chosen(app: Celery, log: RecordingClient) -> None:
    other = Celery("other", set_as_current=False, broker="memory://")
    quiet = Celery("quiet", set_as_current=False, broker="memory://")
    install(quiet, client=log, actions=["task.revoked"])  # type: ignore[arg-type]
    for made in (other, quiet):

        @made.task(name="shop.work")
        def work() -> None:
            raise LookupError

        run(work, {"id": "t-1"})
    assert log.events == []


def test_installing_twice_records_once(app: Celery, log: RecordingClient) -> None:
    install(app, client=log)  # type: ignore[arg-type]

    @app.task(name="shop.work")
    def work() -> None:
        raise LookupError

    run(work, published())
    assert len(log.events) == 1


def test_the_carried_context_is_bounded() -> None:
    headers: dict[str, Any] = {}
    with context(tenant="acme", user_agent="x" * 100_000, metadata={f"n{n}": "y" * 900 for n in range(100)}):
        put_in(headers)
    assert len(json.dumps(headers)) < 10_000
    assert headers[HEADER]["tenant_id"] == "acme"


@pytest.mark.parametrize("value", ["text", 7, [], {"tenant_id": 7, "actor_id": ["x"], "metadata.n": {}, 3: "x"}, None])
def test_a_foreign_header_is_ignored(value: Any) -> None:
    found = taken_from({HEADER: value}, request_id="req-1")
    assert found is None or (found.tenant_id, found.actor_id, found.metadata) == (None, None, {})


def test_an_internal_error_is_counted_and_does_not_reach_the_caller(app: Celery, log: RecordingClient) -> None:
    with context(tenant="acme"):
        signals.before_task_publish.send(sender="shop.work", headers="a secret")
    assert log._recorder.unrecorded == 1
    assert ["TypeError" in str(error) and "secret" not in str(error) for error in log.errors] == [True]


def test_a_task_that_runs_inside_itself_leaves_its_context_once(app: Celery, log: RecordingClient) -> None:
    @app.task(name="shop.work", bind=True)
    def work(self: Any, depth: int) -> None:
        if depth:
            self.apply((depth - 1,), task_id="t-1", headers={})  # as a retry of an eager task does
            log.record(action="work.done")
            raise LookupError

    from celery.app.trace import build_tracer

    with context(tenant="acme"):
        headers = published()
    build_tracer(work.name, work, app=app)("t-1", (1,), {}, message(headers, root_id="root-1"))
    assert [(event.action, event.tenant_id) for event in log.events] == [
        ("work.done", "acme"), ("task.failed", "acme")
    ]  # fmt: skip
    assert "duration_ms" in log.events[1].metadata
    assert current() is None


def test_an_unknown_action_is_refused_with_a_fix() -> None:
    with pytest.raises(ConfigError, match="install") as caught:
        install(Celery("shop", set_as_current=False), actions=["task.fialed"])
    assert "task.failed" in caught.value.fix
