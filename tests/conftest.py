"""Fixtures for all tests. They provide a workspace and the parts of the stack. Each part is started when it is first
needed, and is shared by the session.
"""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

import hypothesis
import pytest

# A shell ignores these signals in background jobs, as does nohup; children that a test interrupts would inherit that.
# Handlers are not inherited, so with a handler that does nothing, the test run itself still survives the signal.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else lambda *_: None)
if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # otherwise waiting for children would fail
signal.pthread_sigmask(signal.SIG_SETMASK, ())
# Tests assert nothing about time, so Hypothesis examples have no deadline. CI uses the same examples each time.
hypothesis.settings.register_profile("auditlane", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("auditlane")
pytest.register_assert_rewrite("fixtures")  # registered before any fixture module imports another
_FIXTURES = Path(__file__).parent / "support" / "fixtures"
pytest_plugins = [f"fixtures.{path.stem}" for path in sorted(_FIXTURES.glob("[a-z]*.py"))]

# Tests of these folders share two cores with four other runs in CI. What proves the guarantee never runs twice.
_RERUN_IN_CI = {"browser", "integration"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In CI, retry a failed browser or integration test once. The summary lists it as RERUN."""
    if os.environ.get("CI") != "true":
        return
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in _RERUN_IN_CI:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the caller's stack and AUDITLANE_* variables, except from the service fixtures."""
    for name in list(os.environ):
        if name.startswith("AUDITLANE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUDITLANE_DATA_DIR", "/nonexistent/auditlane")  # not a stack that happens to run as well


@pytest.fixture
def unique() -> str:
    """Return a name that no other test uses. It is valid for a topic, a group, a database and a tenant id."""
    return f"t{uuid.uuid4().hex[:12]}"
