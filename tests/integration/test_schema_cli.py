"""Tests `auditlane schema` on a real registry and store. It reports differences and registers missing fields, but does
not resolve conflicts.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditlane.cli import app as cli
from auditlane.contract.registry import RegistryClient
from auditlane.contract.subjects import ensure_base_subject
from auditlane.contract.tenant_contract import TenantContract
from auditlane.runtime.errors import ConfigError, FieldConflict, InvalidInput
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate

EVENTS = """
from typing import Literal
from pydantic import Field
from auditlane.sdk import AuditEvent

class DocumentDeleted(AuditEvent, action="document.deleted"):
    project: str = Field(max_length=20, title="Project name")
    pages: int | None = None

class DocumentShared(AuditEvent, action="document.shared"):
    project: str = Field(max_length=20)
    role: Literal["reader", "editor"] = "reader"
"""
Run = Callable[..., str]


@pytest.fixture
def run(clickhouse: str, registry: str, unique: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Provide a function that runs `auditlane` in the folder that contains `myapp_events.py`, and checks the exit
    code.
    """
    with contextlib.closing(connect(load(clickhouse_url=clickhouse))) as client:
        migrate(client, unique)
    with contextlib.closing(RegistryClient(registry)) as names:
        ensure_base_subject(names, unique)
    for name, value in {
        "CLICKHOUSE_URL": clickhouse, "CLICKHOUSE_DATABASE": unique, "REGISTRY_URL": registry, "TOPIC": unique,
        "DATA_DIR": str(tmp_path / "data"),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AUDITLANE_{name}", value)
    (tmp_path / "myapp_events.py").write_text(EVENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli.app, list(arguments), env={"COLUMNS": "200"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    yield run
    sys.modules.pop("myapp_events", None)


def test_fields_are_shown_registered_once_and_displayed(run: Run, registry: str, unique: str) -> None:
    shown = run("schema", "diff", "myapp_events", "--tenant", "acme", code=1)
    assert "project is not in the contract (AlphaNumeric, maxLength 20): DocumentDeleted, DocumentShared" in shown
    assert "auditlane schema sync myapp_events --tenant acme" in shown
    dry = run("schema", "sync", "myapp_events", "--tenant", "acme", "--dry-run", code=1)
    assert dry == shown
    with pytest.raises(ConfigError, match="not a terminal"):
        run("schema", "sync", "myapp_events", "--tenant", "acme")
    report = json.loads(run("schema", "diff", "myapp_events:DocumentDeleted", "--tenant", "acme", "--json", code=1))
    assert [(found["field"], found["kind"], found["type"]) for found in report["differences"]] == [
        ("project", "missing", "AlphaNumeric"), ("pages", "missing", "Integer")
    ]  # fmt: skip

    assert "Registered project, pages, role" in run("schema", "sync", "myapp_events", "--tenant", "acme", "--yes")
    assert run("schema", "diff", "myapp_events", "--tenant", "acme").startswith("Nothing to register")
    assert run("schema", "sync", "myapp_events", "--tenant", "acme").startswith("Nothing to register")
    with contextlib.closing(RegistryClient(registry)) as client:
        contract = TenantContract.parse(client.latest(f"{unique}.acme-value").schema)
        own = {field.name: (field.kind, field.rules.max_length, field.rules.one_of) for field in contract.own}
        assert own == {
            "project": ("string", 20, None),
            "pages": ("long", None, None),
            "role": ("string", None, ("reader", "editor")),
        }
        assert not TenantContract.parse(client.latest(f"{unique}-value").schema).own
    fields = {
        field["name"]: field for field in json.loads(run("structure", "show", "--tenant", "acme", "--json"))["fields"]
    }
    assert (fields["project"]["displayName"], fields["pages"]["displayType"]) == ("Project name", "Number")

    alone = json.loads(run("schema", "diff", "myapp_events:DocumentDeleted", "--tenant", "acme", "--json"))
    assert (alone["differences"], alone["unused"]) == ([], ["role"])


def test_the_environments_fields_reach_every_tenant(run: Run) -> None:
    run("structure", "add-field", "region", "--tenant", "acme")
    registered = json.loads(run("schema", "sync", "myapp_events", "--yes", "--json"))
    assert registered == {"tenant": None, "registered": ["project", "pages", "role"]}
    for tenant in (["--tenant", "acme"], ["--tenant", "globex"], []):
        run("schema", "diff", "myapp_events", *tenant)


def test_a_conflict_is_left_to_a_person(run: Run) -> None:
    """No field is registered, not even those without a conflict."""
    run("structure", "add-field", "pages", "--tenant", "acme")
    run("structure", "add-field", "role", "--type", "Enum", "--one-of", "owner", "--tenant", "acme")
    shown = run("schema", "diff", "myapp_events", "--tenant", "acme", code=1)
    assert "! pages is declared as Integer, but the contract has AlphaNumeric" in shown
    assert "! role is declared as Enum, oneOf reader, editor, but the contract has Enum, oneOf owner" in shown
    with pytest.raises(FieldConflict, match="Nothing was registered: the field pages"):
        run("schema", "sync", "myapp_events", "--tenant", "acme", "--yes")
    assert "project" not in run("structure", "show", "--tenant", "acme", "--json")


def test_a_removed_field_stays_removed(run: Run) -> None:
    run("schema", "sync", "myapp_events:DocumentDeleted", "--tenant", "acme", "--yes")
    run("structure", "remove-field", "pages", "--tenant", "acme")
    shown = run("schema", "sync", "myapp_events:DocumentDeleted", "--tenant", "acme", "--yes")
    assert "Readers do not see, since it was removed from the data structure: pages" in shown
    assert '"pages"' not in run("structure", "show", "--tenant", "acme", "--json").partition('"removed"')[0]


def test_classes_that_contradict_each_other_are_both_named(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "myapp_events.py").open("a") as file:
        file.write("\nclass DocumentMoved(AuditEvent, action='document.moved'):\n    project: int\n")
    with pytest.raises(InvalidInput, match="DocumentDeleted and DocumentMoved declare the field project differently"):
        run("schema", "diff", "myapp_events")
