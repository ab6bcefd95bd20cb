"""Tests the client that a whole process shares. It is created only once, and never blocks a request."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from auditlane.sdk import audit, default_client, set_default_client

module = sys.modules[default_client.__module__]


class Client:
    """Stands in for AuditClient."""

    def __init__(self) -> None:
        self.closed = False

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def no_client():
    set_default_client(None)
    yield
    set_default_client(None)


def test_a_signal_handler_may_need_the_client_while_it_is_created(monkeypatch):
    made: list[Client] = []

    def create() -> Client:
        client = Client()
        made.append(client)
        if len(made) == 1:
            assert default_client() is made[1]  # as in a signal handler on this thread
        return client

    monkeypatch.setattr(module, "AuditClient", create)
    assert default_client() is made[1]
    assert [client.closed for client in made] == [True, False]


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), OSError("no more files")])
def test_recording_never_raises_without_a_client(monkeypatch, error):
    def create() -> Client:
        raise error

    logged: list[str] = []
    monkeypatch.setattr(module, "AuditClient", create)
    monkeypatch.setattr(module, "log_later", lambda level, text, *values: logged.append(text % values))
    assert audit.record(action="a") is None
    audit.report_unrecorded(ValueError())
    audit.report_resolver(ValueError())
    assert logged == [f"No audit events are recorded. {error}"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_creates_the_client_leaves_no_lock(monkeypatch):
    creating, forked = threading.Event(), threading.Event()

    def create() -> Client:
        creating.set()
        assert forked.wait(60)
        return Client()

    monkeypatch.setattr(module, "AuditClient", create)
    thread = threading.Thread(target=default_client)
    thread.start()
    assert creating.wait(60)
    child = os.fork()
    if child == 0:
        os._exit(0 if module._lock.acquire(blocking=False) else 1)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
