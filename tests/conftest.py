"""What every test shares: the parts (started once a session, each only when asked for) and a workspace of its own."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: what tests interrupt must not inherit that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests assert nothing about time. A run that gates a change tries the same examples each time.
hypothesis.settings.register_profile("auditlane", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("auditlane")
pytest.register_assert_rewrite("fixtures")  # before any of them imports another
pytest_plugins = [f"fixtures.{one.stem}" for one in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the caller's AUDITLANE_* variables, except by the fixtures of the parts."""
    for name in list(os.environ):
        if name.startswith("AUDITLANE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, legal in a topic, a group, a database and a tenant id."""
    return f"t{uuid.uuid4().hex[:12]}"
