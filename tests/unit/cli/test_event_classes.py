"""Tests typed events that are named on the command line. They are imported from the working directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlane.cli.event_classes import event_classes
from auditlane.runtime.errors import ConfigError, InvalidInput

EVENTS = """
from auditlane.sdk import AuditEvent

class Base(AuditEvent):
    project: str

class Deleted(Base, action="document.deleted"): ...

class Shared(Base, action="document.shared"): ...
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a folder, make it the working directory, and unload the modules imported from it afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    before = set(sys.modules)
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "events.py").write_text(EVENTS)
    yield package
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "shop":
            del sys.modules[name]


def names(*targets: str) -> list[str]:
    return [event.__name__ for event in event_classes(targets)]


def test_a_module_yields_its_classes_and_a_name_yields_one() -> None:
    assert names("shop.events") == ["Base", "Deleted", "Shared"]
    assert names("shop.events:Deleted", "shop.events:Deleted") == ["Deleted"]


def test_a_package_yields_the_classes_it_imports(folder: Path) -> None:
    (folder / "__init__.py").write_text("from shop.events import Deleted")
    assert names("shop") == ["Base", "Deleted", "Shared"]
    (folder / "all.py").write_text("from shop.events import Deleted")
    assert names("shop.all") == ["Deleted"]


@pytest.mark.parametrize(
    ("source", "words", "fix"),
    [
        (None, "There is no module shop.missing", "folder that contains shop"),
        ("import nowhere_installed", "it needs nowhere_installed", "own environment"),
        ("raise RuntimeError('no settings')", "RuntimeError: no settings", "import shop.missing"),
        ("raise SystemExit('stop')", "SystemExit: stop", "import shop.missing"),
        ("1 +", "SyntaxError", "import shop.missing"),
    ],
)
def test_a_failed_import_is_explained(folder: Path, source: str | None, words: str, fix: str) -> None:
    if source is not None:
        (folder / "missing.py").write_text(source)
    with pytest.raises(ConfigError) as caught:
        event_classes(["shop.missing"])
    assert words in caught.value.message
    assert fix in caught.value.fix


def test_an_error_of_a_declaration_is_passed_on(folder: Path) -> None:
    (folder / "wrong.py").write_text("from auditlane.sdk import AuditEvent\nclass A(AuditEvent):\n    x: bytes\n")
    with pytest.raises(InvalidInput, match="x of A"):
        event_classes(["shop.wrong"])


def test_a_module_or_name_without_events_is_reported(folder: Path) -> None:
    (folder / "empty.py").write_text("from auditlane.sdk import AuditEvent\nother = 1\n")
    for target, words in {
        "shop.empty": "declares no typed events", "shop.empty:other": "no typed event other",
        "shop.empty:AuditEvent": "no typed event AuditEvent", "shop.events:Delete": "Did you mean Deleted?",
    }.items():  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            event_classes([target])
        assert words in str(caught.value)
