"""Tests functions whose calls are recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from auditlane.runtime.errors import ConfigError
from auditlane.sdk.audited import audited, is_denied


class Calls(list[dict[str, Any]]):
    def record(self, **values: Any) -> str:
        self.append(values)
        return "id"


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_a_call_is_recorded_with_its_duration(calls):
    @audited(calls.record, "document.deleted", resource="document", resource_id="document_id", metadata={"via": "api"})
    def delete(document_id: int, force: bool = False) -> str:
        """Delete it."""
        return f"deleted {document_id}"

    assert delete(7) == "deleted 7"
    assert delete.__name__ == "delete"
    [call] = calls
    duration = call["metadata"].pop("duration_ms")
    assert duration >= 0
    assert call == {
        "action": "document.deleted",
        "resource": "document",
        "resource_id": "7",
        "outcome": "success",
        "severity": "Info",
        "metadata": {"via": "api"},
    }


class Forbidden(Exception):
    pass


class Http(Exception):
    status_code = 403


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("secret text"), "failure"),
        (PermissionError(), "denied"),
        (Forbidden(), "denied"),
        (Http(), "denied"),
        (KeyboardInterrupt(), "failure"),
    ],
)
def test_an_exception_is_recorded_by_its_type_and_raised_again(calls, error, outcome):
    @audited(calls.record, "a")
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        fail()
    assert calls[0]["outcome"] == outcome
    assert calls[0]["metadata"]["exception"] == type(error).__name__
    assert "secret text" not in str(calls)


def test_the_text_of_an_exception_is_recorded_when_allowed(calls):
    @audited(calls.record, "a", error_text=True)
    def fail() -> None:
        raise ValueError("no such document")

    with pytest.raises(ValueError, match="no such"):
        fail()
    assert calls[0]["metadata"]["error"] == "no such document"


def test_coroutines_are_recorded_when_they_end(calls):
    @audited(calls.record, "a", resource_id=lambda name: name.upper())
    async def work(name: str) -> str:
        assert calls == []
        await asyncio.sleep(0)
        return name

    assert asyncio.run(work("x")) == "x"
    assert calls[0]["resource_id"] == "X"


def test_a_cancelled_coroutine_is_a_failure(calls):
    @audited(calls.record, "a")
    async def wait() -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert calls[0]["metadata"]["exception"] == "CancelledError"


def test_a_function_of_the_application_that_raises_does_not_fail_the_call(calls):
    @audited(calls.record, "a", resource_id=lambda: 1 / 0)
    def work() -> int:
        return 1

    assert work() == 1
    assert calls[0]["metadata"]["unrecorded_fields"] == "resource_id or metadata: ZeroDivisionError"


class Unreadable(Exception):
    """An exception whose text and attributes raise errors when they are read."""

    def __str__(self) -> str:
        raise RuntimeError

    @property
    def status_code(self) -> int:
        raise RuntimeError


def test_values_that_cannot_be_read_do_not_fail_the_call(calls):
    @audited(calls.record, "a", resource_id=lambda error: error or Unreadable(), error_text=True)
    def work(error: Exception | None = None) -> int:
        if error is not None:
            raise error
        return 1

    assert work(None) == 1
    with pytest.raises(Unreadable):
        work(Unreadable())
    assert [call["outcome"] for call in calls] == ["success", "failure"]
    assert {call["metadata"]["unrecorded_fields"] for call in calls} == {"resource_id or metadata: RuntimeError"}


def test_methods_and_defaults_have_a_resource_id(calls):
    class Service:
        @audited(calls.record, "a", resource_id="key")
        def work(self, key: str = "default") -> None: ...

    Service().work()
    assert calls[0]["resource_id"] == "default"


def test_wrong_uses_are_refused():
    with pytest.raises(ConfigError, match="no parameter 'id' \\(parameters: key\\)"):

        @audited(lambda **_: None, "a", resource_id="id")
        def work(key: str) -> None: ...

    with pytest.raises(ConfigError, match="is a generator"):

        @audited(lambda **_: None, "a")
        def generate() -> Any:
            yield 1


def test_only_denials_are_denied():
    assert not is_denied(ValueError())
    assert not is_denied(FileNotFoundError())
    assert not is_denied(SystemExit(401))
