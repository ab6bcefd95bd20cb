"""Tests the audit context. It is read when an event is created, and nested contexts, tasks and threads inherit it."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider

from auditlane.runtime import trace_context
from auditlane.sdk.context import AuditContext, carried, context, current, fill, restored
from auditlane.sdk.trace import request_id_of


def filled(**values):
    """Return an event's keywords after the current context has added those that are missing."""
    errors: list[Exception] = []
    fill(values, errors.append)
    assert errors == []
    return values


def test_nothing_is_added_outside_a_context():
    assert current() is None
    assert filled(action="a") == {"action": "a"}


def test_values_are_read_when_the_event_is_made():
    with context(tenant="acme", ip="192.0.2.1") as request:
        assert filled() == {"tenant_id": "acme", "ip": "192.0.2.1"}
        request.actor_id = "user-17"
        assert filled()["actor_id"] == "user-17"
    assert current() is None


def test_inner_contexts_inherit_and_outer_ones_are_restored():
    with context(tenant="acme", actor="user-17", actor_name="Jane", metadata={"a": 1}) as outer:
        with context(request_id="r-1", metadata={"b": True}) as inner:
            assert current() is inner
            outer.ip = "192.0.2.1"
            assert filled() == {
                "tenant_id": "acme",
                "actor_id": "user-17",
                "actor_name": "Jane",
                "ip": "192.0.2.1",
                "request_id": "r-1",
                "metadata": {"a": "1", "b": "true"},
            }
        assert current() is outer


def test_another_actor_does_not_inherit_the_first_ones_name():
    with context(tenant="acme", actor="user-17", actor_name="Jane", actor_type="admin", on_behalf_of="user-3"):
        assert filled(actor_id="job") == {"tenant_id": "acme", "actor_id": "job"}
        with context(actor="user-18"):
            assert filled() == {"tenant_id": "acme", "actor_id": "user-18"}


def test_an_explicit_value_takes_precedence_even_if_it_is_none():
    with context(tenant="acme", ip="192.0.2.1", metadata={"a": "context", "b": "context"}):
        assert filled(ip=None, tenant_id="globex", metadata={"a": "event"}) == {
            "tenant_id": "globex",
            "ip": None,
            "metadata": {"a": "event", "b": "context"},
        }


def test_a_resolver_is_called_for_every_event():
    user = "anonymous"

    def resolve(request: AuditContext) -> None:
        filled()  # an event emitted in the meantime does not resolve the context again
        request.actor_id = user

    with context(tenant="acme", resolve=resolve):
        assert filled()["actor_id"] == "anonymous"
        user = "user-17"
        assert filled()["actor_id"] == "user-17"


def test_an_error_of_a_resolver_is_reported_and_the_rest_is_kept():
    def resolve(request: AuditContext) -> None:
        raise LookupError("no user")

    errors: list[Exception] = []
    values: dict[str, object] = {}
    with context(tenant="acme", resolve=resolve):
        fill(values, errors.append)
    assert values == {"tenant_id": "acme"}
    assert [str(error) for error in errors] == ["no user"]


def test_threads_and_tasks_of_a_request_share_its_context():
    async def endpoint():
        current().tenant_id = "acme"
        await asyncio.to_thread(setattr, current(), "actor_id", "user-17")

    async def request():
        with context():
            await asyncio.create_task(endpoint())
            return filled()

    assert asyncio.run(request()) == {"tenant_id": "acme", "actor_id": "user-17"}


def test_a_new_thread_starts_without_a_context():
    found: list[object] = []
    with context(tenant="acme"):
        thread = threading.Thread(target=lambda: found.append(current()))
        thread.start()
        thread.join()
    assert found == [None]


def test_a_context_may_be_left_in_another_task():
    entered = context(tenant="acme")
    contextvars.copy_context().run(entered.__enter__)
    entered.__exit__(None, None, None)
    assert current() is None


def test_a_context_may_be_entered_again():
    shared = context(tenant="acme")
    with shared, context(ip="192.0.2.1"), shared:
        assert filled() == {"tenant_id": "acme", "ip": "192.0.2.1"}
    assert current() is None


def test_contexts_may_be_left_in_any_order():
    first, second = context(tenant="acme"), context(ip="192.0.2.1")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert filled() == {"ip": "192.0.2.1"}
    second.__exit__(None, None, None)
    assert current() is None


def test_threads_that_share_a_context_each_resolve_it():
    begun, other_done = threading.Event(), threading.Event()

    def resolve(request: AuditContext) -> None:
        if threading.current_thread() is slow:
            begun.set()
            assert other_done.wait(60)
        request.tenant_id = "acme"

    with context(resolve=resolve):
        shared = contextvars.copy_context()
        slow = threading.Thread(target=shared.run, args=(filled,))
        slow.start()
        assert begun.wait(60)
        assert filled() == {"tenant_id": "acme"}
        other_done.set()
        slow.join()


def test_values_are_carried_to_another_process():
    with context(tenant="acme", actor="user-17", request_id="r-1", metadata={"plan": "pro", "seats": 3}):
        headers = carried()
    assert headers["metadata.seats"] == "3"
    with restored({**headers, "unknown": "x", "actor_name": 3}):
        assert filled() == {
            "tenant_id": "acme",
            "actor_id": "user-17",
            "request_id": "r-1",
            "metadata": {"plan": "pro", "seats": "3"},
        }


def test_carried_values_are_bounded():
    with context(actor="x" * 5_000, metadata={f"key{n}": "y" * 5_000 for n in range(50)}):
        headers = carried()
    assert len(headers) == 21
    assert max(map(len, headers.values())) == 1_000


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("traceparent", "x_request_id", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", "r-1", TRACE),
        (f"01-{TRACE}-{SPAN}-01-future", None, TRACE),
        (f"ff-{TRACE}-{SPAN}-01", "r-1", "r-1"),
        (f"00-{'0' * 32}-{SPAN}-01", None, None),
        (f"00-{TRACE}-{'0' * 16}-01", None, None),
        ("nonsense", " r-1 ", "r-1"),
        (None, "a\nb", None),
        (None, "x" * 500, "x" * 200),
        (None, None, None),
    ],
)
def test_the_request_id_is_the_trace_id_or_the_x_request_id(traceparent, x_request_id, expected):
    assert request_id_of(traceparent, x_request_id) == expected


def test_the_current_span_of_opentelemetry_is_linked():
    assert trace_context.current() is None
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("work") as span:
        trace = f"{span.get_span_context().trace_id:032x}"
        values = filled(metadata={"a": "b"})
        assert values["request_id"] == trace
        assert values["metadata"]["trace_id"] == trace
        assert len(values["metadata"]["span_id"]) == 16
        with context(request_id="r-1"):
            assert filled()["request_id"] == "r-1"
